"""A process that is a client's, a worker's and maintenance's in one, for tests of what they do to a job."""

from streametrics.database.claims import Claims
from streametrics.domain.job import Claim, Stage
from streametrics.jobs.connections import Connections
from streametrics.jobs.lifecycle import JobLifecycle
from streametrics.jobs.service import JobService
from streametrics.settings import Settings


class SingleClaims(Claims):
    """Claims jobs and parts one by one, as a worker does whose engine gains nothing by batches."""

    def claim(self, task_id: str, stage: Stage, worker: str) -> Claim | None:
        """Claim what waits of this job; None when there is nothing to do."""
        return _only(self.claim_together(task_id, stage, worker, most=1))


class Jobs:
    """The two doors to jobs, and what is behind them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.connections = Connections(settings)
        self.service = JobService(self.connections)
        self.lifecycle = JobLifecycle(self.connections)

    def claim(self, task_id: str, stage: Stage, worker: str) -> Claim | None:
        """Claim what waits of this job; None when there is nothing to do."""
        return _only(self.lifecycle.claim_together(task_id, stage, worker, most=1))

    def close(self) -> None:
        self.connections.close()


def _only(claims: list[Claim]) -> Claim | None:
    (claim,) = claims or [None]
    return claim
