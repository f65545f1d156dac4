"""A closed kernel that is not gone is found, named, and explained to whoever may ask."""

import asyncio
import os
import sys
from typing import Any

import httpx2
import pytest

from integration.conftest import Launch, Serve
from integration.support.protocol import JupyterClient, ask, message
from integration.support.server import ServerProcess
from integration.support.waiting import wait_until

APP = "integration.support.apps.leaky:app"
TOKEN = {"Authorization": "Bearer sesame"}
ENV = {"SOLARA_RESOURCEZ_TOKEN": "sesame", "SOLARA_KERNEL_ZOMBIE_AFTER": "400ms"}


async def visit(server: ServerProcess, path: str) -> str:
    """Open a page, and close it by its beacon; the id of its kernel, for what must not be shown."""
    async with JupyterClient(server.url, base="/") as client:
        async with client.websocket(location=path) as socket:
            await ask(socket, message("comm_info_request"))
        await client.http.post(f"{client.kernel_path()}/pages/{client.page_id}/close")
        return client.kernel_id


async def resourcez(server: ServerProcess, query: str = "") -> httpx2.Response:
    async with httpx2.AsyncClient(base_url=server.url) as http:
        return await http.get(f"/resourcez{query}", headers=TOKEN)


async def leaks(server: ServerProcess, **expected: int) -> dict[str, Any]:
    """All of /resourcez, once its figures about leaks are as expected."""
    seen: list[dict[str, Any]] = []

    async def as_expected() -> bool:
        seen[:] = [(await resourcez(server)).json()]
        return {name: seen[0]["leaks"][name] for name in expected} == expected

    try:
        await wait_until(as_expected, 10.0)
    except AssertionError:
        pytest.fail(f"expected {expected}, but saw {seen[0]['leaks']}")
    return seen[0]


async def test_each_kernel_is_counted_as_what_became_of_it(serve: Serve) -> None:
    """Freed by reference counting, by the collector, never."""
    server = await serve(APP, env=ENV)
    for path in ("/clean", "/circular", "/", "/clean"):
        await visit(server, path)
    data = await leaks(server, by_refcount_total=2, by_gc_total=1, zombies=1, watched=0)
    assert data["leaks"]["collections_total"] >= 1
    assert data["kernels"]["total"] == 0


async def test_a_zombie_is_named_once_and_explained(launch: Launch) -> None:
    """The log says that there is one, /resourcez lists it, ?why= names the file and line; no id is shown in full."""
    server = await launch("solara_ctx", "run", f"{APP.partition(':')[0]}:kernels", "--port", "0", env=ENV)
    kernel_id = await visit(server, "/")
    (zombie,) = (await leaks(server, zombies=1))["zombies"]
    assert (zombie["reason"], zombie["alive"]["Label"], zombie["held_by"]) == ("page-closed", 1, None)
    assert zombie["id"] == f"{kernel_id[:6]}…"
    assert server.log_text().count("is not gone") == 1
    assert f"/resourcez?why={kernel_id[:6]}" in server.log_text()

    answer = await resourcez(server, f"?why={kernel_id[:6]}")
    assert answer.status_code == httpx2.codes.OK, answer.text
    why = answer.json()
    assert why["found"]
    assert why["culprit"]["file"].endswith("leaky.py")
    assert why["culprit"]["line"] == 11
    assert "CLICKS" in why["text"]
    assert "on_click" in why["text"]
    text = await resourcez(server, f"?why={kernel_id[:6]}&format=text")
    assert text.headers["content-type"].startswith("text/plain")
    picture = await resourcez(server, f"?why={kernel_id[:6]}&format=svg")
    assert picture.headers["content-type"].startswith("image/svg+xml")
    listed = await resourcez(server)
    assert listed.json()["zombies"][0]["held_by"] == why["text"]
    for shown in (answer.text, text.text, picture.text, listed.text, server.log_text()):
        assert kernel_id not in shown


async def test_only_who_has_the_token_may_ask(serve: Serve) -> None:
    """Not a stranger, and not even this machine; unknown kernels and formats are refused in words."""
    server = await serve(APP, env=ENV)
    kernel_id = await visit(server, "/")
    await leaks(server, zombies=1)
    async with httpx2.AsyncClient(base_url=server.url) as http:
        refused = await http.get(f"/resourcez?why={kernel_id[:6]}")
        assert refused.status_code == httpx2.codes.UNAUTHORIZED
        assert "SOLARA_RESOURCEZ_TOKEN" in refused.json()["message"]
    assert (await resourcez(server, "?why=nobody")).status_code == httpx2.codes.NOT_FOUND
    assert (await resourcez(server, "?why=")).status_code == httpx2.codes.NOT_FOUND
    assert (await resourcez(server, f"?why={kernel_id[:6]}&format=gif")).status_code == httpx2.codes.BAD_REQUEST


async def test_debug_mode_explains_without_being_asked(serve: Serve) -> None:
    """A developer reads the chain in the log."""
    server = await serve(APP, env={**ENV, "SOLARA_DEBUG": "1"})
    await visit(server, "/")
    await wait_until(lambda: "is kept by" in server.log_text(), 10.0, "the chain in the log")
    await leaks(server, zombies=1)
    assert "CLICKS" in server.log_text()


async def test_the_command_line_asks(serve: Serve) -> None:
    """`solara-ctx why` lists the zombies, and names what keeps one."""
    server = await serve(APP, env=ENV)
    kernel_id = await visit(server, "/")
    await leaks(server, zombies=1)

    async def command(*arguments: str, **env: str) -> tuple[int | None, str, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "solara_ctx", "why", *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **env},
        )
        output, errors = await process.communicate()
        return process.returncode, output.decode(), errors.decode()

    status, output, errors = await command(server.url, "--token", "sesame")
    assert (status, errors) == (0, "")
    assert f"{kernel_id[:6]}…  page-closed" in output
    status, output, errors = await command(server.url, kernel_id[:6], SOLARA_RESOURCEZ_TOKEN="sesame")
    assert (status, errors) == (0, "")
    assert "CLICKS" in output
    status, output, errors = await command(server.url, kernel_id[:6])
    assert (status, output) == (2, "")
    assert "send the token" in errors
