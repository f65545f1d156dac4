"""Whose fault an error is, and who is told what."""

import logging
from typing import Any

import pytest
from traitlets import HasTraits, Int, TraitError, observe, validate

from solara_ctx.jupyter import report
from solara_ctx.jupyter.report import Reporter, current_page
from solara_ctx.jupyter.session import IOPUB, ToPage
from tests.support.kernels import fail


class Sent:
    """What was published."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    def __call__(self, *message: Any) -> None:
        """Keep it."""
        self.messages.append(message)


@pytest.fixture
def sent() -> Sent:
    """What the reporter publishes."""
    return Sent()


@pytest.fixture
def reporter(sent: Sent) -> Reporter:
    """A reporter in production mode."""
    return Reporter("kernel-with-a-long-id", debug=False, publish=sent)


def raised(function: Any) -> BaseException:
    try:
        function()
    except BaseException as error:  # noqa: BLE001 - whatever it is
        return error
    raise AssertionError


class Unspeakable(Exception):
    """Has no message."""

    def __str__(self) -> str:
        raise LookupError


def test_details_are_for_debug_mode(sent: Sent) -> None:
    """Kind, message and traceback; without debug only the kind."""
    error = raised(fail)
    for debug in (False, True):
        Reporter("kernel", debug=debug, publish=sent).user_error(error, "a test")
    (_, _, plain), (_, _, detailed) = sent.messages
    assert plain == {"ename": "LookupError", "evalue": "", "traceback": []}
    assert detailed["evalue"] == "list index out of range"
    assert detailed["traceback"][-1] == "LookupError: list index out of range"


def test_an_error_without_a_message(reporter: Reporter) -> None:
    """One whose `__str__` fails is reported all the same."""
    assert "no message" in report.describe(Unspeakable())
    reporter.user_error(Unspeakable(), "a test")


def test_ids_and_texts_are_shortened(reporter: Reporter, caplog: pytest.LogCaptureFixture) -> None:
    """The log names a kernel by a redacted id, and shows little of what a page has sent, on one line."""
    reporter.page_fault("page", f"nonsense like {report.shown(chr(10) * 1000)}")
    (record,) = caplog.records
    assert "kernel…" in record.getMessage()
    assert "with-a-long-id" not in record.getMessage()
    assert len(record.getMessage()) < 200
    assert "\n" not in record.getMessage()


def test_nothing_to_show(reporter: Reporter, sent: Sent) -> None:
    """Asked to show the error that is being handled when there is none, it does nothing."""
    reporter.showtraceback()
    assert sent.messages == []


def test_a_severed_reporter_still_logs(reporter: Reporter, sent: Sent, caplog: pytest.LogCaptureFixture) -> None:
    """A thread that fails after the end of its kernel is in the log."""
    reporter.sever()
    reporter.user_error(raised(fail), "a test")
    assert (len(caplog.records), sent.messages) == (1, [])


def test_a_failure_to_publish_is_not_one_more_error(caplog: pytest.LogCaptureFixture) -> None:
    """What the observer of an Output does to an error message ends there."""
    Reporter("kernel", debug=False, publish=fail).user_error(raised(fail), "a test")
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


class Model(HasTraits):
    """With a validator and an observer of the user's."""

    value = Int()
    other = Int()
    last = Int()

    @validate("value")
    def _check(self, proposal: Any) -> Any:
        if proposal.value > 10:
            raise TraitError("too much")
        if proposal.value < 0:
            raise LookupError("broken")
        return proposal.value

    @observe("other")
    def _react(self, _: object) -> None:
        raise TraitError("a mistake in the observer")

    @observe("last")
    def _advance(self, _: object) -> object:
        return next(iter(()))


@pytest.mark.parametrize(
    ("name", "value", "page_is_at_fault"),
    [
        ("value", "text", True),  # traitlets refuses it
        ("value", 11, True),  # the user's validator refuses it
        ("value", -1, False),  # the user's validator is broken
        ("other", 1, False),  # the user's observer is broken
    ],
)
def test_whose_fault_a_value_is(
    reporter: Reporter, sent: Sent, caplog: pytest.LogCaptureFixture, name: str, value: object, page_is_at_fault: bool
) -> None:
    """A value that is refused is the page's fault, and what handlers do with one that was taken is the user's."""
    error = raised(lambda: setattr(Model(), name, value))
    token = current_page.set("page-1")
    try:
        # As from `set_state`: no frame of this test in it.
        trace = error.__traceback__
        reporter.failed(error.with_traceback(trace and trace.tb_next and trace.tb_next.tb_next), "a test")
    finally:
        current_page.reset(token)
    ((stream, msg_type, _content),) = sent.messages
    assert (stream, msg_type) == (ToPage("page-1", "iopub") if page_is_at_fault else IOPUB, "error")
    (record,) = caplog.records
    assert (record.exc_info is None) is page_is_at_fault


def test_an_observer_at_the_end_of_its_iterator_is_the_users_fault(
    reporter: Reporter, sent: Sent, caplog: pytest.LogCaptureFixture
) -> None:
    """Its StopIteration comes out of traitlets' generator as a RuntimeError, which has nothing of it but the cause."""

    def set_state() -> None:
        model = Model()
        with model.hold_trait_notifications():
            model.last = 1

    error = raised(set_state)
    token = current_page.set("page-1")
    try:
        trace = error.__traceback__
        reporter.failed(error.with_traceback(trace and trace.tb_next and trace.tb_next.tb_next), "a test")
    finally:
        current_page.reset(token)
    assert sent.messages[0][0] is IOPUB
    assert "in _advance" in caplog.text


def test_without_a_page_it_is_nobodys_but_the_users(reporter: Reporter, sent: Sent) -> None:
    """What fails in a thread was not caused by what a page sent."""
    reporter.failed(raised(lambda: setattr(Model(), "value", "text")), "a test")
    assert sent.messages[0][0] is IOPUB
