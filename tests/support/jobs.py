"""A process that is a client's, a worker's and maintenance's in one, for tests of what they do to a job."""

from streametrics.domain.job import Claim, Stage
from streametrics.jobs.connections import Connections
from streametrics.jobs.lifecycle import JobLifecycle
from streametrics.jobs.service import JobService
from streametrics.settings import Settings


class Jobs:
    """The two doors to jobs, and what is behind them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.connections = Connections(settings)
        self.service = JobService(self.connections)
        self.lifecycle = JobLifecycle(self.connections)

    def claim(self, task_id: str, stage: Stage, worker: str) -> Claim | None:
        """Take what waits of this job; None when there is nothing to do."""
        return self.connections.claims.claim(task_id, stage, worker)

    def close(self) -> None:
        self.connections.close()
