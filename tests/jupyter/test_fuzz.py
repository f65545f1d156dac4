"""What a page may send, looked for at random: by the thousand in each run, and 100,000 in a thorough one.

What was found so is kept: as an example here, or as a test of its own where that says more.
"""

import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import comm
import ipywidgets as widgets
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from solara_ctx.jupyter import PageLimits, wire
from solara_ctx.lifecycle import CloseCode
from tests.support.hostile import KERNELS_OWN, class_of, frames
from tests.support.kernels import Page, RecordingSink, StandInContext, patched, request, types_of

SHORT, THOROUGH, ROUNDS = 1_000, 10_000, 5
"""Frames for each of the two, the decoder and the dispatcher; and how often as many in a thorough run."""
AT_ONCE = 8
MAX_COMMS = 2
# A widget that a page has made has a layout and a style of its own; and a page has two comms by which it is served.
MOST_COMMS = 3 * MAX_COMMS + 2

Frame = str | bytes
_LIMITS = settings(suppress_health_check=list(HealthCheck), max_examples=SHORT)


class Log(logging.Handler):
    """Keeps what is logged, from INFO on, in place of pytest's own, which would keep it all and show it."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.records.append(record)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """For as long, nobody else hears anything."""
        root = logging.getLogger()
        before, root.handlers, level = root.handlers, [self], root.level
        root.setLevel(logging.INFO)
        try:
            yield
        finally:
            root.handlers = before
            root.setLevel(level)


class Figures:
    """What became of the frames."""

    def __init__(self) -> None:
        self.became: Counter[str] = Counter()
        self._begun = time.perf_counter()

    @property
    def total(self) -> int:
        return self.became.total()

    def show(self, what: str) -> None:
        """Print them, for `pytest -s` and for who reads a failure."""
        counts = ", ".join(f"{count:,} {name}" for name, count in sorted(self.became.items()))
        print(f"{self.total:,} frames for {what}: {counts}; in {time.perf_counter() - self._begun:.0f} s")


def decode_one(frame: Frame, figures: Figures) -> None:
    """The decoder refuses a frame with a reason, or returns a message of which everything is checked."""
    try:
        message = wire.decode(frame)
    except wire.MalformedFrame as error:
        assert error.reason  # noqa: PT017 - most frames raise nothing
        figures.became["malformed"] += 1
        return
    figures.became["decoded"] += 1
    assert message["channel"] in wire.CHANNELS
    for part in (message["header"], message["parent_header"], message["metadata"], message["content"]):
        assert isinstance(part, dict)
    assert all(isinstance(message["header"][name], str) for name in ("msg_id", "msg_type"))
    assert not any(isinstance(value, dict | list) for value in message["header"].values())
    assert all(isinstance(buffer, memoryview) for buffer in message["buffers"])
    # It comes back to the pages, in part, and so has to be writable.
    assert wire.encode(None, "iopub", message, message["buffers"])


def fuzz_decoder(count: int, start: int | None = None) -> Figures:
    """So many frames for the decoder."""
    figures = Figures()

    @settings(_LIMITS, max_examples=count)
    @given(frames())
    def decode(frame: Frame) -> None:
        decode_one(frame, figures)

    (decode if start is None else seed(start)(decode))()
    return figures


class Target:
    """A kernel with widgets, a target of its own, and a witness that nobody else knows of."""

    def __init__(self) -> None:
        self.echo: Any = None
        self.context = StandInContext()
        self.host = self.context.living_host
        self.host.limits = PageLimits(comms=MAX_COMMS)
        self.context.run(self._page)
        self.page = Page(self.context)
        self.page.states()  # layouts and styles are made when somebody asks for them
        self.page.ask("comm_close", {"comm_id": next(i for i in self.host.comm_manager.comms if "control" in i)})
        self.before = dict(self.host.widgets)

    def _page(self) -> None:
        widgets.IntSlider(model_id="slider")
        widgets.Text(model_id="text")
        widgets.Button(model_id="button").on_click(lambda _: setattr(self.echo, "value", "clicked"))
        widgets.Dropdown(options=["a", "b"], model_id="choice")
        widgets.Image(value=b"abc", model_id="image")
        widgets.FileUpload(model_id="files")
        self.echo = widgets.Label()
        self.box = widgets.VBox([self.echo], model_id="box")
        self.witness = widgets.IntText(model_id="witness")
        self.witness.observe(lambda change: setattr(self.echo, "value", str(change["new"])), "value")
        comm.get_comm_manager().register_target("mine", lambda opened, _: opened.on_msg(lambda _: None))

    def dispatch(self, frame: Frame) -> str:
        """What becomes of a frame."""
        sink = self.page.sink
        forget(sink)
        self.page.send_frame(frame)
        if sink.closed is not None:
            assert sink.closed[0] == CloseCode.MALFORMED
            assert sink.closed[1] in {"malformed-frame", "nested-too-deeply", "too-many-buffers"}
            assert sink.frames == []
            return "malformed"
        messages = self.page.heard(statuses=True)
        states = [message["content"]["execution_state"] for message in messages if types_of([message]) == ["status"]]
        assert (states[0], states[-1]) == ("busy", "idle")
        failed = any(
            "error" in {message["header"]["msg_type"], message["content"].get("status")} for message in messages
        )
        return "refused" if failed else "answered"

    def check(self, value: int) -> None:
        """It is as it was, and works."""
        assert types_of(self.page.ask("kernel_info_request")) == ["kernel_info_reply"]
        said = self.page.say("witness", {"method": "update", "state": {"value": value}})
        assert self.witness.value == value
        assert self.echo.value == str(value)
        assert any(message["content"].get("comm_id") == self.echo.model_id for message in said)
        assert set(KERNELS_OWN) <= self.before.keys()
        assert all(self.host.widgets.get(model_id) is widget for model_id, widget in self.before.items())
        assert all(widget.comm is not None for widget in self.before.values())
        assert self.host.comm_manager.opened_by_pages <= MAX_COMMS
        more = self.host.comm_count - len(self.before)
        assert more <= MOST_COMMS, f"{more} comms more"


def forget(sink: RecordingSink) -> None:
    """Nothing has come of any frame yet."""
    sink.closed = None
    sink.frames.clear()


def fuzz_dispatcher(count: int, start: int | None = None) -> Figures:
    """So many frames for kernels, some to each, one after the other."""
    figures, log = Figures(), Log()

    @settings(_LIMITS, max_examples=-(-count // (AT_ONCE // 2)))
    @given(st.lists(frames(), min_size=AT_ONCE // 2, max_size=AT_ONCE))
    def dispatch(several: list[Frame]) -> None:
        dispatch_all(several, figures, log)

    with patched(), log.listening():
        (dispatch if start is None else seed(start)(dispatch))()
    return figures


def dispatch_all(several: Sequence[Frame], figures: Figures, log: Log) -> None:
    """Frames for one kernel, and what they leave behind."""
    log.records.clear()
    target = Target()
    try:
        for frame in several:
            figures.became[target.dispatch(frame)] += 1
        target.check(len(several) + 1)
    finally:
        target.context.close()
    assert target.host.comm_count == 0
    assert target.host.widgets == {}
    assert [record.getMessage() for record in log.records if not is_ours(record)] == []


def is_ours(record: logging.LogRecord) -> bool:
    """A line of the library's own, without a traceback, on one line, and printable."""
    text = record.getMessage()
    ours = record.name.startswith("solara_ctx.") and record.exc_info is None
    return ours and text.isascii() | ("…" in text) and text.isprintable() and len(text) < 250


def said_to(model_id: str, data: dict[str, Any]) -> str:
    return request("comm_msg", {"comm_id": model_id, "data": data})


def made(model_id: str, state: dict[str, Any]) -> str:
    content = {"comm_id": model_id, "target_name": "jupyter.widget", "data": {"state": class_of("IntSlider") | state}}
    return request("comm_open", content, metadata={"version": "2.1.0"})


def closed(model_id: str) -> str:
    return request("comm_close", {"comm_id": model_id})


FOUND = {
    "a method that ipywidgets logs": [said_to("slider", {"method": "request_states", "state": {}})],
    "a method that would be a line in the log": [said_to("text", {"method": "\nERROR: \x1b[31m"})],
    "dicts that become layouts": [said_to("slider", {"method": "update", "state": {"layout": {}}})] * 9,
    "a dict that becomes a layout of a new widget": [made("made-1", {"layout": {}}), closed("made-1")] * 5,
    "the same, of one that can't be made": [made("made-1", {"layout": {}, "value": "x"})] * 9,
    "a widget that is looked at and closed": [
        made("made-1", {}),
        said_to("made-1", {"method": "request_state"}),
        closed("made-1"),
    ]
    * 5,
}
"""What the search has come upon, and is mended."""


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_stays_mended(name: str) -> None:
    """As frames, for what `test_dispatch` says in words."""
    log = Log()
    with patched(), log.listening():
        dispatch_all(FOUND[name], Figures(), log)


def test_the_decoder_takes_what_it_may_and_refuses_the_rest() -> None:
    """Damaged frames of either framing: a checked message, or a reason."""
    figures = fuzz_decoder(SHORT)
    figures.show("the decoder")
    assert set(figures.became) == {"malformed", "decoded"}


def test_no_frame_breaks_a_kernel() -> None:
    """Damaged and misplaced messages, several to a kernel: it answers and works, and nothing is left of them."""
    figures = fuzz_dispatcher(SHORT)
    figures.show("the dispatcher")
    assert set(figures.became) == {"malformed", "refused", "answered"}


@pytest.mark.thorough
@pytest.mark.parametrize("number", range(ROUNDS))
@pytest.mark.parametrize("fuzz", [fuzz_decoder, fuzz_dispatcher])
def test_neither_breaks_in_a_hundred_thousand_frames(fuzz: Callable[[int, int], Figures], number: int) -> None:
    """The same at length."""
    # In CI the same ones each time, as everywhere.
    start = number if settings().derandomize else random.randrange(10**9)  # noqa: S311 - chance, not secrecy
    figures = fuzz(THOROUGH, start)
    figures.show(f"{fuzz.__name__}, from seed {start}")
    assert figures.total >= THOROUGH
