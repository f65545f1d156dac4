"""Guards against what makes every kernel and every click dearer: counted, as no machine of CI is quiet enough to time.

Each bound is a fifth above what was counted when it was set, on the Python that needs most.  Where one is missed, look
for what is new per kernel or per message, with `python3 dev.py bench kernel` and `roundtrip` beside it; raise the bound
only for something that is worth its price.
"""

import json
from collections.abc import Iterator
from typing import Any

import ipywidgets as widgets
import pytest

from solara_ctx.jupyter import wire
from tests.support.costs import calls, kept_bytes
from tests.support.kernels import RecordingSink, StandInContext, patched

KERNEL_CALLS = 265
KERNEL_BYTES = 12_500
MOVE_CALLS = 550
WIDGET_CALLS = 2_450


@pytest.fixture(autouse=True)
def patches() -> Iterator[None]:
    """As in a service that runs."""
    with patched():
        yield


def made_and_closed() -> None:
    """A kernel without widgets."""
    StandInContext().close()


def test_a_kernel_without_widgets() -> None:
    """What it takes to make one and close it, and what it keeps meanwhile."""
    for _ in range(3):
        made_and_closed()
    assert calls(made_and_closed) <= KERNEL_CALLS
    assert kept_bytes(StandInContext) <= KERNEL_BYTES


class Moves:
    """A page with a slider and a label that answers, and what its browser sends."""

    def __init__(self, *sinks: RecordingSink) -> None:
        self.context = StandInContext()
        for number, sink in enumerate(sinks):
            self.context.living_host.connect(f"page-{number}", sink)
        self.slider = self.context.run(self._build)
        self._value = 0

    def _build(self) -> widgets.IntSlider:
        slider, label = widgets.IntSlider(), widgets.Label()

        def show(change: dict[str, Any]) -> None:
            label.value = str(change["new"])

        slider.observe(show, "value")
        return slider

    def __call__(self) -> None:
        """One move."""
        self._value = (self._value + 1) % 100
        data = {"method": "update", "state": {"value": self._value}, "buffer_paths": []}
        frame = {
            "channel": "shell",
            "header": {"msg_id": "1", "msg_type": "comm_msg", "session": "page"},
            "parent_header": {},
            "metadata": {},
            "content": {"comm_id": self.slider.model_id, "data": data},
            "buffers": [],
        }
        self.context.run(self.context.living_host.receive, "page-0", json.dumps(frame))


def test_a_move_of_a_slider() -> None:
    """From the frame that comes to the four frames that go."""
    sink = RecordingSink()
    move = Moves(sink)
    for _ in range(3):
        move()
    sink.frames.clear()
    assert calls(move) <= MOVE_CALLS
    assert len(sink.frames) == 4 * 10
    assert sink.flushed == 13


def test_a_frame_is_written_once_for_all_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second page that speaks the same costs no second encoding."""
    encoded: list[object] = []
    encode = wire.encode

    def counted(*arguments: Any) -> str | bytes:
        encoded.append(arguments)
        return encode(*arguments)

    move = Moves(RecordingSink(), RecordingSink())
    move()
    monkeypatch.setattr(wire, "encode", counted)
    move()
    assert len(encoded) == 4


def test_a_widget() -> None:
    """What a widget of ipywidgets costs in a kernel; most of it is its own."""
    context = StandInContext()
    for _ in range(3):
        context.run(widgets.Label)
    assert calls(lambda: context.run(widgets.Label)) <= WIDGET_CALLS
    context.close()
