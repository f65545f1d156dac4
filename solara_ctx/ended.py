"""Why kernels have ended, for pages that come back to one."""

from collections import OrderedDict

# For how many ended kernels the reason is remembered, at the least.
_REMEMBERED = 10_000


class EndedKernels:
    """The reasons of the latest ends by kernel id.  Loop only.

    Args:
        at_least_s: For how many seconds an end is never forgotten: so long its id could start a kernel anew, and a
            closed kernel does not come back.
    """

    def __init__(self, *, at_least_s: float) -> None:
        self._at_least_s = at_least_s
        self._ends: OrderedDict[str, tuple[float, str]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._ends)

    def remember(self, kernel_id: str, reason: str, now: float) -> None:
        """A kernel has ended; forgets the oldest ends where there are too many."""
        self._ends[kernel_id] = (now, reason)
        while len(self._ends) > _REMEMBERED:
            ended_at = next(iter(self._ends.values()))[0]
            if now - ended_at <= self._at_least_s:
                break
            self._ends.popitem(last=False)

    def reason(self, kernel_id: str) -> str | None:
        """Why that kernel has ended; `None` if it has not, or that is forgotten."""
        end = self._ends.get(kernel_id)
        return None if end is None else end[1]
