"""Who may come in: which kernels there are, of all and of each session, against the limits.  Loop only."""

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass

from solara_ctx.errors import KernelLimitReached
from solara_ctx.memory import resident_bytes
from solara_ctx.settings import Settings

# After Jupyter's default of how often a client asks again.
_RETRY_AFTER_S = 10
# So many may be on their way out at a time, where SOLARA_KERNEL_MAX_COUNT says nothing.
_MOST_LEAVING = 100


@dataclass(frozen=True, slots=True)
class Shortage:
    """What there is no room in for one more kernel."""

    setting: str
    """The setting that says how much there may be."""
    limit: int
    what: str
    """Of what."""
    candidates: Collection[str] | None
    """The kernels of which one would have to make room, by id; `None` for all that there are."""


class Admission:
    """Knows the kernels that are in, and what is short.

    Args:
        settings: The limits.
        resident: How much memory the process takes, in bytes.
    """

    def __init__(self, settings: Settings, resident: Callable[[], int] = resident_bytes) -> None:
        self.refused_total = 0
        """How many were turned away."""
        self._settings = settings
        self._resident = resident
        self._all: set[str] = set()
        # Chosen to make room, and not down yet: their hooks may take a moment.
        self._leaving: set[str] = set()
        # How many there were when the memory was found to be at its limit; it hardly falls when they go.
        self._fitted: int | None = None
        self._of_session: defaultdict[str, dict[str, None]] = defaultdict(dict)

    def shortage(self, session_id: str | None = None) -> Shortage | None:
        """What is short for one more kernel: of that session, or of a session that has none.

        One of the candidates has to go then, and no more: who makes room for the session does so for all.
        """
        settings = self._settings
        # Who makes room is still there for a moment. Where that is true of very many, somebody comes and goes too fast.
        nobody = len(self._leaving) >= (settings.kernel_max_count or _MOST_LEAVING)
        every: Collection[str] | None = () if nobody else None
        of_session: Collection[str] = self._of_session.get(session_id or "", {})
        limit = settings.kernel_max_per_session
        if limit is not None and len(of_session) >= limit:
            return Shortage("SOLARA_KERNEL_MAX_PER_SESSION", limit, "kernels", () if nobody else of_session)
        limit = settings.kernel_max_count
        if limit is not None and len(self._all) >= limit:
            return Shortage("SOLARA_KERNEL_MAX_COUNT", limit, "kernels", every)
        limit = settings.memory_limit
        if limit is not None and self._is_full(limit):
            return Shortage("SOLARA_MEMORY_LIMIT", limit, "bytes of memory", every)
        return None

    def _is_full(self, limit: int) -> bool:
        if self._resident() < limit:
            self._fitted = None
            return False
        if self._fitted is None:
            self._fitted = max(1, len(self._all))
        # What those that have gone since had, the process still has, and uses again.
        return len(self._all) >= self._fitted

    def let_in(self, session_id: str, kernel_id: str) -> None:
        """One more kernel of that session."""
        self._all.add(kernel_id)
        self._of_session[session_id][kernel_id] = None

    def leaves(self, session_id: str, kernel_id: str) -> None:
        """That kernel makes room: it counts no more, although it is still there."""
        self.left(session_id, kernel_id)
        self._leaving.add(kernel_id)

    def left(self, session_id: str, kernel_id: str) -> None:
        """That kernel is down; harmless when it did not count any more."""
        self._all.discard(kernel_id)
        self._leaving.discard(kernel_id)
        of_session = self._of_session.get(session_id)
        if of_session is not None:
            of_session.pop(kernel_id, None)
            if not of_session:
                del self._of_session[session_id]

    def refuse(self, shortage: Shortage) -> KernelLimitReached:
        """Count a refusal; the error to raise."""
        self.refused_total += 1
        return KernelLimitReached(shortage.setting, shortage.limit, what=shortage.what, retry_after_s=_RETRY_AFTER_S)

    def of_session(self, session_id: str) -> Collection[str]:
        """The kernels of that session, by id, in the order in which they came."""
        return list(self._of_session.get(session_id, ()))

    def __len__(self) -> int:
        """How many kernels count."""
        return len(self._all)
