"""A job's life against a real database: whoever crashes, stops or comes late, one attempt's writes count."""

import contextlib
import tempfile
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule
from sqlalchemy import func, select

from streametrics.database.backlog import BacklogReader
from streametrics.database.checkpoints import Checkpoints
from streametrics.database.engine import Database
from streametrics.database.jobs import JobRecords
from streametrics.database.leases import Leases, held_row
from streametrics.domain.job import Claim, JobKind, JobRequest, JobState, QueueName, Stage
from streametrics.domain.status import JobResult
from streametrics.domain.transcript import Segment, TimeSpan, Transcript, merge_transcripts
from streametrics.errors import InternalError, StaleAttempt, WorkerLost
from tests.support.jobs import SingleClaims
from tests.support.stack import database

REQUEST = JobRequest(streamer="s", language="en", game="", time="0", title="")
WORDS = Transcript((Segment(0.0, 1.0, "word"),), "en")
ALL = merge_transcripts
#: A lease that is over when it begins. One of no length is not yet: SQLite's clock counts whole milliseconds.
OVER_S = -1.0
#: Claims of one stage, or of one part, that end in neither a checkpoint nor a release.
MOST_RUNS = 3


def holds(database: Database, claim: Claim) -> bool:
    """Whether the claim is still this worker's."""
    table, held = held_row(claim)
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(table).where(*held)).scalar_one() == 1


def free_all(database: Database) -> None:
    """What recovery does with leases that are over when they begin: all of them are out at once."""
    leases = Leases(database, lease_s=OVER_S)
    for expired in leases.expired():
        assert leases.free(expired)


class Life(RuleBasedStateMachine):
    """Every order of claims, checkpoints, crashes and rescues of one job."""

    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._opened = database(Path(self._folder.name))
        self.database = Database(self._opened.__enter__())
        self.records = JobRecords(self.database)
        # A lease that is over when it begins: every claim looks dead to recovery at once.
        self.store = SingleClaims(self.database, lease_s=OVER_S, deadline_s=600.0)
        self.leases = Leases(self.database, lease_s=OVER_S)
        self.checkpoints = Checkpoints(self.database)
        self.final: Any = None
        self.transcripts_stored = 0

    @initialize()
    def accept(self) -> None:
        self.task_id = str(uuid.uuid4())
        self.records.insert(self.task_id, REQUEST, owner="local", kind=JobKind.LONG, audio_key="key", container="wav")

    @rule(target=claims, stage=st.sampled_from(Stage))
    def claim(self, stage: Stage) -> Any:
        claim = self.store.claim(self.task_id, stage, "worker")
        if claim is None:
            return multiple()
        assert self.final is None, "nobody claims what has ended"
        return claim

    @rule(target=claims, most=st.integers(1, 3))
    def claim_together(self, most: int) -> Any:
        return multiple(*self.store.claim_together(self.task_id, Stage.TRANSCRIBE, "worker", most=most))

    @rule(target=claims)
    def claim_next_part(self) -> Any:
        claim = self.store.claim_next_part(self.task_id, "worker")
        assert claim is None or (claim.part_index is not None and not claim.tried)
        return multiple() if claim is None else claim

    @rule(claim=claims)
    def renew(self, claim: Claim) -> None:
        assert self.leases.renew(claim) == holds(self.database, claim)

    @rule(claim=claims)
    def release(self, claim: Claim) -> None:
        held = holds(self.database, claim)
        assert self.leases.release(claim) == held
        assert not holds(self.database, claim)

    @rule()
    def rescue(self) -> None:
        """Recovery frees what a dead worker held, and fails what has run often enough."""
        for expired in self.leases.expired():
            if expired.tries < MOST_RUNS:
                assert self.leases.free(expired)
            else:
                assert self.checkpoints.fail_expired(expired, WorkerLost()) is not None
            assert not self.leases.free(expired), "a second recovery finds nothing to do"
            assert self.checkpoints.fail_expired(expired, WorkerLost()) is None

    @rule(claim=claims)
    def hear_all(self, claim: Claim) -> None:
        if claim.stage is not Stage.TRANSCRIBE or claim.part_index is not None:
            return
        with self._refused_unless_held(claim):
            self.checkpoints.store_transcript(claim, WORDS, audio_s=1.0, warnings=())
            self.transcripts_stored += 1

    @rule(claim=claims, count=st.integers(1, 3))
    def cut(self, claim: Claim, count: int) -> None:
        if claim.stage is not Stage.TRANSCRIBE or claim.part_index is not None:
            return
        with self._refused_unless_held(claim):
            spans = [TimeSpan(60.0 * index, 60.0 * (index + 1)) for index in range(count)]
            messages = self.checkpoints.store_parts(
                claim, audio_key="pcm", audio_s=60.0 * count, spans=spans, warnings=()
            )
            assert len(messages) == count

    @rule(claim=claims)
    def hear_part(self, claim: Claim) -> None:
        if claim.part_index is None:
            return
        with self._refused_unless_held(claim):
            merged = self.checkpoints.store_part(claim, WORDS, ALL)
            state = self._state()
            assert (merged is not None) == (state is JobState.TRANSCRIBED)
            self.transcripts_stored += merged is not None

    @rule(claim=claims)
    def finish(self, claim: Claim) -> None:
        if claim.stage is not Stage.SUMMARIZE:
            return
        with self._refused_unless_held(claim):
            self.checkpoints.finish(claim, JobResult(WORDS, "a summary", "fake"))

    @rule(claim=claims)
    def fail(self, claim: Claim) -> None:
        with self._refused_unless_held(claim):
            self.checkpoints.fail(self.task_id, InternalError(), claim)

    @invariant()
    def an_end_is_final(self) -> None:
        if not hasattr(self, "task_id"):
            return
        record = self.records.get(self.task_id)
        assert record is not None
        seen = (record.state, record.result, record.error)
        if self.final is not None:
            assert seen == self.final
        elif record.state.is_final:
            self.final = seen

    @invariant()
    def the_sound_is_transcribed_once(self) -> None:
        assert self.transcripts_stored <= 1

    def teardown(self) -> None:
        self.database.close()
        self._opened.__exit__(None, None, None)
        self._folder.cleanup()

    def _state(self) -> JobState:
        record = self.records.get(self.task_id)
        assert record is not None
        return record.state

    def _refused_unless_held(self, claim: Claim) -> Any:
        if holds(self.database, claim):
            return contextlib.nullcontext()
        return pytest.raises(StaleAttempt)


Life.TestCase.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLife = Life.TestCase


def test_two_claims_of_one_job_give_it_to_one(tmp_path: Path) -> None:
    with database(tmp_path) as url, contextlib.ExitStack() as stack:
        opened = stack.enter_context(contextlib.closing(Database(url)))
        records = JobRecords(opened)
        store = SingleClaims(opened, lease_s=10.0, deadline_s=600.0)
        records.insert("a", REQUEST, owner="local", kind=JobKind.LIVE, audio_key="k", container="wav")

        first = store.claim("a", Stage.TRANSCRIBE, "one")
        second = store.claim("a", Stage.TRANSCRIBE, "two")

    assert first is not None and second is None


def test_a_job_that_is_released_for_later_cannot_be_claimed_before(tmp_path: Path) -> None:
    with database(tmp_path) as url, contextlib.ExitStack() as stack:
        opened = stack.enter_context(contextlib.closing(Database(url)))
        records = JobRecords(opened)
        store = SingleClaims(opened, lease_s=10.0, deadline_s=600.0)
        records.insert("a", REQUEST, owner="local", kind=JobKind.LIVE, audio_key="k", container="wav")
        claim = store.claim("a", Stage.TRANSCRIBE, "one")
        assert claim is not None

        Leases(opened, lease_s=10.0).release(claim, after_s=60.0)

        assert store.claim("a", Stage.TRANSCRIBE, "two") is None
        assert BacklogReader(opened).overdue(QueueName.LIVE, 0.0, 10) == []


def test_a_stopping_worker_gives_back_its_own_and_no_others(tmp_path: Path) -> None:
    with database(tmp_path) as url, contextlib.ExitStack() as stack:
        opened = stack.enter_context(contextlib.closing(Database(url)))
        records = JobRecords(opened)
        store = SingleClaims(opened, lease_s=10.0, deadline_s=600.0)
        holders = {"a": "one", "b": "two", "c": "one/4711", "d": "one_more/4711"}
        for task_id, worker in holders.items():
            records.insert(task_id, REQUEST, owner="local", kind=JobKind.LIVE, audio_key="k", container="wav")
            assert store.claim(task_id, Stage.TRANSCRIBE, worker)

        given = Leases(opened, lease_s=10.0).release_all("one")

        assert [message.task_id for message in given] == ["a", "c"], "its own and its children's"
        assert store.claim("a", Stage.TRANSCRIBE, "two") is not None
        assert store.claim("b", Stage.TRANSCRIBE, "one") is None


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Database]:
    with database(tmp_path) as url, contextlib.closing(Database(url)) as made:
        yield made


def accepted(opened: Database, *task_ids: str, kind: JobKind = JobKind.LIVE) -> SingleClaims:
    """A store of claims on new jobs with these ids, the oldest first."""
    for task_id in task_ids:
        JobRecords(opened).insert(
            task_id, REQUEST, owner="local", kind=kind, audio_key=f"key of {task_id}", container="wav"
        )
    return SingleClaims(opened, lease_s=10.0, deadline_s=600.0)


def taken(claims: list[Claim]) -> list[str]:
    return [claim.task_id for claim in claims]


def test_a_live_chunk_brings_those_along_that_have_waited_longest(opened: Database) -> None:
    store = accepted(opened, "a", "b", "c", "d", "e")

    claims = store.claim_together("c", Stage.TRANSCRIBE, "one", most=3)

    # Expect the one that was asked for, then the oldest, each with what is its own
    assert taken(claims) == ["c", "a", "b"]
    assert [claim.audio_key for claim in claims] == ["key of c", "key of a", "key of b"]
    assert all(holds(opened, claim) and claim.attempt == 1 and not claim.tried for claim in claims)
    # And nothing for their own messages to do, while the others wait
    assert store.claim_together("a", Stage.TRANSCRIBE, "two", most=3) == []
    assert taken(store.claim_together("e", Stage.TRANSCRIBE, "two", most=3)) == ["e", "d"]


def test_chunks_that_wait_can_be_taken_to_those_in_work(opened: Database) -> None:
    store = accepted(opened, "a", "b", "c")
    accepted(opened, "long", kind=JobKind.LONG)
    store.claim("a", Stage.TRANSCRIBE, "one")

    # Expect the oldest that nobody has, as often as it is asked for
    assert taken(store.claim_chunks(Stage.TRANSCRIBE, "one", most=1)) == ["b"]
    assert taken(store.claim_chunks(Stage.TRANSCRIBE, "two", most=8)) == ["c"]
    assert store.claim_chunks(Stage.TRANSCRIBE, "two", most=8) == []


def test_who_takes_one_at_a_time_gets_one(opened: Database) -> None:
    store = accepted(opened, "a", "b")

    assert taken(store.claim_together("a", Stage.TRANSCRIBE, "one", most=1)) == ["a"]


def test_a_chunk_that_was_tried_before_goes_alone(opened: Database) -> None:
    store = accepted(opened, "a", "b", "c")
    store = SingleClaims(opened, lease_s=OVER_S, deadline_s=600.0)
    # Given two that a dead worker held
    store.claim_together("a", Stage.TRANSCRIBE, "dead", most=2)
    free_all(opened)

    # Expect them to join nobody, and nobody to join them
    assert taken(store.claim_together("c", Stage.TRANSCRIBE, "one", most=8)) == ["c"]
    again = store.claim_together("a", Stage.TRANSCRIBE, "one", most=8)
    assert taken(again) == ["a"]
    assert again[0].tried


def test_a_chunk_that_was_tried_before_is_not_taken_to_those_in_work(opened: Database) -> None:
    accepted(opened, "a")
    store = SingleClaims(opened, lease_s=OVER_S, deadline_s=600.0)
    store.claim("a", Stage.TRANSCRIBE, "dead")
    free_all(opened)

    assert store.claim_chunks(Stage.TRANSCRIBE, "one", most=8) == []


def cut(opened: Database, task_id: str, parts: int) -> None:
    """A recording is accepted, decoded and cut into parts of a minute."""
    claim = accepted(opened, task_id, kind=JobKind.LONG).claim(task_id, Stage.TRANSCRIBE, "cutter")
    assert claim is not None
    spans = [TimeSpan(60.0 * index, 60.0 * (index + 1)) for index in range(parts)]
    Checkpoints(opened).store_parts(claim, audio_key="pcm", audio_s=60.0 * parts, spans=spans, warnings=())


def test_further_parts_of_a_recording_can_be_taken_to_the_one_in_work(opened: Database) -> None:
    cut(opened, "one", 3)
    cut(opened, "another", 1)
    store = accepted(opened)
    first = store.claim("one", Stage.TRANSCRIBE, "w")
    assert first is not None and first.part_index == 0 and first.may_share_batch

    taken = [store.claim_next_part("one", "w") for _ in range(3)]

    assert [claim and (claim.part_index, claim.start_s) for claim in taken] == [(1, 60.0), (2, 120.0), None]
    assert all(holds(opened, claim) for claim in taken if claim is not None)


@pytest.mark.parametrize("tried", [False, True], ids=["new", "tried before"])
def test_no_further_part_is_taken_while_a_chunk_waits(opened: Database, tried: bool) -> None:
    cut(opened, "recording", 2)
    accepted(opened, "chunk")
    store = SingleClaims(opened, lease_s=OVER_S, deadline_s=600.0)
    if tried:
        store.claim("chunk", Stage.TRANSCRIBE, "dead")
        free_all(opened)

    assert store.claim_next_part("recording", "w") is None
    store.claim("chunk", Stage.TRANSCRIBE, "another")
    assert store.claim_next_part("recording", "w") is not None


def test_a_part_that_was_tried_before_goes_alone(opened: Database) -> None:
    cut(opened, "recording", 2)
    accepted(opened, "chunk")
    store = SingleClaims(opened, lease_s=OVER_S, deadline_s=600.0)
    store.claim("recording", Stage.TRANSCRIBE, "dead")
    free_all(opened)

    alone = store.claim_together("recording", Stage.TRANSCRIBE, "w", most=8)
    assert [(claim.part_index, claim.may_share_batch) for claim in alone] == [(0, False)]
    Leases(opened, lease_s=10.0).release(alone[0])
    assert store.claim("chunk", Stage.TRANSCRIBE, "w")
    untried = store.claim_next_part("recording", "w")
    assert untried is not None and untried.part_index == 1


def test_a_recording_that_is_not_cut_has_no_next_part(opened: Database) -> None:
    store = accepted(opened, "recording", kind=JobKind.LONG)

    assert store.claim_next_part("recording", "w") is None
    assert store.claim_next_part("nobody's", "w") is None


def test_a_chunk_that_was_released_counts_as_untried(opened: Database) -> None:
    store = accepted(opened, "a", "b")
    store.claim_together("a", Stage.TRANSCRIBE, "one", most=8)

    assert len(Leases(opened, lease_s=10.0).release_all("one")) == 2

    assert taken(store.claim_together("b", Stage.TRANSCRIBE, "two", most=8)) == ["b", "a"]


def test_a_chunk_whose_time_has_not_come_is_not_brought_along(opened: Database) -> None:
    store = accepted(opened, "a", "b")
    later = store.claim("a", Stage.TRANSCRIBE, "one")
    assert later is not None
    Leases(opened, lease_s=10.0).release(later, after_s=60.0)

    assert taken(store.claim_together("b", Stage.TRANSCRIBE, "two", most=8)) == ["b"]


def test_long_recordings_and_summaries_keep_to_themselves(opened: Database) -> None:
    store = accepted(opened, "long", "longer", kind=JobKind.LONG)
    accepted(opened, "live", "heard")
    heard = store.claim("heard", Stage.TRANSCRIBE, "one")
    assert heard is not None
    Checkpoints(opened).store_transcript(heard, WORDS, audio_s=1.0, warnings=())

    assert taken(store.claim_together("long", Stage.TRANSCRIBE, "one", most=8)) == ["long"]
    assert taken(store.claim_together("live", Stage.TRANSCRIBE, "one", most=8)) == ["live"]
    assert taken(store.claim_together("heard", Stage.SUMMARIZE, "one", most=8)) == ["heard"]


def test_workers_that_take_many_at_once_never_take_the_same(opened: Database) -> None:
    task_ids = [f"job-{number:02}" for number in range(24)]
    store = accepted(opened, *task_ids)

    # When all are woken at once, in an order in which two could wait for each other
    with ThreadPoolExecutor(8) as pool:
        claims = pool.map(
            lambda task_id: store.claim_together(task_id, Stage.TRANSCRIBE, task_id, most=4),
            [*task_ids[::2], *reversed(task_ids)],
        )
        found = [claim.task_id for several in claims for claim in several]

    assert sorted(found) == task_ids
