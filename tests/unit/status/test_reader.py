"""Answers to polls: never older than the last change that was told, whatever happens in between; and cheap."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streametrics.auth.principal import LOCAL, Principal, Scope, may_see
from streametrics.database.jobs import JobRecord
from streametrics.domain.job import JobKind, JobRequest, JobState
from streametrics.domain.status import JobStatus
from streametrics.errors import JobExpired, JobUnknown
from streametrics.redis import job_versions
from streametrics.redis.job_versions import JobVersionsUnavailable
from streametrics.status import reader
from streametrics.status.reader import CACHE_TTL_S, FINAL_CACHE_TTL_S, StatusReader
from streametrics.status.response_cache import CachedResponse, ResponseCache

TTL_S = 3600


@dataclass
class Row:
    """A job's row and its version, as a test writes them."""

    version: int = 0
    job_version: str | None = "0"
    final_age_s: float | None = None
    reads: int = 0

    def write(self) -> None:
        self.version += 1

    def touch(self) -> None:
        self.job_version = f"of {self.version}"


@dataclass
class FakeJobs:
    """The row behind `JobService.row_and_status`."""

    row: Row
    asked_queue: list[bool] = field(default_factory=list)

    def keep_s(self, is_kept: bool) -> float:
        return TTL_S

    def row_and_status(
        self, task_id: str, principal: Principal = LOCAL, *, queue_answers: bool = True
    ) -> tuple[JobRecord, JobStatus]:
        self.row.reads += 1
        self.asked_queue.append(queue_answers)
        if task_id != "job" or not may_see(principal, "owner"):
            raise JobUnknown
        age_s = self.row.final_age_s
        if age_s is not None and age_s > TTL_S:
            raise JobExpired
        state = JobState.TRANSCRIBING if age_s is None else JobState.DONE
        request = JobRequest(streamer="s", language="en", game="", time="0", title="")
        result = {"text": str(self.row.version)}
        record = JobRecord(
            "job", "owner", JobKind.LIVE, state, None, (), result, None, None, age_s, False, request, False
        )
        return record, JobStatus(state, 0, transcription=str(self.row.version), result=result)


class FakeVersionReader:
    """The job version, or no answer."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self.answers = True

    async def read(self, task_id: str) -> str | None:
        if not self.answers:
            raise JobVersionsUnavailable
        return self._row.job_version

    async def read_many(self, task_ids: Sequence[str]) -> dict[str, str | None]:
        return {task_id: await self.read(task_id) for task_id in task_ids}

    async def create(self, task_id: str) -> None:
        self._row.job_version = self._row.job_version or "first"


class Desk:
    """A status reader over one row, with a clock that a test moves."""

    def __init__(self, max_cache_bytes: int = 10_000) -> None:
        self.row = Row()
        self.jobs = FakeJobs(self.row)
        self.version_reader = FakeVersionReader(self.row)
        self.now = 0.0
        self.status_reader = StatusReader(
            self.jobs,  # type: ignore[arg-type]
            self.version_reader,  # type: ignore[arg-type]
            clock=lambda: self.now,
            max_cache_bytes=max_cache_bytes,
        )

    async def version(self) -> int:
        return version_of(await self.status_reader.answer("job"))


def version_of(answer: CachedResponse) -> int:
    return int(b"".join(bytes([byte]) for byte in answer.body if 48 <= byte <= 57).lstrip(b"0") or 0)


@pytest.fixture(autouse=True)
def _bodies_that_tell_the_version_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JobStatus, "body", lambda self: {"version": (self.result or {})["text"]})


def run(test: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(test())  # type: ignore[arg-type]


def test_an_answer_is_read_once_until_its_version_changes() -> None:
    desk = Desk()

    async def polls() -> None:
        assert [await desk.version() for _ in range(3)] == [0, 0, 0]
        assert desk.row.reads == 1
        desk.row.write()
        desk.row.touch()
        assert [await desk.version() for _ in range(3)] == [1, 1, 1]
        assert desk.row.reads == 2

    run(polls)


def test_polls_that_come_together_share_one_reading() -> None:
    desk = Desk()

    async def polls() -> None:
        answers = await asyncio.gather(*(desk.status_reader.answer("job") for _ in range(50)))
        assert len({answer.body for answer in answers}) == 1
        assert desk.row.reads == 1

    run(polls)


def test_one_that_goes_away_does_not_take_the_others_answer_along() -> None:
    desk = Desk()

    async def polls() -> None:
        impatient = asyncio.create_task(desk.status_reader.answer("job"))
        patient = asyncio.create_task(desk.status_reader.answer("job"))
        await asyncio.sleep(0)
        impatient.cancel()
        assert version_of(await patient) == 0

    run(polls)


@pytest.mark.parametrize(("final_age_s", "kept_s"), [(None, CACHE_TTL_S), (0.0, FINAL_CACHE_TTL_S)])
def test_a_change_that_nobody_told_of_is_seen_after_a_while(final_age_s: float | None, kept_s: float) -> None:
    desk = Desk()
    desk.row.final_age_s = final_age_s

    async def polls() -> None:
        await desk.version()
        # Given a writer that was killed between its commit and the new version
        desk.row.write()
        desk.now = kept_s - 0.01
        assert await desk.version() == 0
        desk.now = kept_s
        assert await desk.version() == 1

    run(polls)


def test_a_result_is_never_told_after_its_expiry() -> None:
    desk = Desk()
    desk.row.final_age_s = TTL_S - 4.0

    async def polls() -> None:
        await desk.version()
        desk.now, desk.row.final_age_s = 3.9, TTL_S - 0.1
        await desk.version()
        desk.now, desk.row.final_age_s = 4.01, TTL_S + 0.01
        for _ in range(2):
            with pytest.raises(JobExpired):
                await desk.version()

    run(polls)


def test_while_the_queue_is_silent_answers_come_from_the_row_and_nothing_is_kept() -> None:
    desk = Desk()

    async def polls() -> None:
        await desk.version()
        desk.version_reader.answers = False
        for version in (1, 2):
            desk.row.write()
            assert await desk.version() == version
        assert desk.jobs.asked_queue == [True, False, False]
        # And what was kept before is not trusted afterwards: its version may have been changed in vain
        desk.version_reader.answers = True
        assert await desk.version() == 2

    run(polls)


def test_a_job_without_a_version_gets_one() -> None:
    desk = Desk()
    desk.row.job_version = None

    async def polls() -> None:
        for _ in range(3):
            assert await desk.version() == 0
        assert desk.row.reads == 2, "the first answer cannot be kept, the second is"

    run(polls)


def test_an_unknown_job_leaves_nothing_behind() -> None:
    desk = Desk()
    desk.row.job_version = None

    async def polls() -> None:
        with pytest.raises(JobUnknown):
            await desk.status_reader.answer("another")
        assert desk.row.job_version is None

    run(polls)


def test_a_job_of_another_key_is_unknown_whether_its_answer_is_kept_or_has_expired() -> None:
    desk = Desk()
    owner, other = Principal("owner", Scope.READ), Principal("other", Scope.SUBMIT)

    async def polls() -> None:
        assert version_of(await desk.status_reader.answer("job", owner)) == 0
        for wait_s in (0, 30):
            with pytest.raises(JobUnknown):
                await desk.status_reader.answer_after_change("job", wait_s, other)
        desk.row.final_age_s = TTL_S + 1.0
        desk.row.job_version = "ended"
        with pytest.raises(JobExpired):
            await desk.status_reader.answer("job", owner)
        with pytest.raises(JobUnknown):
            await desk.status_reader.answer("job", other)

    run(polls)


def test_who_waits_is_answered_at_the_change() -> None:
    desk = Desk()

    async def wait() -> None:
        waiting = [asyncio.create_task(desk.status_reader.answer_after_change("job", 30)) for _ in range(20)]
        while desk.row.reads == 0:
            await asyncio.sleep(0.01)
        # Given a new version with the same words, then other words
        desk.row.job_version = "nothing new"
        await asyncio.sleep(0.3)
        assert not any(task.done() for task in waiting)
        desk.row.write()
        desk.row.touch()
        answers = await asyncio.wait_for(asyncio.gather(*waiting), 20)
        assert [version_of(answer) for answer in answers] == [1] * 20
        assert desk.row.reads == 3

    run(wait)


def test_who_waits_for_what_has_ended_does_not_wait() -> None:
    desk = Desk()
    desk.row.final_age_s = 0.0
    assert version_of(run(lambda: desk.status_reader.answer_after_change("job", 30))) == 0


def test_who_waits_in_vain_gets_the_status_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()

    async def wait() -> None:
        waiting = asyncio.create_task(desk.status_reader.answer_after_change("job", 500))
        while desk.row.reads == 0:
            await asyncio.sleep(0.01)
        # More than the most is the most
        desk.now = reader.MAX_WAIT_S + 0.1
        desk.row.job_version = "nothing new"
        assert version_of(await asyncio.wait_for(waiting, 20)) == 0

    run(wait)


def test_who_waits_hears_of_changes_from_the_row_while_the_queue_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streametrics.status.long_poll.RETRY_AFTER_S", 0.05)
    desk = Desk()
    desk.version_reader.answers = False

    async def wait() -> None:
        waiting = asyncio.create_task(desk.status_reader.answer_after_change("job", 30))
        while desk.row.reads == 0:
            await asyncio.sleep(0.01)
        desk.row.write()
        assert version_of(await asyncio.wait_for(waiting, 20)) == 1

    run(wait)


# Any order of a writer's steps and of the polls' steps


class Steps:
    """Stops each poll before and after it reads the row, until the test lets it go on."""

    def __init__(self) -> None:
        self.gates: list[asyncio.Future[None]] = []

    async def stop(self) -> None:
        gate = asyncio.get_running_loop().create_future()
        self.gates.append(gate)
        await gate

    async def run_sync(self, read: Callable[[], CachedResponse], *, limiter: object) -> CachedResponse:
        await self.stop()
        answer = read()
        await self.stop()
        return answer


@settings(deadline=None)
@given(st.lists(st.sampled_from(["write", "touch", "poll", "step first", "step last"]), max_size=40))
def test_no_answer_is_older_than_the_last_change_told_before_the_poll(actions: list[str]) -> None:
    async def play() -> None:
        desk, steps = Desk(), Steps()
        polls: list[tuple[int, asyncio.Task[int]]] = []
        told = 0
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reader.to_thread, "run_sync", steps.run_sync)
            for action in [*actions, "touch", "poll"]:
                match action:
                    case "write":
                        desk.row.write()
                    case "touch":
                        desk.row.touch()
                        told = desk.row.version
                    case "poll":
                        polls.append((told, asyncio.create_task(desk.version())))
                    case _ if steps.gates:
                        steps.gates.pop(0 if action == "step first" else -1).set_result(None)
                for _ in range(5):
                    await asyncio.sleep(0)
            while steps.gates:
                steps.gates.pop().set_result(None)
                for _ in range(5):
                    await asyncio.sleep(0)
            for least, poll in polls:
                assert await poll >= least
            # And what is kept in the end is the newest
            last = asyncio.create_task(desk.version())
            while not last.done():
                await asyncio.sleep(0)
                while steps.gates:
                    steps.gates.pop().set_result(None)
            assert last.result() == desk.row.version

    asyncio.run(play())


# The cache


def answer(size: int, job_version: str = "s", expires_at: float = 1.0) -> CachedResponse:
    return CachedResponse(b"x" * size, "local", False, job_version, expires_at)


def test_the_cache_holds_so_many_bytes_and_those_asked_for_last() -> None:
    cache = ResponseCache(10_000)
    for name in "abc":
        cache.put(name, answer(2_000))
    assert cache.get("a", "s", 0.0) is not None
    cache.put("d", answer(2_000))
    assert [name for name in "abcd" if cache.get(name, "s", 0.0)] == ["a", "c", "d"]
    cache.put("e", answer(20_000))
    assert (cache.get("e", "s", 0.0), cache.size_bytes) == (None, 0), "one that is too large is not kept"


def test_a_kept_answer_is_for_one_version_and_a_while() -> None:
    cache = ResponseCache(10_000)
    cache.put("a", answer(10))
    assert cache.get("a", "s", 0.99) is not None
    assert cache.get("a", "s", 1.0) is None
    assert cache.get("a", "t", 0.0) is None
    cache.put("a", answer(10, "t"))
    assert cache.get("a", "t", 0.0) is not None
    cache.drop("a")
    assert cache.size_bytes == 0


# Reading job versions


class FakeRedis:
    """Counts its reads, each of which takes a turn of the event loop."""

    def __init__(self, **values: str) -> None:
        self.values = values
        self.reads: list[int] = []

    async def mget(self, keys: list[str]) -> list[str | None]:
        self.reads.append(len(keys) - 1)
        found = [self.values.get(key) for key in keys]
        await asyncio.sleep(0.01)
        return found


def test_polls_that_come_while_versions_are_read_share_the_next_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    async def polls() -> None:
        made = job_versions.JobVersionReader("redis://127.0.0.1:1/0")
        await made._redis.aclose()
        fake = FakeRedis(**{job_versions.version_key("a"): "1"})
        made._redis = fake  # type: ignore[assignment]
        first = [asyncio.create_task(made.read(name)) for name in "aab"]
        await asyncio.sleep(0.001)
        # Given a change while the first reading is under way
        fake.values[job_versions.version_key("a")] = "2"
        later = [asyncio.create_task(made.read(name)) for name in "abcd"]
        assert await asyncio.gather(*first) == ["None/1", "None/1", None]
        # Expect those who came after it to see it
        assert await asyncio.gather(*later) == ["None/2", None, None, None]
        assert fake.reads == [2, 4]

    run(polls)


def test_a_redis_that_is_silent_is_left_alone_for_a_moment() -> None:
    async def polls() -> None:
        made = job_versions.JobVersionReader("redis://127.0.0.1:1/0")
        for _ in range(2):
            with pytest.raises(JobVersionsUnavailable):
                await made.read("a")
        asked = []
        made._redis.mget = asked.append  # type: ignore[method-assign]
        with pytest.raises(JobVersionsUnavailable):
            await made.read("a")
        assert asked == []
        await made.close()

    run(polls)
