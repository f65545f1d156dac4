"""Hearing of a stop before the server does."""

import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from solara_ctx.web.stop_signals import Resume, StopSignals


@pytest.fixture
def server_handler() -> "Iterator[list[str]]":
    """What a server's own handler has heard; the handler is put back afterwards."""
    heard: list[str] = []

    def handle(number: int, frame: FrameType | None) -> None:
        heard.append("server")

    before = signal.signal(signal.SIGTERM, handle)
    yield heard
    signal.signal(signal.SIGTERM, before)


def test_we_hear_first_and_then_the_server(server_handler: "list[str]") -> None:
    """The pages are told, and the server still stops."""
    resumes: list[Resume] = []

    def notify(resume: Resume) -> None:
        server_handler.append("ours")
        resumes.append(resume)

    signals = StopSignals(notify)
    signals.install()
    signal.raise_signal(signal.SIGTERM)
    assert server_handler == ["ours"]
    resumes[0]()
    signals.remove()
    assert server_handler == ["ours", "server"]


def test_a_second_signal_goes_straight_to_the_server(server_handler: "list[str]") -> None:
    """Whoever asks twice does not want to wait for us."""
    signals = StopSignals(lambda _resume: server_handler.append("ours"))
    signals.install()
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    signals.remove()
    assert server_handler == ["ours", "server"]


def test_after_the_removal_the_server_hears_alone(server_handler: "list[str]") -> None:
    """Nothing of ours stays behind."""
    signals = StopSignals(lambda _resume: server_handler.append("ours"))
    before = signal.getsignal(signal.SIGTERM)
    signals.install()
    signals.remove()
    assert signal.getsignal(signal.SIGTERM) is before
    signal.raise_signal(signal.SIGTERM)
    assert server_handler == ["server"]


def test_somebody_elses_handler_is_left_alone(server_handler: "list[str]") -> None:
    """Whoever put a handler in front of ours keeps it."""
    signals = StopSignals(lambda _resume: server_handler.append("ours"))
    signals.install()

    def theirs(number: int, frame: FrameType | None) -> None: ...

    signal.signal(signal.SIGTERM, theirs)
    signals.remove()
    assert signal.getsignal(signal.SIGTERM) is theirs


def test_two_services_may_end_in_any_order(server_handler: "list[str]") -> None:
    """The one that began first may end first; the server still hears."""
    first = StopSignals(lambda _resume: server_handler.append("first"))
    second = StopSignals(lambda _resume: server_handler.append("second"))
    first.install()
    second.install()
    first.remove()
    second.remove()
    signal.raise_signal(signal.SIGTERM)
    assert server_handler == ["server"]


def test_outside_the_main_thread_nothing_happens(server_handler: "list[str]") -> None:
    """Python allows no handlers there; that is no error."""
    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=StopSignals(lambda _resume: None).install)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_default_action_is_not_replaced(server_handler: "list[str]") -> None:
    """A process that SIGTERM would simply end is not made immune to it."""
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        signals = StopSignals(lambda _resume: None)
        signals.install()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)
