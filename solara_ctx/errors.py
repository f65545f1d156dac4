"""The exceptions that code around this library deals with, and the base of all that it raises on purpose.

KernelContextError
├── NoCurrentContext     no kernel is current in this task or thread
├── ContextClosed        the kernel has ended, or is about to
├── SessionMismatch      the kernel belongs to another browser session
├── UserMismatch         the kernel belongs to another user
├── NamelessUser         nothing tells an authenticated user from others
├── KernelLimitReached   there is no room for one more kernel
├── InvalidKernelId      this server never issued that id, or it has expired
├── WrongThread          called from a thread that does not own the object
├── settings.InvalidSettings       a setting can't be used; beside what reads it
├── lifecycle.IllegalTransition    a state does not allow an event; beside the table
└── web.assets.FrontendMissing     installed without the browser's part; beside what loads it

Messages name kernels by a redacted id: what the log or a response shows must not be enough to address a kernel.
"""

_SHOWN_CHARACTERS = 6


def redact(identifier: str) -> str:
    """Shorten an id to what may be shown: enough to tell two apart in a log, too little to address anything."""
    if len(identifier) <= _SHOWN_CHARACTERS:
        return "…"
    # Ids of ours are letters and digits. A request may name a kernel by anything, a line of its own for the log too.
    shown = identifier[:_SHOWN_CHARACTERS]
    return f"{shown if shown.isascii() and shown.isprintable() else '?' * _SHOWN_CHARACTERS}…"


class KernelContextError(Exception):
    """The base of every deliberate error of this library."""


class NoCurrentContext(KernelContextError):
    """No kernel is current here."""

    def __init__(self) -> None:
        super().__init__(
            "no kernel context is current in this task or thread; run the code in a page function, a widget callback "
            "or a thread that one of them started, or enter a context with `with context:`"
        )


class ContextClosed(KernelContextError):
    """The kernel has ended: it takes no more pages, messages or tasks.

    Attributes:
        reason: Why it ended, where that is known.
    """

    def __init__(self, kernel_id: str, *, doing: str, reason: str | None = None) -> None:
        why = "" if reason is None else f" ({reason})"
        super().__init__(
            f"kernel {redact(kernel_id)} is closed{why} and can't {doing}; stop using it, "
            "its page has to be loaded again"
        )
        self.reason = reason


class SessionMismatch(KernelContextError):
    """The kernel belongs to another browser session."""

    def __init__(self, kernel_id: str) -> None:
        super().__init__(
            f"kernel {redact(kernel_id)} belongs to another session; load the page again to get a kernel of your own"
        )


class UserMismatch(KernelContextError):
    """The kernel belongs to another user of the same browser session, or to one who has signed in or out since."""

    def __init__(self, kernel_id: str) -> None:
        super().__init__(
            f"kernel {redact(kernel_id)} belongs to another user; load the page again to get a kernel of your own"
        )


class NamelessUser(KernelContextError):
    """The host app has authenticated a user whom nothing tells from others."""

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"an authenticated user of class {kind} has neither an `identity` nor a `display_name`; give the class one "
            "of them, or kernels of one user would be another's"
        )


class KernelLimitReached(KernelContextError):
    """There is no room for one more kernel.

    Attributes:
        retry_after_s: After how many seconds it makes sense to ask again.
    """

    def __init__(self, setting: str, limit: int, *, what: str = "kernels", retry_after_s: int) -> None:
        super().__init__(
            f"the limit of {limit} {what} ({setting}) is reached; try again in {retry_after_s} seconds, "
            f"close pages that are not needed, or raise {setting}"
        )
        self.retry_after_s = retry_after_s


class InvalidKernelId(KernelContextError):
    """This server never issued that id to that session, or it was not used in time."""

    def __init__(self, kernel_id: str, *, why: str) -> None:
        super().__init__(f"kernel id {redact(kernel_id)} is not valid: {why}; load the page again to get a new one")


class WrongThread(KernelContextError):
    """Called from a thread that does not own the object."""

    def __init__(self, what: str, *, instead: str) -> None:
        super().__init__(f"{what} belongs to the thread of its event loop; {instead}")
