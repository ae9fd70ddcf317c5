"""Claims what waits for a worker.

A row is claimable while its `lease_until` is null. Claiming raises `attempt`, which each later write names: see
`leases`.
"""

import logging
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, select, update

from streametrics.database.checkpoints import end_as_failed
from streametrics.database.decoding_turns import may_decode
from streametrics.database.engine import Database, now
from streametrics.database.jobs import DECODED_CONTAINER, request_of, transcript_of, warnings_of
from streametrics.database.leases import job_row, part_row
from streametrics.database.tables import UNFINISHED, jobs, parts
from streametrics.domain.job import Claim, JobKind, JobState, Stage
from streametrics.errors import StoredDataDamaged

logger = logging.getLogger(__name__)

#: States in which a stage's claim finds its work.
_CLAIMABLE = {
    Stage.TRANSCRIBE: (JobState.QUEUED, JobState.TRANSCRIBING),
    Stage.SUMMARIZE: (JobState.TRANSCRIBED, JobState.SUMMARIZING),
}
_CLAIMED = {Stage.TRANSCRIBE: JobState.TRANSCRIBING, Stage.SUMMARIZE: JobState.SUMMARIZING}


class Claims:
    """Claims jobs and parts. Lengths of leases and deadlines are in seconds.

    most_decoded: how many recordings may lie decoded, or be decoding, at once.
    """

    def __init__(self, database: Database, *, lease_s: float, deadline_s: float, most_decoded: int = 2) -> None:
        self._database = database
        self._lease_s = lease_s
        self._deadline_s = deadline_s
        self._most_decoded = most_decoded

    def claim_together(
        self, task_id: str, stage: Stage, worker: str, *, most: int, model_server_missing: bool = False
    ) -> list[Claim]:
        """Claim what waits of this job in this stage, and with a live chunk others, oldest first, `most` in all.

        Empty when there is nothing, or somebody has it. Only chunks that nobody has tried yet share a batch: one that
        has killed its process takes no neighbors with it a second time. model_server_missing: whether the worker just
        found the model server away, for the job's status.
        """
        with self._database.write() as connection:
            first = self._claim(connection, task_id, stage, worker, model_server_missing=model_server_missing)
            if first is None:
                return []
            if not first.may_share_batch or most <= 1:
                return [first]
            return [first, *self._take_chunks(connection, stage, worker, most - 1, model_server_missing)]

    def claim_chunks(self, stage: Stage, worker: str, *, most: int, model_server_missing: bool = False) -> list[Claim]:
        """Claim live chunks that wait and that nobody has tried yet, oldest first."""
        with self._database.write() as connection:
            return self._take_chunks(connection, stage, worker, most, model_server_missing)

    def claim_next_part(self, task_id: str, worker: str) -> Claim | None:
        """Claim the first part of this recording that waits and that nobody has tried yet.

        None while a live chunk waits, one that was tried before too: it has its turn first.
        """
        with self._database.write() as connection:
            if connection.execute(self._waiting().where(*_waiting_chunks(Stage.TRANSCRIBE)).limit(1)).first():
                return None
            job = self._claimable(connection, task_id, Stage.TRANSCRIBE)
            if job is None or job.container != DECODED_CONTAINER:
                return None
            return self._claim_part(connection, job, worker, untried=True)

    def _take_chunks(
        self, connection: Connection, stage: Stage, worker: str, most: int, model_server_missing: bool
    ) -> list[Claim]:
        # Rows that another worker is just taking are passed over, so that two of them never wait for each other.
        waiting = connection.execute(
            self._waiting()
            .where(*_waiting_chunks(stage), jobs.c.tries == 0)
            .order_by(jobs.c.received_at, jobs.c.task_id)
            .limit(most)
            .with_for_update(skip_locked=True)
        ).all()
        taken = [self._take_job(connection, job, stage, worker, model_server_missing) for job in waiting]
        return [claim for claim in taken if claim is not None]

    def _claim(
        self, connection: Connection, task_id: str, stage: Stage, worker: str, *, model_server_missing: bool
    ) -> Claim | None:
        job = self._claimable(connection, task_id, stage)
        if job is None:
            return None
        if stage is Stage.TRANSCRIBE and job.container == DECODED_CONTAINER:
            return self._claim_part(connection, job, worker)
        if job.lease_until is not None:
            return None
        needs_turn = stage is Stage.TRANSCRIBE and job.kind == JobKind.LONG
        if needs_turn and not may_decode(connection, task_id, self._most_decoded):
            return None  # recovery sends its message again once it is its turn
        return self._take_job(connection, job, stage, worker, model_server_missing)

    def _claimable(self, connection: Connection, task_id: str, stage: Stage) -> Row[Any] | None:
        """Read and lock the job's row; None where there is nothing for this stage in it."""
        query = self._waiting().where(jobs.c.task_id == task_id).with_for_update()
        job = connection.execute(query).one_or_none()
        return job if job is not None and job.state in _CLAIMABLE[stage] else None

    def _waiting(self) -> Select[Any]:
        """Build the query for rows whose `not_before` is past, with the time since each was accepted."""
        waited_s = (now() - jobs.c.received_at).label("waited_s")
        return select(jobs, waited_s).where(jobs.c.not_before <= now())

    def _take_job(
        self, connection: Connection, job: Row[Any], stage: Stage, worker: str, model_server_missing: bool
    ) -> Claim | None:
        """Claim the job; None where its row is damaged, which ends it."""
        attempt = job.attempt + 1
        claim = self._claim_of(connection, job, stage, worker, attempt=attempt, job_attempt=attempt)
        if claim is None:
            return None
        self._take(
            connection,
            jobs,
            job_row(job.task_id),
            worker,
            state=_CLAIMED[stage],
            model_server_missing=model_server_missing,
        )
        return claim

    def _claim_part(self, connection: Connection, job: Row[Any], worker: str, *, untried: bool = False) -> Claim | None:
        part = connection.execute(
            select(parts)
            .where(
                parts.c.task_id == job.task_id,
                parts.c.lease_until.is_(None),
                parts.c.transcript.is_(None),
                parts.c.not_before <= now(),
                *([parts.c.tries == 0] if untried else []),
            )
            .order_by(parts.c.part_index)
            .limit(1)
        ).one_or_none()
        if part is None:
            return None
        claim = self._claim_of(
            connection, job, Stage.TRANSCRIBE, worker, attempt=part.attempt + 1, job_attempt=job.attempt, part=part
        )
        if claim is not None:
            self._take(connection, parts, part_row(job.task_id, part.part_index), worker)
        return claim

    def _take(self, connection: Connection, table: Table, key: list[Any], worker: str, **values: object) -> None:
        connection.execute(
            update(table)
            .where(*key)
            .values(
                attempt=table.c.attempt + 1,
                tries=table.c.tries + 1,
                lease_until=now() + min(self._lease_s, self._deadline_s),
                deadline_at=now() + self._deadline_s,
                claimed_by=worker,
                **values,
            )
        )

    def _claim_of(
        self,
        connection: Connection,
        job: Row[Any],
        stage: Stage,
        worker: str,
        *,
        attempt: int,
        job_attempt: int,
        part: Row[Any] | None = None,
    ) -> Claim | None:
        """Make the claim of a row; None where the row is damaged: it would be as damaged at every other try."""
        try:
            transcript, warnings = transcript_of(job), warnings_of(job)
        except StoredDataDamaged as error:
            end_as_failed(connection, job, error)
            logger.error("event=failed code=%s task=%s", error.code, job.task_id)
            return None
        return Claim(
            task_id=job.task_id,
            stage=stage,
            attempt=attempt,
            job_attempt=job_attempt,
            worker=worker,
            request=request_of(job),
            kind=JobKind(job.kind),
            time_left_s=self._deadline_s,
            waited_s=job.waited_s,
            audio_key=job.audio_key,
            container=job.container,
            audio_s=job.audio_s,
            part_index=part.part_index if part else None,
            start_s=part.start_s if part else 0.0,
            end_s=part.end_s if part else 0.0,
            transcript=transcript,
            warnings=warnings,
            tried=(job if part is None else part).tries > 0,
        )


def _waiting_chunks(stage: Stage) -> list[Any]:
    """Build the conditions for live chunks that nobody has claimed."""
    return [UNFINISHED, jobs.c.state.in_(_CLAIMABLE[stage]), jobs.c.kind == JobKind.LIVE, jobs.c.lease_until.is_(None)]
