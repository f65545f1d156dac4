"""Who does not belong is refused before the handshake completes."""

from collections.abc import Awaitable, Callable

import httpx2
import pytest

from integration.conftest import Serve
from integration.support.protocol import JupyterClient, ask, message
from integration.support.waiting import wait_until

APP = "integration.support.apps.counter:app"

Fake = Callable[[JupyterClient, JupyterClient], Awaitable[dict[str, str]]]


async def foreign_origin(mine: JupyterClient, _theirs: JupyterClient) -> dict[str, str]:
    return {"origin": "https://evil.example"}


async def no_origin_at_all(mine: JupyterClient, _theirs: JupyterClient) -> dict[str, str]:
    return {"origin": "null"}


async def foreign_kernel(mine: JupyterClient, theirs: JupyterClient) -> dict[str, str]:
    return {"kernel_id": theirs.kernel_id}


async def forged_id(mine: JupyterClient, _theirs: JupyterClient) -> dict[str, str]:
    return {"kernel_id": mine.kernel_id[:-1] + ("A" if mine.kernel_id[-1] != "A" else "B")}


async def made_up_id(mine: JupyterClient, _theirs: JupyterClient) -> dict[str, str]:
    return {"kernel_id": "8b3c5e1e-0000-4000-8000-000000000000"}


async def no_cookie(mine: JupyterClient, _theirs: JupyterClient) -> dict[str, str]:
    return {"cookie": ""}


async def forged_cookie(mine: JupyterClient, _theirs: JupyterClient) -> dict[str, str]:
    return {"cookie": mine.cookie()[:-2] + "AA"}


FAKES: list[Fake] = [
    foreign_origin,
    no_origin_at_all,
    foreign_kernel,
    forged_id,
    made_up_id,
    no_cookie,
    forged_cookie,
]


@pytest.mark.parametrize("fake", FAKES)
async def test_a_stranger_is_refused_with_403(serve: Serve, fake: Fake) -> None:
    """The websocket before its handshake, the beacon and the REST calls likewise; the rightful page is not harmed."""
    server = await serve(APP)
    async with JupyterClient(server.url) as mine, JupyterClient(server.url) as theirs, theirs.websocket() as socket:
        await ask(socket, message("kernel_info_request"))
        parts = await fake(mine, theirs)
        assert (await mine.refusal(**parts)).status_code == httpx2.codes.FORBIDDEN
        path = mine.kernel_path(parts.get("kernel_id"))
        headers = {"Cookie": parts.get("cookie", mine.cookie())}
        headers |= {"Origin": parts["origin"]} if "origin" in parts else {}
        async with httpx2.AsyncClient(base_url=server.url, headers=headers) as http:
            beacon = await http.post(f"{path}/pages/{theirs.page_id}/close")
            assert beacon.status_code == httpx2.codes.FORBIDDEN
            assert (await http.delete(path)).status_code == httpx2.codes.FORBIDDEN
            assert (await http.post(f"{path}/restart")).status_code == httpx2.codes.FORBIDDEN
        assert (await theirs.http.get(theirs.kernel_path())).json()["execution_state"] == "idle"
        await ask(socket, message("kernel_info_request"))


async def ended(client: JupyterClient) -> dict[str, str] | None:
    """What the server says of a kernel that has ended."""
    answer = await client.http.get(client.kernel_path())
    return answer.json() if answer.status_code == httpx2.codes.NOT_FOUND else None


@pytest.mark.parametrize(
    ("location", "page_id", "status"),
    [
        ("/nowhere", "p", 404),
        ("//evil.example/", "p", 404),
        ("//[", "p", 404),
        ("/", "", 400),
        ("/", "a/b", 400),
        ("/", "x" * 65, 400),
    ],
)
async def test_nonsense_in_the_query_is_refused(serve: Serve, location: str, page_id: str, status: int) -> None:
    """A handshake that asks for what is not there gets the status that says so."""
    server = await serve(APP)
    async with JupyterClient(server.url) as client:
        assert (await client.refusal(location=location, page_id=page_id)).status_code == status


async def test_the_beacon_is_idempotent(serve: Serve) -> None:
    """Before any connection, twice, for a page that nobody knows, after the kernel's end: always 204."""
    server = await serve(APP)
    async with JupyterClient(server.url) as client:
        beacon = f"{client.kernel_path()}/pages/{client.page_id}/close"
        assert (await client.http.post(beacon)).status_code == httpx2.codes.NO_CONTENT
        async with client.websocket() as socket:
            await ask(socket, message("kernel_info_request"))
            unknown = await client.http.post(f"{client.kernel_path()}/pages/unknown/close")
            assert unknown.status_code == httpx2.codes.NO_CONTENT
            for _ in range(3):
                assert (await client.http.post(beacon)).status_code == httpx2.codes.NO_CONTENT
            await socket.wait_closed()
        gone = await wait_until(lambda: ended(client), what="the kernel's end") or {}
        assert gone["reason"] == "page-closed"
        assert (await client.http.post(beacon)).status_code == httpx2.codes.NO_CONTENT
        async with client.websocket() as late:
            await late.wait_closed()
        assert (late.close_code, late.close_reason) == (4410, "page-closed")
