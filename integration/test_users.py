"""A host app with users: a kernel is that of the user who has started it, and of nobody else with the same cookie."""

import httpx2
import pytest

from integration.conftest import Serve
from integration.support.protocol import JupyterClient, ask, message

APP = "integration.support.apps.signed_in:app"


async def page_of(client: JupyterClient, user: str) -> None:
    """Sign in, and load a page."""
    client.http.cookies.set("user", user)
    await client.open_page()


@pytest.mark.parametrize("other", ["bob", None])
async def test_another_user_of_the_same_browser_is_refused(serve: Serve, other: str | None) -> None:
    """Also one who has signed out: by websocket, beacon and REST; and the list has nothing of it."""
    server = await serve(APP)
    client = JupyterClient(server.url)
    async with client.http:
        await page_of(client, "ann")
        async with client.websocket() as socket:
            await ask(socket, message("comm_info_request"))
            client.http.cookies.delete("user")
            if other is not None:
                client.http.cookies.set("user", other)
            refused = await client.refusal()
            assert refused.status_code == httpx2.codes.FORBIDDEN
            kernel = client.kernel_path()
            for answer in (
                await client.http.get(kernel),
                await client.http.delete(kernel),
                await client.http.post(f"{kernel}/restart"),
                await client.http.post(f"{kernel}/interrupt"),
                await client.http.post(f"{kernel}/pages/{client.page_id}/close"),
            ):
                assert (answer.status_code, answer.json()["reason"]) == (httpx2.codes.FORBIDDEN, "foreign-user")
            assert (await client.http.get("/api/kernels")).json() == []
            assert await ask(socket, message("kernel_info_request"))


async def test_signing_out_ends_what_the_user_has_open(serve: Serve) -> None:
    """All of it, in every browser, with a reason that the page shows; others go on."""
    server = await serve(APP)
    ann, ann_elsewhere, bob = (JupyterClient(server.url) for _ in range(3))
    async with ann.http, ann_elsewhere.http, bob.http:
        for client, user in ((ann, "ann"), (ann_elsewhere, "ann"), (bob, "bob")):
            await page_of(client, user)
        async with ann.websocket() as one, ann_elsewhere.websocket() as two, bob.websocket() as other:
            for socket in (one, two, other):
                await ask(socket, message("comm_info_request"))
            assert (await ann.http.post("/sign-out")).status_code == httpx2.codes.NO_CONTENT
            for socket in (one, two):
                await socket.wait_closed()
                assert (socket.close_code, socket.close_reason) == (1000, "signed-out")
            assert await ask(other, message("kernel_info_request"))
