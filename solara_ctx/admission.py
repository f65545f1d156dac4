"""Who may come in: how many kernels there are, of all and of each session, against the limits.  Loop only."""

from collections import Counter

from solara_ctx.errors import KernelLimitReached
from solara_ctx.settings import Settings

# After Jupyter's default of how often a client asks again.
_RETRY_AFTER_S = 10


class Admission:
    """Counts kernels that are let in and have left."""

    def __init__(self, settings: Settings) -> None:
        self.refused_total = 0
        """How many were turned away."""
        self._limit = settings.kernel_max_count
        self._limit_per_session = settings.kernel_max_per_session
        self._total = 0
        self._per_session: Counter[str] = Counter()

    def check(self, session_id: str) -> None:
        """Check that there is room for one more kernel of that session.

        Raises:
            KernelLimitReached: there is none.
        """
        for limit, count, setting in (
            (self._limit, self._total, "SOLARA_KERNEL_MAX_COUNT"),
            (self._limit_per_session, self._per_session[session_id], "SOLARA_KERNEL_MAX_PER_SESSION"),
        ):
            if limit is not None and count >= limit:
                self.refused_total += 1
                raise KernelLimitReached(setting, limit, retry_after_s=_RETRY_AFTER_S)

    def let_in(self, session_id: str) -> None:
        """One more kernel of that session."""
        self._total += 1
        self._per_session[session_id] += 1

    def left(self, session_id: str) -> None:
        """One kernel less."""
        self._total -= 1
        self._per_session[session_id] -= 1
        if self._per_session[session_id] <= 0:
            del self._per_session[session_id]

    def of_session(self, session_id: str) -> int:
        """How many kernels of that session there are."""
        return self._per_session[session_id]

    def __len__(self) -> int:
        """How many sessions have a kernel."""
        return len(self._per_session)
