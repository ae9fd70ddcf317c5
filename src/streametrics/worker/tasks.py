"""The tasks. A message is only a wake-up: the row says what is to be done, or that it is done already."""

from celery import Task, shared_task

from streametrics.domain.job import Stage
from streametrics.jobs.broker import TASKS, WRITE_AHEAD
from streametrics.jobs.lease_holder import holder
from streametrics.worker import process


@shared_task(name=TASKS[Stage.TRANSCRIBE], bind=True)  # type: ignore[untyped-decorator]
def transcribe(self: Task, task_id: str) -> None:
    """Work on a job's sound."""
    process.transcribing_worker().transcribe(task_id, holder(self.request.hostname))


@shared_task(name=TASKS[Stage.SUMMARIZE], bind=True)  # type: ignore[untyped-decorator]
def summarise(self: Task, task_id: str) -> None:
    """Write a job's summary."""
    process.summarising_worker().summarise(task_id, holder(self.request.hostname))


@shared_task(name=WRITE_AHEAD)  # type: ignore[untyped-decorator]
def write_ahead(task_id: str) -> None:
    """Write notes on what is transcribed of a long recording so far."""
    process.summarising_worker().write_ahead(task_id)
