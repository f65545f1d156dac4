"""What an operator may do by /resourcez: close a kernel, by the id that is shown, with the token."""

import logging

import pytest

from solara_ctx.errors import redact
from tests.support.visits import Visit, serving

TOKEN = "a token of the operator's"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def nothing() -> None:
    """A page."""


def address(visit: Visit) -> str:
    return f"/resourcez/kernels/{visit.kernel_id[:6]}"


async def test_a_kernel_is_closed_and_its_page_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """With the reason `operator`, after its hooks; the log says so, with a redacted id."""
    caplog.set_level(logging.INFO)
    async with serving(nothing, resourcez_token=TOKEN) as site:
        visit, other = await site.visit(), await site.visit()
        hooks: list[str] = []
        visit.context.on_close(lambda: hooks.append("ran"))
        response = await visit.http.delete(address(visit), headers=BEARER)
        assert (response.status_code, response.json()) == (
            202,
            {"id": redact(visit.kernel_id), "state": "closing"},
        )
        await visit.disconnected()
        assert visit.closed == (1000, "operator")
        assert hooks == ["ran"]
        assert list(site.app.registry) == [other.kernel_id]
        assert f"kernel {redact(visit.kernel_id)} is closed by the operator" in caplog.text
        assert visit.kernel_id not in caplog.text
        gone = await visit.http.delete(address(visit), headers=BEARER)
        assert gone.status_code == 404


@pytest.mark.parametrize(
    ("token", "headers", "status", "says"),
    [
        (None, {}, 403, "set SOLARA_RESOURCEZ_TOKEN on the server"),
        (None, BEARER, 403, "set SOLARA_RESOURCEZ_TOKEN on the server"),
        (TOKEN, {}, 401, "send the token"),
        (TOKEN, {"Authorization": "Bearer something else"}, 401, "send the token"),
        (TOKEN, {"Authorization": f"Basic {TOKEN}"}, 401, "send the token"),
        (TOKEN, {"Cookie": f"token={TOKEN}"}, 401, "send the token"),
    ],
)
async def test_nobody_else_may(token: str | None, headers: dict[str, str], status: int, says: str) -> None:
    """Not this very machine, which may see all: what is local may be a page of another site in a browser here. A header
    is what such a page can't have the browser send.
    """
    async with serving(nothing, resourcez_token=token) as site:
        visit = await site.visit()
        response = await visit.http.delete(address(visit), headers=headers)
        assert response.status_code == status
        assert says in response.json()["message"]
        assert visit.kernel_id in site.app.registry
        assert (await visit.http.post(address(visit), headers=BEARER)).status_code == 405


async def test_an_id_that_two_have_closes_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shown of ids is enough for nearly always, and not for this."""
    async with serving(nothing, resourcez_token=TOKEN) as site:
        first, second = await site.visit(), await site.visit()
        monkeypatch.setattr("solara_ctx.web.resourcez.redact", lambda _id: "same12…")
        response = await first.http.delete("/resourcez/kernels/same12", headers=BEARER)
        assert response.status_code == 409
        assert {first.kernel_id, second.kernel_id} == set(site.app.registry)


async def test_part_of_what_is_shown_is_not_enough() -> None:
    """A slip of the hand must not close somebody's kernel."""
    async with serving(nothing, resourcez_token=TOKEN) as site:
        visit = await site.visit()
        for shown in (visit.kernel_id[:5], visit.kernel_id[:7], "…"):
            assert (await visit.http.delete(f"/resourcez/kernels/{shown}", headers=BEARER)).status_code == 404
        assert visit.kernel_id in site.app.registry
