"""A file that a function of the user's makes: one step after the other, on workers, no faster than it is taken."""

import asyncio
import contextlib
import contextvars
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar, cast

from solara_ctx.clock import call_on
from solara_ctx.files import Made, as_bytes
from solara_ctx.workers import WorkerPool

T = TypeVar("T")

# A step is over when it has made so much, or worked for so long: small pieces are sent together, slow ones at once.
_STEP_BYTES = 262_144
_STEP_S = 0.05
_END = object()


class Making:
    """One call of a function that makes a file.  The methods run on workers, one at a time, but for `on_worker`.

    Args:
        make: The function.
        workers: Run it.
    """

    def __init__(self, make: Callable[[], Made], workers: WorkerPool) -> None:
        self._make: Callable[[], Made] | None = make
        self._workers = workers
        self._pieces: Iterator[object] | None = None
        self._variables = contextvars.copy_context()

    async def on_worker(self, step: Callable[[], T]) -> T:
        """Run a step on a worker; where this is cancelled, once the step is done."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        # What holds the future must not be in a frame that an error of its goes through: nobody would free the two.
        waiting, variables = [future], self._variables

        def job() -> Callable[[], None]:
            try:
                result = variables.run(step)
            except BaseException as error:  # noqa: BLE001 - the user's; whoever waits gets it
                return _tell(loop, waiting.pop().set_exception, _sendable(error))
            return _tell(loop, waiting.pop().set_result, result)

        self._workers.submit(job)
        del job
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            # A generator can't be closed while it runs.
            await asyncio.wait([future])
            raise
        finally:
            del future

    def begin(self) -> bytes | Path | None:
        """Call the function.

        Returns:
            All of the file, or `None` where it comes piece by piece.

        Raises:
            TypeError: it has returned something that is no file.
        """
        make, self._make = self._make, None
        made: object = None if make is None else make()
        if isinstance(made, Path):
            return made
        data = as_bytes(made)
        if data is not None:
            return data
        try:
            self._pieces = iter(cast("Iterator[object]", made))
        except TypeError:
            raise TypeError(
                f"the function of a file returns bytes, text, a pathlib.Path, or an iterable of bytes or text, not a "
                f"{type(made).__name__}"
            ) from None
        return None

    def go_on(self) -> tuple[bytes, bool]:
        """The next bytes, and whether there may be more.

        Raises:
            TypeError: a piece is neither bytes nor text.
        """
        made: list[bytes] = []
        size, until = 0, time.monotonic() + _STEP_S
        while size < _STEP_BYTES and (not made or time.monotonic() < until):
            piece = _END if self._pieces is None else next(self._pieces, _END)
            if piece is _END:
                self._pieces = None
                return b"".join(made), False
            data = as_bytes(piece)
            if data is None:
                raise TypeError(f"the pieces of a file are bytes or text, not a {type(piece).__name__}")
            made.append(data)
            size += len(data)
        return b"".join(made), True

    def close(self) -> None:
        """End what has not ended, as a generator that is not wanted any more."""
        self._make = None
        pieces, self._pieces = self._pieces, None
        close = getattr(pieces, "close", None)
        if callable(close):
            close()


def _tell(loop: asyncio.AbstractEventLoop, settle: Callable[[T], None], value: T) -> Callable[[], None]:
    """What passes *value* on, once the worker is through with all else."""
    held = [(settle, value)]

    def tell() -> None:
        settle, value = held.pop()
        with contextlib.suppress(RuntimeError):  # the loop has ended
            call_on(loop, settle, value)

    return tell


def _sendable(error: BaseException) -> BaseException:
    # A future takes no StopIteration, which a function that calls next() may let out.
    return RuntimeError("the function of a file raised StopIteration") if isinstance(error, StopIteration) else error
