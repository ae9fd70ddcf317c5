"""Background maintenance: recovers expired leases, sends lost messages again, erases expired results.

A thread of the API process, and a smaller one of each worker, for the time in which no API lives. Several may run at
once, on several hosts: each change is one conditional write, so a second one finds nothing left to do.
"""

import logging

from streametrics.concurrency.periodic import PeriodicThread
from streametrics.concurrency.time_gaps import TimeGaps
from streametrics.jobs.connections import Connections
from streametrics.jobs.lifecycle import JobLifecycle
from streametrics.jobs.recovery import Recovery, least_gap_s
from streametrics.jobs.retention import Retention

#: In one of so many rounds retention follows recovery.
SLOW_ROUNDS = 15

logger = logging.getLogger(__name__)


class Maintenance:
    """Runs a round every `maintenance_interval_s` until it is stopped.

    in_worker: recovery only, of leases that processes of its own host held (whether one of another host is dead or
    stuck, that host's maintenance knows), and nothing while the API uses another database. gaps: for tests.
    """

    def __init__(self, connections: Connections, *, in_worker: bool = False, gaps: TimeGaps | None = None) -> None:
        lifecycle = JobLifecycle(connections)
        self._gaps = gaps or TimeGaps(least_gap_s(connections.settings))
        self.recovery = Recovery(connections, lifecycle, in_worker=in_worker, gaps=self._gaps)
        self.retention = Retention(connections, lifecycle, gaps=self._gaps)
        self._in_worker = in_worker
        self._rounds = 0
        self._thread = PeriodicThread("maintenance", self._round, connections.settings.maintenance_interval_s)

    def start(self) -> None:
        """Start the thread."""
        self._gaps.begin()
        self._thread.start()

    def stop(self) -> None:
        """Stop after the present round."""
        self._thread.stop(wait_s=10)

    def _round(self) -> None:
        is_slow = self._rounds % SLOW_ROUNDS == 0 and not self._in_worker
        self._rounds += 1
        if gap_s := self._gaps.note():
            logger.warning("event=gap_in_time seconds=%.0f", gap_s)
        try:
            self.recovery.round()
        finally:
            if is_slow:
                self.retention.round()
