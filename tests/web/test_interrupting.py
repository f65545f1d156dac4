"""A page that interrupts its kernel: over HTTP, which does not wait in line behind what is to be interrupted."""

import asyncio
import logging

import httpx2
import ipywidgets as widgets
import pytest

from solara_ctx import sleep
from tests.support.visits import Visit, serving


def endless() -> widgets.Widget:
    """Two buttons that work for ever: in Python, and asleep."""
    label = widgets.Label()
    spins, sleeps, works = (widgets.Button(description=name) for name in ("spin", "sleep", "work"))

    def spin(_: object) -> None:
        label.value = "spinning"
        while True:
            pass

    def doze(_: object) -> None:
        label.value = "asleep"
        sleep(3600)

    spins.on_click(spin)
    sleeps.on_click(doze)
    works.on_click(lambda _: setattr(label, "value", "works"))
    return widgets.VBox([label, spins, sleeps, works])


def says(visit: Visit, text: str) -> bool:
    """Whether the page was told that the label says so."""
    return any(message["content"].get("data", {}).get("state", {}).get("value") == text for message in visit.heard)


@pytest.mark.usefixtures("locks_of_c")
@pytest.mark.parametrize(("button", "doing"), [("spin", "spinning"), ("sleep", "asleep")])
async def test_what_a_click_has_begun_is_interrupted(button: str, doing: str, caplog: pytest.LogCaptureFixture) -> None:
    """The next click works; the log has a line, and the page hears of it as a Jupyter client would."""
    with caplog.at_level(logging.INFO, "solara_ctx.jupyter"):
        async with serving(endless) as site:
            visit = await site.visit()
            event = {"method": "custom", "content": {"event": "click"}}
            visit.say("comm_msg", {"comm_id": visit.model_id(button), "data": event})
            await visit.until(lambda: says(visit, doing))
            response = await visit.http.post(f"/api/kernels/{visit.kernel_id}/interrupt")
            assert response.status_code == httpx2.codes.NO_CONTENT
            await visit.click("work")
            await visit.until(lambda: says(visit, "works"))
            errors = [message["content"] for message in visit.heard if message["header"]["msg_type"] == "error"]
    assert errors == [{"ename": "KeyboardInterrupt", "evalue": "", "traceback": []}]
    (record,) = caplog.records
    assert record.getMessage().endswith("was interrupted")
    assert record.exc_info is None


async def test_nobody_elses_kernel_can_be_interrupted() -> None:
    """Another session is refused; a kernel that has not begun is none."""
    async with serving(endless) as site:
        visit, other = await site.visit(), await site.visit()
        response = await other.http.post(f"/api/kernels/{visit.kernel_id}/interrupt")
        assert response.status_code == httpx2.codes.FORBIDDEN
        fresh = (await visit.http.post("/api/kernels")).json()["id"]
        response = await visit.http.post(f"/api/kernels/{fresh}/interrupt")
        assert response.status_code == httpx2.codes.NO_CONTENT
        await asyncio.sleep(0)
