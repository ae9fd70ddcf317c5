"""A job that its client does not want any more, at every stage of its life."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import redis
import requests
from sqlalchemy import text

from streametrics.audio.decoder import AudioDecoder
from streametrics.audio.pcm import Pcm
from streametrics.auth.principal import Principal, Scope
from streametrics.database.engine import Database, open_engine
from streametrics.database.erasure import Erasure
from streametrics.domain.job import JobKind, JobRequest, JobState, Snapshot, Stage
from streametrics.domain.transcript import TimeSpan, Transcript
from streametrics.errors import InternalError, Interrupted, JobExpired, JobUnknown, StaleAttempt
from streametrics.summarization.fake import FakeSummarizer
from streametrics.transcription.engines.fake import FakeTranscriber
from streametrics.worker import summarize_stage
from streametrics.worker.runner import Worker
from tests.support.gate import GATED, engine_calls
from tests.support.jobs import Jobs
from tests.support.media import plain_wav, tone
from tests.support.model_server import ModelServer, states
from tests.support.stack import Stack, until

CHUNK = plain_wav(tone(3.0, 16_000), 16_000)
REQUEST = JobRequest(streamer="Zoë", language="en", game="Chess", time="0", title="Finale")
UNKNOWN = "3a6e1f6e-0000-4000-8000-000000000000"


def delete(stack: Stack, task_id: str, end: str = "") -> requests.Response:
    return requests.delete(f"{stack.url}/summarize/{task_id}{end}", timeout=10)


def is_cancelled(body: dict[str, Any]) -> bool:
    return (body["status"], body.get("code"), body["progress"]) == ("error", "cancelled", 0)


def rows(stack: Stack, query: str) -> list[Any]:
    engine = open_engine(stack.database_url)
    try:
        with engine.connect() as connection:
            return list(connection.execute(text(query)).all())
    finally:
        engine.dispose()


def nothing_is_left_of(stack: Stack, task_id: str) -> bool:
    """No sound, no part, no note, no word, and nothing in Redis but marks."""
    with redis.Redis.from_url(stack.redis_url) as client:
        keys = [key for key in client.scan_iter(match="streametrics:job:*") if task_id.encode() in key]
    emptied = "SELECT streamer, game, time_raw, title, transcript, result, audio_key FROM jobs WHERE task_id = '{}'"
    return (
        stack.audio_files == []
        and rows(stack, "SELECT * FROM parts") == []
        and rows(stack, "SELECT * FROM notes") == []
        and all(key.endswith((b":cancelled", b":stamp")) for key in keys)
        and set(rows(stack, emptied.format(task_id))[0]) <= {"", None}
    )


@pytest.mark.parametrize("end", ["", "/"])
def test_a_waiting_job_ends_at_once_and_its_message_does_nothing(fresh: Stack, end: str) -> None:
    # Given a job that no worker has seen
    fresh.start_api()
    task_id = fresh.submit(CHUNK)

    response = delete(fresh, task_id, end)

    assert response.status_code == 202
    assert is_cancelled(response.json())
    assert response.json() == fresh.status(task_id)
    assert nothing_is_left_of(fresh, task_id)
    # When a worker comes by; expect it to leave the job alone and take the next one
    (fresh.gate / "open").touch()
    (fresh.gate / "open-summary").touch()
    fresh.start_worker(app=GATED, name="all", queues="live,long,summarise", pool="solo")
    assert fresh.finished(fresh.submit(CHUNK))["status"] == "done"
    assert len(engine_calls(fresh)) == 3
    assert is_cancelled(fresh.status(task_id))


def test_again_is_harmless(fresh: Stack) -> None:
    fresh.start_api()
    task_id = fresh.submit(CHUNK)
    first = delete(fresh, task_id)

    again = delete(fresh, task_id)

    assert (again.status_code, again.json()) == (202, first.json())
    assert is_cancelled(fresh.status(task_id))


def test_an_unknown_job_is_404(service: Stack) -> None:
    response = delete(service, UNKNOWN)
    assert (response.status_code, response.json()["code"]) == (404, "job_unknown")


def test_another_keys_job_is_404_and_goes_on(jobs: Jobs) -> None:
    task_id = jobs.service.accept(
        REQUEST, kind=JobKind.LIVE, audio_key=jobs.connections.audio.writer().commit(), container="wav"
    )

    with pytest.raises(JobUnknown):
        jobs.service.cancel(task_id, Principal("somebody", Scope.SUBMIT))

    assert jobs.service.status(task_id).state is JobState.QUEUED


def test_a_finished_job_is_erased_and_expired_from_then_on(service: Stack) -> None:
    task_id = service.submit(CHUNK)
    service.finished(task_id)

    response = delete(service, task_id)
    status = requests.get(f"{service.url}/summarize/status/{task_id}", timeout=10)
    again = delete(service, task_id)

    assert response.status_code == 202
    assert (status.status_code, status.json()["code"]) == (410, "job_expired")
    assert response.json() == status.json() == again.json()
    assert again.status_code == 202
    redo = requests.post(f"{service.url}/summarize/{task_id}/resummarize", timeout=10)
    assert redo.status_code == 410


def test_work_on_the_sound_stops_between_segments(fresh: Stack) -> None:
    fresh.settings["LEASE_S"] = "600"  # so that no renewal tells the worker
    fresh.start_api()
    fresh.start_worker(app=GATED, name="only")
    task_id = fresh.submit(CHUNK)
    until(lambda: list(fresh.gate.glob("at-*-0")), within_s=20, what="an engine is at the gate")

    assert is_cancelled(delete(fresh, task_id).json())
    assert nothing_is_left_of(fresh, task_id)
    until(lambda: "event=told_to_stop" in fresh.log(), within_s=10, what="the worker notices")
    (fresh.gate / "open").touch()

    until(lambda: "event=stale" in fresh.log(), within_s=10, what="the work is left")
    assert len(engine_calls(fresh)) == 1, "its other segments are not heard"
    assert is_cancelled(fresh.status(task_id))
    assert nothing_is_left_of(fresh, task_id)
    # Expect the same process to take the next one
    fresh.submit(CHUNK)
    until(lambda: len(engine_calls(fresh)) == 1 + 3, within_s=20, what="the worker is free")


def test_without_the_hint_the_worker_learns_it_from_the_row(fresh: Stack) -> None:
    fresh.start_api()
    fresh.start_worker(app=GATED, name="only")
    task_id = fresh.submit(CHUNK)
    until(lambda: list(fresh.gate.glob("at-*-0")), within_s=20, what="an engine is at the gate")

    # Given a row that says it, and no word in Redis
    with contextlib.closing(Database(fresh.database_url)) as opened:
        assert Erasure(opened).erase(task_id).was_stopped
    until(lambda: "lease lost" in fresh.log(), within_s=10, what="the lease is not renewed")
    (fresh.gate / "open").touch()

    until(lambda: "event=stale" in fresh.log(), within_s=10, what="the work is left")
    assert is_cancelled(fresh.status(task_id))


def test_a_recording_in_parts_is_left_with_all_of_them(fresh: Stack) -> None:
    fresh.settings |= {"LIVE_MAX_S": "1", "PART_TARGET_S": "2", "LEASE_S": "600"}
    fresh.start_api()
    fresh.start_worker(app=GATED, name="only")
    task_id = fresh.submit(plain_wav(tone(12.0, 16_000), 16_000))
    until(lambda: list(fresh.gate.glob("at-*-0")), within_s=20, what="an engine is at the gate of a part")
    assert len(rows(fresh, "SELECT * FROM parts")) > 2

    assert is_cancelled(delete(fresh, task_id).json())
    assert nothing_is_left_of(fresh, task_id)
    until(lambda: "event=told_to_stop" in fresh.log(), within_s=10, what="the worker notices")
    (fresh.gate / "open").touch()

    until(lambda: "event=stale" in fresh.log(), within_s=10, what="the part is left")
    # Expect the other parts' messages to do nothing
    until(lambda: "event=nothing_to_do" in fresh.log(), within_s=20, what="their messages are read")
    assert len(engine_calls(fresh)) == 1
    assert nothing_is_left_of(fresh, task_id)


@pytest.mark.parametrize("redone", [False, True], ids=["first", "redone"])
def test_a_summary_is_left_in_the_middle_of_the_models_call(fresh: Stack, redone: bool) -> None:
    # Given a model that begins to answer and goes silent, and nobody who waits for a live chunk
    with ModelServer(*([states.ok] if redone else []), states.silent_in_body) as server:
        fresh.settings |= {"SUMMARIZER": "ollama", "OLLAMA_URL": server.url, "LIVE_DEADLINE_S": "600"}
        fresh.start_all()
        task_id = fresh.submit(CHUNK)
        if redone:
            assert fresh.finished(task_id)["status"] == "done"
            url = f"{fresh.url}/summarize/{task_id}/resummarize"
            task_id = requests.post(url, data={"language": "fr"}, timeout=10).json()["task_id"]
        until(lambda: len(server.chats()) == 1 + redone, within_s=20, what="the model is called")

        response = delete(fresh, task_id)

        assert response.status_code == 202 and is_cancelled(response.json())
        assert server.hung_up.wait(5), "the model's call was not stopped"
    until(lambda: "event=stale" in fresh.log(), within_s=5, what="the work is left")
    assert nothing_is_left_of(fresh, task_id)
    assert is_cancelled(fresh.status(task_id))


@pytest.fixture
def jobs(fresh: Stack) -> Iterator[Jobs]:
    settings = fresh.own_settings(live_max_s=2)
    with contextlib.closing(Jobs(settings)) as made:
        yield made


class EndlessDecoder:
    """Decodes sound without an end; after some seconds of it the client changes its mind."""

    def __init__(self, change_of_mind: Callable[[], None]) -> None:
        self._change_of_mind = change_of_mind
        self.seconds = 0
        self.truncated = self.is_closed = False
        self.tracks = ()

    def decode(self, path: Path, demuxer: str, **_: object) -> "EndlessDecoder":
        return self

    def __enter__(self) -> "EndlessDecoder":
        return self

    def __exit__(self, *_: object) -> None:
        self.has_ended = True

    def __iter__(self) -> Iterator[Pcm]:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            yield np.ones(1600, np.int16)
            self.seconds += 1
            if self.seconds == 50:
                self._change_of_mind()


def test_decoding_is_left_and_what_was_decoded_is_deleted(jobs: Jobs, fresh: Stack) -> None:
    sound = jobs.connections.audio.writer()
    task_id = jobs.service.accept(REQUEST, kind=JobKind.LONG, audio_key=sound.commit(), container="wav")
    decoder = EndlessDecoder(lambda: jobs.service.cancel(task_id))
    worker = Worker(
        jobs.settings,
        jobs.lifecycle,
        make_summarizer=lambda model: FakeSummarizer(),
        transcriber=FakeTranscriber(),
        decoder=cast(AudioDecoder, decoder),
        open_decoder=lambda: contextlib.nullcontext(cast(AudioDecoder, decoder)),
    )

    worker.transcribe(task_id, "w")

    assert decoder.has_ended
    assert is_cancelled(jobs.service.status(task_id).body())
    assert nothing_is_left_of(fresh, task_id)


def test_samples_that_come_too_late_are_deleted(jobs: Jobs, fresh: Stack) -> None:
    sound = jobs.connections.audio.writer()
    task_id = jobs.service.accept(REQUEST, kind=JobKind.LONG, audio_key=sound.commit(), container="wav")
    claim = jobs.claim(task_id, Stage.TRANSCRIBE, "w")
    assert claim is not None
    jobs.service.cancel(task_id)
    pcm = jobs.connections.audio.writer()

    with pytest.raises(StaleAttempt):
        jobs.lifecycle.store_parts(claim, audio_key=pcm.commit(), audio_s=9.0, spans=[TimeSpan(0, 9)], warnings=())
    # And words that come too late, of the summary too
    jobs.lifecycle.publish(claim, Snapshot(JobState.TRANSCRIBING, transcription="secret"))
    jobs.lifecycle.notes(task_id).put("key", "a note", TimeSpan(0, 1))
    with pytest.raises(StaleAttempt):
        jobs.lifecycle.store_transcript(claim, Transcript((), "en"), audio_s=9.0, warnings=())

    assert nothing_is_left_of(fresh, task_id)


def test_notes_are_no_longer_written_ahead_of_a_cancelled_recording(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summarize_stage, "CANCEL_CHECK_INTERVAL_S", 0.0)
    sound = jobs.connections.audio.writer()
    task_id = jobs.service.accept(REQUEST, kind=JobKind.LONG, audio_key=sound.commit(), container="wav")
    work = summarize_stage.SummarizeStage(
        jobs.settings, jobs.lifecycle, make_summarizer=lambda model: FakeSummarizer(), stopping=threading.Event()
    )
    check = work._cancellation_check(task_id)
    check()

    jobs.service.cancel(task_id)

    with pytest.raises(Interrupted):
        check()


@pytest.mark.parametrize("ends_first", [True, False])
def test_a_cancel_that_meets_the_jobs_end_does_one_thing_whole(jobs: Jobs, ends_first: bool) -> None:
    task_id = jobs.service.accept(
        REQUEST, kind=JobKind.LIVE, audio_key=jobs.connections.audio.writer().commit(), container="wav"
    )
    claim = jobs.claim(task_id, Stage.TRANSCRIBE, "w")
    assert claim is not None
    if ends_first:
        jobs.lifecycle.fail(task_id, InternalError(), claim)
        jobs.service.cancel(task_id)
        with pytest.raises(JobExpired):
            jobs.service.status(task_id)
    else:
        jobs.service.cancel(task_id)
        with pytest.raises(StaleAttempt):
            jobs.lifecycle.fail(task_id, InternalError(), claim)
        assert is_cancelled(jobs.service.status(task_id).body())
