"""Variables with one value per kernel."""

import threading
from typing import Generic, TypeVar, cast, overload

from solara_ctx.current import get_current_context

T = TypeVar("T")
_MISSING = object()


class KernelVar(Generic[T]):
    """A variable with one value per kernel, after `contextvars.ContextVar`.

    Declare it once, at module level.  Every page sees its own value, in page functions, callbacks, tasks and
    threads alike; the value goes with the kernel, and with a restart.

    Args:
        name: For humans.
        default: What `get` returns where nothing was set.  One object for all kernels: for a list or a dict set a
            fresh one in `kernels.on_kernel_start`.
    """

    @overload
    def __init__(self, name: str) -> None: ...

    @overload
    def __init__(self, name: str, default: T) -> None: ...

    def __init__(self, name: str, default: object = _MISSING) -> None:
        self.name = name
        self._default = default

    def __repr__(self) -> str:
        return f"<KernelVar {self.name!r}>"

    def get(self) -> T:
        """The value of the current kernel, else the default.  Any thread.

        Raises:
            NoCurrentContext, ContextClosed: there is no current kernel, or it has ended.
            LookupError: nothing was set, and there is no default.
        """
        value = get_current_context().kernel_values.get(self, self._default)
        if value is _MISSING:
            raise LookupError(f"{self!r} has no value in this kernel and no default; set() it first")
        return cast("T", value)

    def set(self, value: T) -> None:
        """Set the value of the current kernel.  Any thread.

        Raises:
            NoCurrentContext, ContextClosed: there is no current kernel, or it has ended.
        """
        get_current_context().kernel_values.set(self, value)

    def reset(self) -> None:
        """Go back to the default in the current kernel; harmless when nothing was set.  Any thread.

        Raises:
            NoCurrentContext, ContextClosed: there is no current kernel, or it has ended.
        """
        get_current_context().kernel_values.reset(self)


class KernelValues:
    """The values of one kernel.  Safe from any thread."""

    def __init__(self) -> None:
        # Held for O(1) work only.  What is replaced is dropped after it was released, and the lock is re-entrant: a
        # `__del__` of the user's may come here again, from a garbage collection even while the lock is held.
        self._lock = threading.RLock()
        self._values: dict[object, object] = {}

    def __len__(self) -> int:
        return len(self._values)

    def get(self, variable: object, default: object) -> object:
        """The value, or *default*."""
        with self._lock:
            return self._values.get(variable, default)

    def set(self, variable: object, value: object) -> None:
        """Replace the value."""
        with self._lock:
            old = self._values.get(variable)
            self._values[variable] = value
        del old

    def reset(self, variable: object) -> None:
        """Forget the value."""
        with self._lock:
            old = self._values.pop(variable, None)
        del old

    def clear(self) -> None:
        """Forget all values."""
        with self._lock:
            old, self._values = self._values, {}
        del old
