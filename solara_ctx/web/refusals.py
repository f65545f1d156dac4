"""How a request is turned away: a status that machines understand, a word that the page understands, a sentence."""

from dataclasses import dataclass

from solara_ctx.errors import (
    ContextClosed,
    InvalidKernelId,
    KernelContextError,
    KernelLimitReached,
    NamelessUser,
    SessionMismatch,
    UserMismatch,
)
from solara_ctx.lifecycle import CloseCode


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that is turned away."""

    status: int
    """The HTTP status."""
    reason: str
    """One machine-readable word."""
    message: str
    """What happened and what to do next."""
    retry_after_s: int | None = None
    """After how many seconds it makes sense to ask again."""
    close_code: CloseCode | None = None
    """For a websocket of a page of ours: complete the handshake, and close with this code."""

    def body(self) -> dict[str, str]:
        """The JSON body; `message` and `reason` are the keys of Jupyter's own error bodies."""
        return {"message": self.message, "reason": self.reason}

    def headers(self) -> dict[str, str]:
        """The headers that go with it."""
        headers = {"Cache-Control": "no-store"}
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(self.retry_after_s)
        return headers


STOPPING = Refusal(503, "server-shutdown", "the server is stopping", 1, CloseCode.GOING_AWAY)
"""The server lets nobody in any more."""


FOREIGN_ORIGIN = Refusal(403, "foreign-origin", "a page of this origin may not ask for that (SOLARA_ALLOWED_ORIGINS)")
"""Another site's page asks."""
NO_SESSION = Refusal(403, "no-session", "there is no session cookie of this server; load the page first")
"""The request carries no session that we have signed."""


TOO_MANY_PAGES = Refusal(
    429, "too-many-pages", "too many pages were asked for from this address (SOLARA_KERNEL_MAX_ISSUE_RATE)", 5
)
"""One address asks for more kernel ids than it may."""


class RequestRefused(Exception):
    """A request is turned away; caught where it is answered."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def refusal_for(error: KernelContextError) -> Refusal:
    """How to turn away a request that failed with one of our errors."""
    match error:
        case KernelLimitReached():
            return Refusal(503, "kernel-limit", str(error), error.retry_after_s, CloseCode.TRY_AGAIN_LATER)
        case ContextClosed():
            return Refusal(404, error.reason or "closed", str(error), close_code=CloseCode.GONE)
        case SessionMismatch():
            return Refusal(403, "foreign-session", str(error))
        case UserMismatch():
            return Refusal(403, "foreign-user", str(error))
        case NamelessUser():
            return Refusal(403, "nameless-user", str(error))
        case InvalidKernelId():
            return Refusal(403, "invalid-kernel-id", str(error))
        case _:
            raise error
