"""Waiting for what happens elsewhere: a condition and a deadline, never a fixed sleep."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")
POLL_S = 0.02


@overload
async def wait_until(condition: Callable[[], Awaitable[T]], deadline_s: float = ..., what: str = ...) -> T: ...
@overload
async def wait_until(condition: Callable[[], T], deadline_s: float = ..., what: str = ...) -> T: ...
async def wait_until(
    condition: Callable[[], Awaitable[T]] | Callable[[], T], deadline_s: float = 10.0, what: str = ""
) -> T:
    """Wait until *condition* is true; a plain function or a coroutine function, called on this event loop.

    Args:
        condition: Asked every 20 ms. What it raises ends the wait.
        deadline_s: Generous: it bounds a failing test and never slows a passing one.
        what: What is waited for, as the failure shall name it.

    Returns:
        The true value.

    Raises:
        AssertionError: It did not come true in time.
    """
    deadline = time.monotonic() + deadline_s
    while True:
        answer = condition()
        value: T = await answer if inspect.isawaitable(answer) else answer
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {deadline_s:g} s: {what or inspect.getsource(condition).strip()}")
        await asyncio.sleep(POLL_S)
