"""The life of a kernel context as a table."""

from itertools import product

import pytest

from solara_ctx.errors import KernelContextError
from solara_ctx.lifecycle import TRANSITIONS, CloseCode, CloseReason, Event, IllegalTransition, State, transition

# Written down once more, by hand: a table that is compared with itself proves nothing.
ARROWS = {
    (State.OPEN, Event.CONNECT): State.OPEN,
    (State.OPEN, Event.DISCONNECT): State.OPEN,
    (State.OPEN, Event.RESTART): State.RESTARTING,
    (State.OPEN, Event.CLOSE): State.CLOSING,
    (State.RESTARTING, Event.CONNECT): State.RESTARTING,
    (State.RESTARTING, Event.DISCONNECT): State.RESTARTING,
    (State.RESTARTING, Event.RESTARTED): State.OPEN,
    (State.RESTARTING, Event.CLOSE): State.CLOSING,
    (State.CLOSING, Event.DISCONNECT): State.CLOSING,
    (State.CLOSING, Event.RESTARTED): State.CLOSING,
    (State.CLOSING, Event.CLOSE): State.CLOSING,
    (State.CLOSING, Event.TORN_DOWN): State.CLOSED,
    (State.CLOSED, Event.DISCONNECT): State.CLOSED,
    (State.CLOSED, Event.CLOSE): State.CLOSED,
}


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
def test_every_pair_is_an_arrow_or_illegal(state: State, event: Event) -> None:
    """Each event in each state leads where the table says, or raises and names both."""
    if (state, event) in ARROWS:
        assert transition(state, event) is ARROWS[state, event]
        return
    with pytest.raises(IllegalTransition, match=rf"is {state.value} does not allow '{event.value}'") as raised:
        transition(state, event)
    assert isinstance(raised.value, KernelContextError)


def test_the_table_is_read_only() -> None:
    """Nobody adds an arrow at run time."""
    with pytest.raises(TypeError):
        TRANSITIONS[State.CLOSED] = TRANSITIONS[State.OPEN]  # type: ignore[index]
    with pytest.raises(TypeError):
        TRANSITIONS[State.CLOSED][Event.CONNECT] = State.OPEN  # type: ignore[index]


def test_closed_is_terminal() -> None:
    """No arrow leads out of CLOSED."""
    assert set(TRANSITIONS[State.CLOSED].values()) == {State.CLOSED}


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (CloseReason.SERVER_SHUTDOWN, 1001),
        (CloseReason.RESTART, 1012),
        (CloseReason.CULLED, 1000),
        (CloseReason.PAGE_CLOSED, 1000),
        ("logged-out", 1000),
    ],
)
def test_close_code_goes_with_the_reason(reason: str, code: int) -> None:
    """A page can tell from the code whether to come back, at once or later, or not."""
    assert CloseCode.for_reason(reason) == code
