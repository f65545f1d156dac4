"""Room for one more kernel, made by those that have waited longest for their page.  Loop only."""

import logging
from collections.abc import Collection, Iterable, Mapping

from solara_ctx.admission import Admission
from solara_ctx.context import VirtualKernelContext
from solara_ctx.cull_timer import CullTimer
from solara_ctx.errors import redact
from solara_ctx.lifecycle import CloseReason, State

log = logging.getLogger(__name__)


class Room:
    """Who has to go where there are too many.

    Args:
        admission: Knows what is short.
        contexts: The kernels, by id.
        culls: Knows which of them wait for a page, and since when.
    """

    def __init__(self, admission: Admission, contexts: Mapping[str, VirtualKernelContext], culls: CullTimer) -> None:
        self._admission = admission
        self._contexts = contexts
        self._culls = culls

    def is_left(self) -> bool:
        """Whether a kernel of a new session would be let in."""
        shortage = self._admission.shortage()
        return shortage is None or self._longest_waiting(shortage.candidates) is not None

    def who_makes_it(self, session_id: str) -> str | None:
        """The kernel that has to go for one more of that session, if there are too many.

        Raises:
            KernelLimitReached: there are, and none waits for its page.
        """
        shortage = self._admission.shortage(session_id)
        if shortage is None:
            return None
        kernel_id = self._longest_waiting(shortage.candidates)
        if kernel_id is None:
            raise self._admission.refuse(shortage)
        return kernel_id

    def evict(self, kernel_id: str | None) -> None:
        """Close a kernel for another's sake."""
        context = None if kernel_id is None else self._contexts.get(kernel_id)
        if context is not None:
            log.info("kernel %s makes room: it has waited longest for its page", redact(context.id))
            # From now on, although its hooks may take a moment: whoever comes need not wait for them.
            self._admission.leaves(context.session_id, context.id)
            # Now, as its close may have been asked for by a thread, and would come to that later only.
            self._culls.cancel(context.id)
            context.close(CloseReason.EVICTED)

    def keep_waiting_at_most(self, limit: int) -> None:
        """Evict the one that has waited longest, if more than *limit* wait.  One more than before may wait by now."""
        if len(self._culls) > limit:
            waiting = self._open(self._culls)
            if len(waiting) > limit:
                self.evict(self._culls.longest_waiting(waiting))

    def _longest_waiting(self, candidates: Collection[str] | None) -> str | None:
        kernel_id = self._culls.longest_waiting(candidates)
        if kernel_id is not None and self._contexts[kernel_id].state is not State.OPEN:
            # There are few of those, and fewer that have waited longest.
            kernel_id = self._culls.longest_waiting(self._open(self._contexts if candidates is None else candidates))
        return kernel_id

    def _open(self, kernel_ids: Iterable[str]) -> list[str]:
        """Without those that restart: their pages come back in a moment."""
        return [kernel_id for kernel_id in kernel_ids if self._contexts[kernel_id].state is State.OPEN]
