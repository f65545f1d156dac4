"""All that user code may raise."""

import asyncio
import sys
from collections.abc import Callable

SECRET = "the password is swordfish"


class Unprintable(Exception):
    """Whoever wants to show it gets the next error."""

    def __str__(self) -> str:
        raise RuntimeError(SECRET)

    __repr__ = __str__


class Exiting(Exception):
    """Whoever wants to show it is asked to end."""

    def __str__(self) -> str:  # noqa: PLE0307 - it does not return at all
        sys.exit(SECRET)

    __repr__ = __str__


def exception() -> None:
    raise Exception(SECRET)  # noqa: TRY002 - the plainest of them


def base_exception() -> None:
    raise BaseException(SECRET)  # noqa: TRY002 - what no `except Exception` sees


def keyboard_interrupt() -> None:
    raise KeyboardInterrupt(SECRET)


def system_exit() -> None:
    sys.exit(SECRET)


def generator_exit() -> None:
    raise GeneratorExit(SECRET)


def stop_iteration() -> None:
    raise StopIteration(SECRET)


def cancelled() -> None:
    raise asyncio.CancelledError(SECRET)


def group() -> None:
    raise ExceptionGroup(SECRET, [ValueError(SECRET), ExceptionGroup(SECRET, [KeyError(SECRET)])])


def base_group() -> None:
    raise BaseExceptionGroup(SECRET, [KeyboardInterrupt(SECRET), ValueError(SECRET)])


def recursion() -> None:
    recursion()


def unprintable() -> None:
    raise Unprintable


def exiting() -> None:
    raise Exiting


RAISES: dict[str, Callable[[], None]] = {
    "Exception": exception,
    "BaseException": base_exception,
    "KeyboardInterrupt": keyboard_interrupt,
    "SystemExit": system_exit,
    "GeneratorExit": generator_exit,
    "StopIteration": stop_iteration,
    "CancelledError": cancelled,
    "ExceptionGroup": group,
    "BaseExceptionGroup": base_group,
    "RecursionError": recursion,
    "Unprintable": unprintable,
    "Exiting": exiting,
}
"""By the name of the class."""
