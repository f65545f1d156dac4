"""How requests are turned away."""

import pytest

from solara_ctx.errors import (
    ContextClosed,
    InvalidKernelId,
    KernelContextError,
    KernelLimitReached,
    NoCurrentContext,
    SessionMismatch,
)
from solara_ctx.web.refusals import refusal_for

SECRET = "the-whole-kernel-id"


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (KernelLimitReached("SOLARA_KERNEL_MAX_COUNT", 3, retry_after_s=7), 503, "kernel-limit"),
        (ContextClosed(SECRET, doing="take a page", reason="culled"), 404, "culled"),
        (ContextClosed(SECRET, doing="take a page"), 404, "closed"),
        (SessionMismatch(SECRET), 403, "foreign-session"),
        (InvalidKernelId(SECRET, why="it is made up"), 403, "invalid-kernel-id"),
    ],
)
def test_each_error_has_its_status_and_its_word(error: KernelContextError, status: int, reason: str) -> None:
    """Machines get a status and a word, people a sentence, nobody an id."""
    refusal = refusal_for(error)
    assert (refusal.status, refusal.reason) == (status, reason)
    assert refusal.body() == {"message": str(error), "reason": reason}
    assert SECRET not in str(refusal.body())
    assert refusal.headers().get("Retry-After") == ("7" if status == 503 else None)


def test_an_error_of_ours_that_is_no_refusal_is_not_hidden() -> None:
    """A mistake in our own code surfaces."""
    with pytest.raises(NoCurrentContext):
        refusal_for(NoCurrentContext())
