"""Defines the Celery tasks. A task message only wakes a worker: the row says what is to be done, if anything."""

from celery import Task, shared_task

from streametrics.domain.job import Stage
from streametrics.jobs.broker import INCREMENTAL_NOTES, TASKS
from streametrics.jobs.lease_holder import lease_holder_name
from streametrics.worker import process


@shared_task(name=TASKS[Stage.TRANSCRIBE], bind=True)  # type: ignore[untyped-decorator]
def transcribe(self: Task, task_id: str) -> None:
    """Transcribe a job, or a part of it."""
    process.transcribing_worker().transcribe(task_id, lease_holder_name(self.request.hostname))


@shared_task(name=TASKS[Stage.SUMMARIZE], bind=True)  # type: ignore[untyped-decorator]
def summarize(self: Task, task_id: str) -> None:
    """Summarize a job."""
    process.summarizing_worker().summarize(task_id, lease_holder_name(self.request.hostname))


@shared_task(name=INCREMENTAL_NOTES)  # type: ignore[untyped-decorator]
def write_incremental_notes(task_id: str) -> None:
    """Write notes on what is transcribed so far of a recording."""
    process.summarizing_worker().write_incremental_notes(task_id)
