"""A line for each message in debug mode, that gives nothing away."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import ipywidgets as widgets
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solara_ctx.jupyter import outputs
from solara_ctx.jupyter.message_log import MessageLog, log, show_messages
from solara_ctx.jupyter.session import IOPUB
from tests.support.kernels import Page, StandInContext, message_of, patched, request


@pytest.fixture
def debugged() -> Iterator[StandInContext]:
    """A kernel in debug mode."""
    with patched():
        context = StandInContext(debug=True)
        yield context
        context.close()


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What is written."""
    caplog.set_level(logging.DEBUG, logger=log.name)
    return caplog


def test_a_click_has_its_lines(debugged: StandInContext, lines: pytest.LogCaptureFixture) -> None:
    """Which way, which page, on which channel, what about, how much."""
    slider = debugged.run(widgets.IntSlider)
    page = Page(debugged, "page-of-a-test")
    frame = request("comm_msg", {"comm_id": slider.model_id, "data": {"method": "update", "state": {"value": 3}}})
    lines.clear()
    page.send_frame(frame)
    came, busy, *rest = lines.messages
    assert came == f"kernel kernel… <- page page-o…: shell comm_msg jupyter.widget IntSlider update, {len(frame)} B"
    assert busy.startswith("kernel kernel… -> page page-o…: iopub status, ")
    assert any("comm_msg jupyter.widget IntSlider echo_update" in line for line in rest)
    Page(debugged, "page-two")
    lines.clear()
    slider.value = 5
    assert lines.messages[0].startswith("kernel kernel… -> 2 pages: iopub comm_msg jupyter.widget IntSlider update, ")


def test_buffers_are_counted(debugged: StandInContext, lines: pytest.LogCaptureFixture) -> None:
    """With their sizes."""
    Page(debugged)
    debugged.run(debugged.living_host.session.send, IOPUB, "display_data", {}, buffers=[b"123", memoryview(b"4567")])
    assert lines.messages[-1].endswith(" B with 2 buffers of 7 B")
    debugged.run(debugged.living_host.session.send, IOPUB, "display_data", {}, buffers=[b"123"])
    assert lines.messages[-1].endswith(" B with a buffer of 3 B")


def test_a_frame_that_is_none_has_a_line(debugged: StandInContext, lines: pytest.LogCaptureFixture) -> None:
    """With its size."""
    Page(debugged, "page-of-a-test").send_frame("{nonsense")
    assert "kernel kernel… <- page page-o…: a malformed frame, 9 B" in lines.messages


def test_without_debug_mode_there_are_none(kernel: StandInContext, lines: pytest.LogCaptureFixture) -> None:
    """Nor anything that could write them."""
    page = Page(kernel)
    page.ask("kernel_info_request")
    page.send_frame("{nonsense")
    assert kernel.living_host.message_log is None
    assert [record for record in lines.records if record.name == log.name] == []


def test_where_nobody_reads_them_they_are_not_made(debugged: StandInContext, caplog: pytest.LogCaptureFixture) -> None:
    """Debug mode, with the level of the log set higher by its owner."""
    caplog.set_level(logging.INFO, logger=log.name)
    page = Page(debugged)
    page.ask("kernel_info_request")
    page.send_frame("{nonsense")
    assert [record for record in caplog.records if record.name == log.name] == []


def test_a_handler_that_prints_is_not_captured(debugged: StandInContext) -> None:
    """Its line would be output of the page, which would be a message, which would have a line."""
    Page(debugged)
    restore = show_messages()
    seen: list[bool] = []

    class Printing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(outputs.is_capturing())

    handler = Printing()
    log.addHandler(handler)

    def capture() -> None:
        with widgets.Output():
            debugged.living_host.session.send(IOPUB, "status", {"execution_state": "busy"})

    debugged.run(capture)
    log.removeHandler(handler)
    restore()
    assert seen
    assert not any(seen)


SECRET = st.text(st.characters(categories=("L", "N")), min_size=12, max_size=40)


@given(
    secret=SECRET, place=st.sampled_from(["msg_type", "target", "method", "value", "key", "session", "parent", "text"])
)
def test_nothing_that_was_said_is_in_a_line(secret: str, place: str) -> None:
    """Wherever it stands in a message of a page, or of user code; nor is a whole id."""
    message: dict[str, Any] = message_of("comm_msg", {"comm_id": secret, "data": {"method": "update"}})
    content = message["content"]
    match place:
        case "msg_type":
            message["header"]["msg_type"] = secret
        case "target":
            message["header"]["msg_type"] = "comm_open"
            content["target_name"] = secret
        case "method":
            content["data"]["method"] = secret
        case "value":
            content["data"]["state"] = {"value": secret}
        case "key":
            content["data"][secret] = 1
        case "session":
            message["header"]["session"] = secret
        case "parent":
            message["parent_header"] = {"msg_id": secret}
        case "text":
            message["content"] = secret
    records: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())  # type: ignore[method-assign]
    log.addHandler(handler)
    restore = show_messages()
    written = MessageLog(secret, {}, {})
    written.came(secret, message, 10)
    written.malformed(secret, 10)
    written.went([secret], secret, message, 10, [secret.encode()])
    log.removeHandler(handler)
    restore()
    assert len(records) == 3
    assert all(secret not in line and secret[:7] not in line for line in records)
    assert json.dumps(message)


def test_they_are_shown_where_no_log_is_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """On standard error, as uvicorn sets up no log but its own; where there is one, there only."""
    monkeypatch.setattr(log, "hasHandlers", lambda: False)
    restore = show_messages()
    assert log.isEnabledFor(logging.DEBUG)
    assert len(log.handlers) == 1
    restore()
    restore()
    assert (log.level, log.handlers) == (logging.NOTSET, [])
    monkeypatch.setattr(log, "hasHandlers", lambda: True)
    restore = show_messages()
    assert log.handlers == []
    restore()
    assert log.level == logging.NOTSET


def test_a_level_that_somebody_has_given_holds() -> None:
    """Such as `solara-ctx run --reload`, where nobody has asked for messages."""
    log.setLevel(logging.INFO)
    show_messages()()
    assert log.level == logging.INFO
    log.setLevel(logging.NOTSET)
