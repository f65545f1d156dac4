"""What there is in a registry, and what has happened since its service began, counted.  Loop only."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

from solara_ctx.context import VirtualKernelContext
from solara_ctx.lifecycle import CloseReason, State
from solara_ctx.settings import Settings
from solara_ctx.stats import RegistryStats
from solara_ctx.teardown import CloseReport

log = logging.getLogger(__name__)


class Totals:
    """Kernels started, restarted and closed, and teardown steps given up on."""

    def __init__(self) -> None:
        self.started = self.restarted = self.abandoned_steps = 0
        self._closed: Counter[str] = Counter()

    @property
    def closed(self) -> Mapping[str, int]:
        """Closed kernels by reason, a snapshot."""
        return dict(self._closed)

    def look(
        self, contexts: Sequence[VirtualKernelContext], *, settings: Settings, retained: int, refused: int
    ) -> RegistryStats:
        """A snapshot of all kernels together.

        Args:
            contexts: All that there are.
            settings: Have the limits.
            retained: How many of them wait for a page.
            refused: How many were turned away.
        """
        pages = [context.page_counts() for context in contexts]
        return RegistryStats(
            total=len(contexts),
            has_connected=sum(counts.connected > 0 for counts in pages),
            has_disconnected=sum(counts.disconnected > 0 for counts in pages),
            has_closed=sum(counts.closed > 0 for counts in pages),
            retained=retained,
            closing=sum(context.state is State.CLOSING for context in contexts),
            limit=settings.kernel_max_count,
            limit_per_session=settings.kernel_max_per_session,
            limit_disconnected=settings.kernel_max_disconnected,
            limit_memory=settings.memory_limit,
            started_total=self.started,
            closed_total=self.closed,
            restarted_total=self.restarted,
            refused_total=refused,
            abandoned_steps_total=self.abandoned_steps,
        )

    def record(self, report: CloseReport) -> None:
        """Count and log a teardown."""
        self.abandoned_steps += sum(step.abandoned for step in report.steps)
        if report.reason == CloseReason.RESTART:
            self.restarted += 1
        else:
            self._closed[report.reason] += 1
        log.info("kernel %s: %s, taken down in %.1f ms", report.kernel, report.reason, report.seconds * 1000)
