"""Polls through real processes: two of them over one database and one queue tell the same, and tell it at once."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
import requests

from streametrics.domain.job import JobKind, JobRequest, JobState, Snapshot, Stage
from streametrics.domain.status import JobResult
from streametrics.domain.transcript import Segment, TimeSpan, Transcript
from streametrics.errors import InternalError
from tests.support.jobs import Jobs
from tests.support.stack import RedisServer, Stack, until

REQUEST = JobRequest(streamer="s", language="fr", game="", time="0", title="")
RESULT = JobResult(Transcript((Segment(1.0, 2.0, "words"),), "en"), "a summary", "fake")


def part(text: str) -> Transcript:
    return Transcript((Segment(1.0, 2.0, text),), "en")


class Two:
    """Two API processes, and the test itself as the worker."""

    def __init__(self, first: Stack, second: Stack) -> None:
        self.apis = (first, second)
        self.jobs = Jobs(first.own_settings())
        #: Every poll goes over a kept connection, as a poller's does.
        self._session = requests.Session()

    def accept(self, kind: JobKind) -> str:
        key = self.jobs.connections.audio.writer().commit()
        return self.jobs.service.accept(REQUEST, kind=kind, audio_key=key, container="wav")

    def ask(self, api: Stack, task_id: str, **query: float) -> requests.Response:
        return self._session.get(f"{api.url}/summarize/status/{task_id}", params=query, timeout=60)

    def both_tell(self, task_id: str) -> dict[str, Any]:
        """What both tell, asked twice each; it is what the row and the snapshot say."""
        truth = self.jobs.service.status(task_id).body()
        for api in self.apis * 2:
            assert self.ask(api, task_id).json() == truth
        return truth

    def close(self) -> None:
        self._session.close()
        self.jobs.close()


@contextlib.contextmanager
def two(fresh: Stack, folder: Path) -> Iterator[Two]:
    folder.mkdir()
    same_data = {"DATA_DIR": str(fresh.folder / "data")}
    second = Stack(folder, fresh.redis_url, fresh.database_url, fresh.settings | same_data)
    made = Two(fresh, second)
    try:
        fresh.start_api()
        second.start_api()
        yield made
    finally:
        made.close()
        second.stop()


@pytest.fixture
def apis(fresh: Stack, tmp_path: Path) -> Iterator[Two]:
    # Nobody's lease runs out while a test is at work.
    fresh.settings |= {"LEASE_S": "60", "RESEND_AFTER_S": "60"}
    with two(fresh, tmp_path / "second") as made:
        yield made


def test_every_step_of_a_live_job_is_told_at_once_by_both(apis: Two) -> None:
    task_id = apis.accept(JobKind.LIVE)
    assert apis.both_tell(task_id)["status"] == "pending"
    claim = apis.jobs.claim(task_id, Stage.TRANSCRIBE, "w")
    assert claim is not None
    assert apis.both_tell(task_id)["current_step"] == "transcribing"
    for progress in range(0, 50, 7):
        apis.jobs.lifecycle.publish(
            claim, Snapshot(JobState.TRANSCRIBING, progress=progress, transcription=f"to {progress}")
        )
        assert apis.both_tell(task_id)["transcription"] == f"to {progress}"
    apis.jobs.lifecycle.store_transcript(claim, part("words"), audio_s=2.0, warnings=())
    assert apis.both_tell(task_id)["current_step"] == "transcription_complete"
    claim = apis.jobs.claim(task_id, Stage.SUMMARIZE, "w")
    assert claim is not None
    apis.jobs.lifecycle.publish(claim, Snapshot(JobState.SUMMARIZING, progress=70, partial_summary="a sum"))
    assert apis.both_tell(task_id)["partial_summary"] == "a sum"
    apis.jobs.lifecycle.finish(claim, RESULT)
    assert apis.both_tell(task_id)["result"]["summary"] == "a summary"
    apis.jobs.service.cancel(task_id)
    assert [apis.ask(api, task_id).status_code for api in apis.apis * 2] == [410] * 4


def test_what_is_shown_of_a_recording_never_shrinks_whichever_part_tells_last(apis: Two) -> None:
    task_id = apis.accept(JobKind.LONG)
    claim = apis.jobs.claim(task_id, Stage.TRANSCRIBE, "w")
    assert claim is not None
    for told, shown in (("one two", "one two"), (None, "one two"), ("one", "one two"), ("one two three",) * 2):
        apis.jobs.lifecycle.publish(claim, Snapshot(JobState.TRANSCRIBING, progress=10, transcription=told))
        assert apis.both_tell(task_id)["transcription"] == shown
    # Expect another attempt to begin anew
    again = replace(claim, job_attempt=claim.job_attempt + 1)
    apis.jobs.lifecycle.publish(again, Snapshot(JobState.TRANSCRIBING, progress=10, transcription="one"))
    assert apis.both_tell(task_id)["transcription"] == "one"


def test_a_recording_and_its_notes_are_told_at_once_by_both(apis: Two) -> None:
    task_id = apis.accept(JobKind.LONG)
    whole = apis.jobs.claim(task_id, Stage.TRANSCRIBE, "w")
    assert whole is not None
    spans = [TimeSpan(0.0, 60.0), TimeSpan(60.0, 120.0)]
    apis.jobs.lifecycle.store_parts(
        whole, audio_key=apis.jobs.connections.audio.writer().commit(), audio_s=120.0, spans=spans, warnings=()
    )
    apis.both_tell(task_id)
    claims = [apis.jobs.claim(task_id, Stage.TRANSCRIBE, "w") for _ in spans]
    assert claims[0] is not None and claims[1] is not None
    apis.jobs.lifecycle.store_part(claims[0], part("first"))
    apis.jobs.lifecycle.notes(task_id).put("key", "a note", TimeSpan(0.0, 2.0))
    assert apis.both_tell(task_id)["notes"] == [{"start": 0.0, "end": 2.0, "text": "a note"}]
    apis.jobs.lifecycle.store_part(claims[1], part("second"))
    assert apis.both_tell(task_id)["transcription"] == "first second"
    claim = apis.jobs.claim(task_id, Stage.SUMMARIZE, "w")
    assert claim is not None
    apis.jobs.lifecycle.fail(task_id, InternalError(), claim)
    assert apis.both_tell(task_id)["code"] == "internal_error"


def test_who_waits_is_answered_when_something_changes(apis: Two) -> None:
    task_id = apis.accept(JobKind.LIVE)
    answers: list[tuple[dict[str, Any], float]] = []

    def wait() -> None:
        response = requests.get(f"{apis.apis[1].url}/summarize/status/{task_id}", params={"wait": 25}, timeout=60)
        answers.append((response.json(), time.monotonic()))

    waiting = [threading.Thread(target=wait) for _ in range(5)]
    for thread in waiting:
        thread.start()
    # Given some who wait by now: they have been seen by the process, which has answered nobody
    assert apis.ask(apis.apis[1], task_id, wait=0.5).json()["status"] == "pending"
    assert answers == []
    changed = time.monotonic()
    assert apis.jobs.claim(task_id, Stage.TRANSCRIBE, "w") is not None
    for thread in waiting:
        thread.join()

    assert {answer["status"] for answer, _ in answers} == {"processing"}
    print(f"a change is told {max(at for _, at in answers) - changed:.2f} s later")
    assert max(at for _, at in answers) - changed < 10


@pytest.mark.parametrize("wait", ["soon", "-1", "nan", "inf", ""])
def test_a_wait_that_is_no_time_is_refused(apis: Two, wait: str) -> None:
    response = requests.get(f"{apis.apis[0].url}/summarize/status/x?wait={wait}", timeout=10)

    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


@pytest.mark.alone
def test_a_result_expires_on_time_in_both(fresh: Stack, tmp_path: Path) -> None:
    fresh.settings |= {"RESULT_TTL_S": "3", "LEASE_S": "60"}
    with two(fresh, tmp_path / "second") as apis:
        task_id = apis.accept(JobKind.LIVE)
        claim = apis.jobs.claim(task_id, Stage.TRANSCRIBE, "w")
        assert claim is not None
        apis.jobs.lifecycle.fail(task_id, InternalError(), claim)
        ended = time.monotonic()
        seen: dict[int, float] = {}

        def look() -> bool:
            began = time.monotonic()
            codes = {apis.ask(api, task_id).status_code for api in apis.apis * 3}
            # Expect nobody to tell it later than that
            assert began - ended < 3.5 or codes == {410}
            seen.update(dict.fromkeys(codes, began - ended))
            return codes == {410}

        until(look, within_s=30, what="it has expired")
        assert 200 in seen


@pytest.mark.alone
def test_the_queue_goes_away_and_comes_back_and_nobody_is_told_what_was(fresh: Stack, tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "own")
    server.start()
    fresh.redis_url = server.url
    with two(fresh, tmp_path / "second") as apis:
        task_id = apis.accept(JobKind.LIVE)
        assert apis.both_tell(task_id)["status"] == "pending"
        server.stop()
        # Given a change of which nobody can be told
        claim = apis.jobs.claim(task_id, Stage.TRANSCRIBE, "w")
        assert claim is not None
        slowest_s = 0.0
        for api in apis.apis * 3:
            began = time.monotonic()
            response = apis.ask(api, task_id)
            slowest_s = max(slowest_s, time.monotonic() - began)
            assert (response.status_code, response.json()["status"]) == (200, "processing")
        print(f"the slowest answer took {slowest_s:.2f} s")
        assert slowest_s < 3
        server.start()
        apis.both_tell(task_id)
        # And when it has lost its memory
        client = redis.Redis.from_url(server.url)
        client.flushall()
        client.close()
        apis.both_tell(task_id)
        apis.jobs.lifecycle.fail(task_id, InternalError(), claim)
        assert apis.both_tell(task_id)["status"] == "error"
    server.stop()
