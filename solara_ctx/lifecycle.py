"""The life of a kernel context as a table: states, events, transitions, and why a kernel ends.

Two rules: what is not in `TRANSITIONS` is illegal and changes nothing, and only `transition` reads it.
"Reclaimed" is no state: an object cannot observe its own death.
"""

from enum import Enum, StrEnum
from types import MappingProxyType

from solara_ctx.errors import KernelContextError


class State(StrEnum):
    """Where a context is in its life."""

    OPEN = "open"
    """Takes pages, messages and tasks."""
    RESTARTING = "restarting"
    """The old kernel is being taken down; pages wait for the new one."""
    CLOSING = "closing"
    """The teardown runs; nothing new is taken."""
    CLOSED = "closed"
    """Everything is down, `closed_event` is set; terminal."""


class Event(StrEnum):
    """What may happen to a context."""

    CONNECT = "connect"
    """A page's connection begins."""
    DISCONNECT = "disconnect"
    """A page's connection has ended."""
    RESTART = "restart"
    """A fresh kernel was asked for."""
    RESTARTED = "restarted"
    """The fresh kernel is there."""
    CLOSE = "close"
    """The end was asked for; the first reason wins."""
    TORN_DOWN = "torn-down"
    """The last step of the teardown has run."""


class PageStatus(StrEnum):
    """What is known of one browser page of a kernel."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    """The connection is lost; the page may come back within the cull timeout."""
    CLOSED = "closed"
    """The page said that it is gone for good."""


class CloseReason(StrEnum):
    """Why a kernel ended, in the library's own words; a caller of `close()` may give another word."""

    CLOSED = "closed"
    """`close()` without a reason."""
    CULLED = "culled"
    """No page was connected for `SOLARA_KERNEL_CULL_TIMEOUT`."""
    EVICTED = "evicted"
    """No page was connected, and a limit was reached: it made room for another kernel."""
    PAGE_CLOSED = "page-closed"
    """The last page said that it is gone."""
    RESTART = "restart"
    """Only the kernel inside the context ended; a fresh one follows."""
    RESTART_FAILED = "restart-failed"
    """The old kernel is down, and the fresh one could not be made."""
    SERVER_SHUTDOWN = "server-shutdown"
    """The server stops, and closes every kernel first."""
    SIGNED_OUT = "signed-out"
    """`registry.invalidate(user)`: the user may not go on."""
    NO_SUCH_PAGE = "no-such-page"
    """`solara-ctx run --reload`: the app has no page at that address any more."""
    OPERATOR = "operator"
    """Whoever runs the server has closed it, with `solara-ctx top` for example."""
    SHUTDOWN_REQUESTED = "shutdown-requested"
    """A client sent a `shutdown_request` or `DELETE /api/kernels/{id}`."""


class CloseCode(int, Enum):
    """Close codes of a page's websocket (RFC 6455 section 7.4, and 4000-4999 for our own)."""

    DONE = 1000
    """The kernel has ended; the reason says why."""
    GOING_AWAY = 1001
    """The server stops."""
    MALFORMED = 1007
    """The page sent what is no message of the protocol."""
    POLICY = 1008
    """The page sent what it may not send."""
    TOO_BIG = 1009
    """The page sent a message above `SOLARA_WEBSOCKET_MAX_FRAME`."""
    RESTART = 1012
    """The kernel restarts; the page connects again at once."""
    TRY_AGAIN_LATER = 1013
    """The page was too slow to take its messages; it connects again and takes the newest state."""
    REPLACED = 4409
    """Ours, after HTTP's 409: the same page has connected anew; this connection is its past."""
    GONE = 4410
    """Ours, after HTTP's 410: the kernel has ended while the page was connecting."""

    @classmethod
    def for_reason(cls, reason: str) -> "CloseCode":
        """The code that goes with the end of a kernel for *reason*."""
        return {
            CloseReason.SERVER_SHUTDOWN.value: cls.GOING_AWAY,
            CloseReason.RESTART.value: cls.RESTART,
        }.get(reason, cls.DONE)


TRANSITIONS = MappingProxyType(
    {
        State.OPEN: MappingProxyType(
            {
                Event.CONNECT: State.OPEN,
                Event.DISCONNECT: State.OPEN,
                Event.RESTART: State.RESTARTING,
                Event.CLOSE: State.CLOSING,
            }
        ),
        State.RESTARTING: MappingProxyType(
            {
                Event.CONNECT: State.RESTARTING,
                Event.DISCONNECT: State.RESTARTING,
                Event.RESTARTED: State.OPEN,
                Event.CLOSE: State.CLOSING,
            }
        ),
        State.CLOSING: MappingProxyType(
            {
                # The websockets of a closing kernel end one by one, and a restart may still be on its way out.
                Event.DISCONNECT: State.CLOSING,
                Event.RESTARTED: State.CLOSING,
                Event.CLOSE: State.CLOSING,
                Event.TORN_DOWN: State.CLOSED,
            }
        ),
        State.CLOSED: MappingProxyType({Event.DISCONNECT: State.CLOSED, Event.CLOSE: State.CLOSED}),
    }
)


class IllegalTransition(KernelContextError):
    """An event that the state does not allow; nothing was changed."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"a kernel context that is {state.value} does not allow {event.value!r}")


def transition(state: State, event: Event) -> State:
    """The state that follows *event* in *state*.

    Raises:
        IllegalTransition: the table has no such arrow.
    """
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise IllegalTransition(state, event) from None
