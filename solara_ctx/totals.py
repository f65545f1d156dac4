"""What has happened in a registry since its service began, counted.  Loop only."""

import logging
from collections import Counter
from collections.abc import Mapping

from solara_ctx.lifecycle import CloseReason
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

    def record(self, report: CloseReport) -> None:
        """Count and log a teardown."""
        self.abandoned_steps += sum(step.abandoned for step in report.steps)
        if report.reason == CloseReason.RESTART:
            self.restarted += 1
        else:
            self._closed[report.reason] += 1
        log.info("kernel %s: %s, taken down in %.1f ms", report.kernel, report.reason, report.seconds * 1000)
