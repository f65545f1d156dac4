"""What the errors say, and what they must not."""

import pytest

from solara_ctx.errors import (
    ContextClosed,
    InvalidKernelId,
    KernelContextError,
    KernelLimitReached,
    NoCurrentContext,
    SessionMismatch,
    WrongThread,
    redact,
)

KERNEL_ID = "3f1c9a77-secret-part-of-the-id"


@pytest.mark.parametrize(("identifier", "shown"), [("abcdefg", "abcdef…"), ("abcdef", "…"), ("abc", "…"), ("", "…")])
def test_redacted_ids_never_show_everything(identifier: str, shown: str) -> None:
    """At most six characters are shown, and of a short id none."""
    assert redact(identifier) == shown


@pytest.mark.parametrize(
    "identifier", ["\n\x1b[31mE and more", "\r\nERROR: x", "\ud83d\ud83d\x00\u2028 more", "ééééééé"]
)
def test_redacted_ids_are_printable(identifier: str) -> None:
    """A request names a kernel as it likes: what it says must not be a line of its own in a log."""
    shown = redact(identifier)
    assert shown.removesuffix("…").isascii()
    assert shown.isprintable()


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (NoCurrentContext(), "with context:"),
        (ContextClosed(KERNEL_ID, doing="take a page"), "kernel 3f1c9a… is closed and can't take a page"),
        (ContextClosed(KERNEL_ID, doing="take a page", reason="culled"), "is closed (culled)"),
        (SessionMismatch(KERNEL_ID), "kernel 3f1c9a… belongs to another session"),
        (KernelLimitReached("SOLARA_KERNEL_MAX_COUNT", 5, retry_after_s=10), "limit of 5 kernels (SOLARA_KERNEL_MAX"),
        (InvalidKernelId(KERNEL_ID, why="it is forged"), "kernel id 3f1c9a… is not valid: it is forged"),
        (WrongThread("the page table", instead="call it on the loop"), "call it on the loop"),
    ],
)
def test_messages_say_what_happened_without_the_secret(error: KernelContextError, says: str) -> None:
    """Each error is a KernelContextError, names the facts, and gives away no id."""
    assert isinstance(error, KernelContextError)
    assert says in str(error)
    assert "secret" not in str(error)


def test_errors_carry_facts() -> None:
    """What a handler needs is an attribute, not a piece of the message."""
    assert ContextClosed("k", doing="x", reason="culled").reason == "culled"
    assert ContextClosed("k", doing="x").reason is None
    assert KernelLimitReached("SOLARA_KERNEL_MAX_COUNT", 5, retry_after_s=10).retry_after_s == 10
