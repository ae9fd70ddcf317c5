"""The ledger's judgment: whatever goes wrong in a chaos run must make it fail."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos import journal
from tests.chaos.figures import QUICK_TOLERANCE, all_of, merged, none_of, worst_time
from tests.chaos.ledger import Entry, Ledger
from tests.support.jobs import SingleClaims

DONE = {"status": "done", "progress": 100, "result": {"text": "word0"}}
EXPECTED = frozenset({"worker_lost"})


def failed(code: str) -> dict[str, object]:
    return {"status": "error", "progress": 0, "code": code}


def processing(progress: int) -> dict[str, object]:
    return {"status": "processing", "progress": progress}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """With one accepted job, `a`."""
    made = Ledger(tmp_path / "ledger.jsonl")
    made.accepted("a")
    yield made
    made.close()


def once(task_id: str = "a") -> list[Entry]:
    return [Entry(task_id, 1.0, "transcribed", "transcribed", 1), Entry(task_id, 2.0, "finished", "done", 2)]


def test_a_job_that_ended_once_is_well(ledger: Ledger) -> None:
    ledger.seen("a", 200, processing(10))
    ledger.seen("a", 200, DONE)
    ledger.seen("a", 200, DONE)

    verdict = ledger.judge(once())

    assert verdict.holds
    assert (verdict.accepted, verdict.done) == (1, 1)
    assert ledger.open == []


def test_what_is_accepted_is_on_disk_at_once(ledger: Ledger, tmp_path: Path) -> None:
    assert '"accepted", "task_id": "a"' in (tmp_path / "ledger.jsonl").read_text()


def test_a_job_that_never_ends_is_lost(ledger: Ledger) -> None:
    ledger.seen("a", 200, processing(10))

    assert ledger.judge([]).lost == ["a"]
    assert not ledger.judge([]).holds


@pytest.mark.parametrize("status", [404, 410])
def test_a_job_that_nobody_knows_any_more_is_lost(ledger: Ledger, status: int) -> None:
    ledger.seen("a", 200, DONE)
    ledger.seen("a", status, failed("job_unknown"))

    assert ledger.judge(once()).lost == ["a"]


@pytest.mark.parametrize("which", [0, 1])
def test_an_effect_that_came_twice_is_seen(ledger: Ledger, which: int) -> None:
    ledger.seen("a", 200, DONE)

    verdict = ledger.judge([*once(), once()[which]])

    assert verdict.twice == ["a"]
    assert not verdict.holds


def test_parts_of_one_recording_are_not_taken_for_the_same_effect(ledger: Ledger) -> None:
    ledger.seen("a", 200, DONE)
    parts = [Entry("a", 1.0, "transcribed", "transcribing", 1, part_index=index) for index in range(3)]

    assert ledger.judge([*parts, *once()]).holds
    assert ledger.judge([*parts, parts[1], *once()]).twice == ["a"]


@pytest.mark.parametrize("later", [DONE | {"result": {"text": "word1"}}, failed("worker_lost"), processing(60)])
def test_an_answer_that_changes_after_the_final_one_is_seen(ledger: Ledger, later: dict[str, object]) -> None:
    ledger.seen("a", 200, DONE)
    ledger.seen("a", 200, later)

    assert ledger.judge(once(), expected_codes=EXPECTED).changed == ["a"]
    assert not ledger.judge(once(), expected_codes=EXPECTED).holds


def test_a_final_row_that_was_written_again_is_seen_though_no_poll_saw_it(ledger: Ledger) -> None:
    ledger.seen("a", 200, DONE)

    assert ledger.judge([*once(), Entry("a", 3.0, "touched", "done")]).changed == ["a"]


def test_a_job_may_fail_for_the_reason_that_the_run_causes_and_for_no_other(ledger: Ledger) -> None:
    ledger.accepted("b")
    ledger.seen("a", 200, failed("worker_lost"))
    ledger.seen("b", 200, failed("internal_error"))

    verdict = ledger.judge([], expected_codes=EXPECTED)

    assert verdict.wrong == ["b: internal_error"]
    assert verdict.failed == {"worker_lost": 1, "internal_error": 1}


def test_progress_that_goes_back_is_seen(ledger: Ledger) -> None:
    for progress in (30, 20):
        ledger.seen("a", 200, processing(progress))
    ledger.seen("a", 200, DONE)

    assert ledger.judge(once()).fell == ["a"]


def test_figures_of_correctness_have_no_tolerance_and_need_a_sample() -> None:
    assert none_of("1", "lost", 0, 1000).passed
    assert not none_of("1", "lost", 1, 1000).passed
    assert not none_of("1", "lost", 0, 0).passed, "nothing was tried"
    assert all_of("10", "states", 16, 16).shown == "16 of 16"
    assert not all_of("10", "states", 15, 16).passed


def test_a_time_is_judged_strictly_in_the_full_form_alone() -> None:
    late = [1.0, 14.0]

    quick, full = (worst_time("3", "free again", late, 13.0, quick=quick) for quick in (True, False))

    assert (quick.as_promised, quick.passed) == (False, True)
    assert "late" in quick.verdict
    assert not full.passed
    assert not worst_time("3", "free again", [13.0 * QUICK_TOLERANCE + 1], 13.0, quick=True).passed
    assert not worst_time("3", "free again", [], 13.0, quick=True).passed, "nothing was measured"


def test_slices_add_up() -> None:
    lost = merged([none_of("1", "lost", 0, 250), none_of("1", "lost", 1, 250)])
    times = merged([worst_time("3", "free", [1.0, 9.0], 13.0, quick=False) for _ in range(2)])

    assert (lost.shown, lost.passed) == ("1 of 500", False)
    assert times.shown == "9 s (worst of 4)"


def test_the_database_keeps_its_own_journal(tmp_path: Path) -> None:
    """Given a migrated database with triggers, when a job lives, then each effect is noted once, and a touch is."""
    from streametrics.database.checkpoints import Checkpoints
    from streametrics.database.engine import Database
    from streametrics.database.jobs import JobRecords
    from streametrics.database.leases import Leases
    from streametrics.database.migrate import migrate
    from streametrics.domain.job import JobKind, JobRequest, Stage
    from streametrics.domain.status import JobResult
    from streametrics.domain.transcript import Transcript

    silence = Transcript((), "en")
    path = tmp_path / "jobs.db"
    migrate(f"sqlite:///{path}")
    journal.install(path)
    database = Database(f"sqlite:///{path}")
    request = JobRequest(streamer="s", language="en", game="", time="", title="")
    JobRecords(database).insert("a", request, owner="local", kind=JobKind.LIVE, audio_key="k", container="wav")
    claims, checkpoints = SingleClaims(database, lease_s=-1.0, deadline_s=60.0), Checkpoints(database)
    leases = Leases(database, lease_s=-1.0)
    assert claims.claim("a", Stage.TRANSCRIBE, "one@host")
    assert journal.held_by(path, "one") == [("a", None, 1)]
    assert journal.held_by(path, "two") == []
    (expired,) = leases.expired()
    assert leases.free(expired)
    again = claims.claim("a", Stage.TRANSCRIBE, "two@host")
    assert again is not None
    checkpoints.store_transcript(again, silence, audio_s=1.0, warnings=())
    assert journal.unfinished(path) == ["a"]
    writing = claims.claim("a", Stage.SUMMARIZE, "two@host")
    assert writing is not None
    checkpoints.finish(writing, JobResult(silence, "a summary", "fake"))
    database.close()

    events = [entry.event for entry in journal.read(path)]

    assert events == ["claimed", "freed", "claimed", "transcribed", "claimed", "finished"]
    assert journal.unfinished(path) == []
    with journal._opened(path) as connection:
        connection.execute("UPDATE jobs SET result = '{}' WHERE task_id = 'a'")
    assert [entry.event for entry in journal.read(path)][-1] == "touched"
