"""An update loses nothing: what the version before left in the database and in Redis is read and finished, and what
this version leaves there is, to the letter, what that one reads and writes.

The rows, the hash and the message below are the earlier version's own, with the ids and the host's name replaced.
"""

import base64
import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from sqlalchemy import text

from streametrics.database.checkpoints import Checkpoints
from streametrics.database.engine import open_engine
from streametrics.domain.job import JobKind, JobRequest, JobState, Snapshot, Stage, Warn
from streametrics.domain.status import JobResult
from streametrics.domain.transcript import FilterReason, Segment, TimeSpan, Transcript, merge_transcripts
from tests.support.jobs import Jobs, SingleClaims
from tests.support.media import plain_wav, tone
from tests.support.stack import Stack

TASK_ID = "04ae3ed9-00a7-41cd-b6bc-ec47eda218af"

WARNINGS = '[{"code": "audio_truncated", "message": "The file is cut off."}]'
PART = (
    '{"left_out": {"guess": 2, "nobody": 3}, "language": "fr", "segments": [{"start": 0.0, "end": 1.234, '
    '"text": "Bonjour \\u00e0 tous."}, {"start": 2.5, "end": 4.0, "text": "On y va."}]}'
)
SEGMENTS = (
    '[{"start": 0.0, "end": 1.234, "text": "Bonjour \\u00e0 tous."}, {"start": 2.5, "end": 4.0, "text": "On y va."}, '
    '{"start": 60.5, "end": 91.25, "text": "Und jetzt."}]'
)
MERGED = f'{{"language": "de", "segments": {SEGMENTS}, "left_out": {{"guess": 3, "nobody": 3, "loop": 7}}}}'
MERGED_WARNINGS = (
    '[{"code": "audio_truncated", "message": "The file is cut off."}, {"code": "words_filtered", "message": "13 words '
    "were left out as invented: 3 only guessed, with hardly a voice to be heard, 3 where nobody speaks, 7 repeated in "
    'a loop."}]'
)
RESULT = (
    '{"text": "Bonjour \\u00e0 tous. On y va. Und jetzt.", "summary": "Une partie.", "time": "00:01:30", '
    '"streamerName": "Zo\\u00eb \\ud83c\\udfae", "summary_source": "ollama", "model": "mistral", '
    f'"prompt_version": "3", "speech_language": "de", "segments": {SEGMENTS}, "warnings": {MERGED_WARNINGS}}}'
)
IN_WORK = (
    '{"status":"processing","progress":0,"current_step":"transcribing","message":"Transcribing audio...",'
    '"transcription":null,"notes":[{"start":0.0,"end":4.0,"text":"a note"}],"warnings":[{"code":"audio_truncated",'
    '"message":"The file is cut off."}]}'
)
DONE = (
    f'{{"status": "done", "progress": 100, "current_step": "done", "result": {RESULT}, "warnings": {MERGED_WARNINGS}}}'
)

SNAPSHOT = {
    "attempt": "1",
    "rank": "1",
    "progress": "24",
    "seq": "1",
    "body": '{"state": "transcribing", "partial_summary": null, "eta_s": 3.25}',
    "transcription": "Bonjour",
}
#: A task message on the list `live`. The body is `[[task id], {}, {"callbacks": null, …}]`.
MESSAGE = (
    '{"body": "W1siMDRhZTNlZDktMDBhNy00MWNkLWI2YmMtZWM0N2VkYTIxOGFmIl0sIHt9LCB7ImNhbGxiYWNrcyI6IG51bGwsICJlcnJiYWNrcyI6'
    'IG51bGwsICJjaGFpbiI6IG51bGwsICJjaG9yZCI6IG51bGx9XQ==", "content-encoding": "utf-8", "content-type": '
    '"application/json", "headers": {"lang": "py", "task": "streametrics.transcribe", "id": '
    '"04ae3ed9-00a7-41cd-b6bc-ec47eda218af.transcribe.0", "shadow": null, "eta": null, "expires": null, "group": null, '
    '"group_index": null, "retries": 0, "timelimit": [null, null], "root_id": '
    '"04ae3ed9-00a7-41cd-b6bc-ec47eda218af.transcribe.0", "parent_id": null, "argsrepr": '
    '"[\'04ae3ed9-00a7-41cd-b6bc-ec47eda218af\']", "kwargsrepr": "{}", "origin": "gen1@host", "ignore_result": true, '
    '"replaced_task_nesting": 0, "stamped_headers": null, "stamps": {}}, "properties": {"correlation_id": '
    '"04ae3ed9-00a7-41cd-b6bc-ec47eda218af.transcribe.0", "reply_to": "0c85b6a0-f08b-332c-91ec-2c06c1f91e64", '
    '"delivery_mode": 2, "delivery_info": {"exchange": "", "routing_key": "live"}, "priority": 0, "body_encoding": '
    '"base64", "delivery_tag": "531acd0d-327b-4aad-90d2-e80c001298b7"}}'
)


class Store:
    """The database of a stack, with what is in its columns to the letter."""

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)

    def insert(self, table: str, **columns: object) -> None:
        values = ", ".join(_literal(value) for value in columns.values())
        with self._engine.begin() as connection:
            connection.exec_driver_sql(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})")

    def insert_job(self, **columns: object) -> None:
        now = time.time()
        fields = {"streamer": "Zoë 🎮", "language": "fr", "game": "Chess", "time_raw": "00:01:30", "title": "Finale"}
        lease = {"attempt": 0, "tries": 0, "not_before": 0.0, "sent_at": now}
        row = {"task_id": TASK_ID, "owner": "local", "kind": "long", "received_at": now, "warnings": WARNINGS}
        self.insert("jobs", **(row | fields | lease | columns))

    def column(self, name: str, task_id: str = TASK_ID) -> str | None:
        query = text(f"SELECT CAST({name} AS TEXT) FROM jobs WHERE task_id = :task_id")
        with self._engine.connect() as connection:
            return connection.execute(query, {"task_id": task_id}).scalar_one()

    def close(self) -> None:
        self._engine.dispose()


def _literal(value: object) -> str:
    match value:
        case None:
            return "NULL"
        case int() | float():
            return repr(value)
    return "'" + str(value).replace("'", "''") + "'"


@pytest.fixture
def store(fresh: Stack) -> Iterator[Store]:
    with contextlib.closing(Store(fresh.database_url)) as made:
        yield made


@pytest.fixture
def jobs(fresh: Stack) -> Iterator[Jobs]:
    settings = fresh.own_settings()
    with contextlib.closing(Jobs(settings)) as made:
        yield made


def body(jobs: Jobs) -> str:
    return json.dumps(jobs.service.status(TASK_ID).body(), ensure_ascii=False, separators=(",", ":"))


def test_a_recording_half_of_which_is_transcribed_is_finished(jobs: Jobs, store: Store) -> None:
    # Given a recording in two parts, one of which the version before has transcribed
    store.insert_job(state="transcribing", container="s16le", audio_key="pcm", audio_s=121.5, attempt=1, tries=0)
    lease = {"attempt": 0, "tries": 0, "not_before": 0.0}
    part = {"task_id": TASK_ID, "part_index": 0, "start_s": 0.0, "end_s": 60.0}
    store.insert("parts", **part, **(lease | {"attempt": 1}), transcript=PART)
    store.insert("parts", **(part | {"part_index": 1, "start_s": 60.0, "end_s": 121.5}), **lease)
    store.insert("notes", task_id=TASK_ID, key="k", text="a note", start_s=0.0, end_s=4.0)
    assert body(jobs) == IN_WORK

    # When this version transcribes the other one
    claims, checkpoints = (
        SingleClaims(jobs.connections.database, lease_s=60, deadline_s=600),
        Checkpoints(jobs.connections.database),
    )
    claim = claims.claim(TASK_ID, Stage.TRANSCRIBE, "w")
    assert claim is not None and claim.part_index == 1
    heard = Transcript((Segment(0.5, 31.25, "Und jetzt."),), "de", {FilterReason.LOOP: 7, FilterReason.GUESS: 1})
    checkpoints.store_part(claim, heard, merge_transcripts)

    # Expect the row that the version before would have written, and the same of the summary
    assert store.column("transcript") == MERGED
    assert store.column("warnings") == MERGED_WARNINGS
    claim = claims.claim(TASK_ID, Stage.SUMMARIZE, "w")
    assert claim is not None and claim.transcript is not None
    assert claim.request == JobRequest("Zoë 🎮", "fr", "Chess", "00:01:30", "Finale")
    result = JobResult(claim.transcript, "Une partie.", "ollama", "mistral", claim.warnings, prompt_version="3")
    checkpoints.finish(claim, result)
    assert store.column("result") == RESULT
    assert store.column("warnings") == MERGED_WARNINGS
    assert body(jobs) == json.dumps(json.loads(DONE), ensure_ascii=False, separators=(",", ":"))


def test_a_transcript_is_stored_in_a_form_that_both_read(jobs: Jobs, store: Store) -> None:
    store.insert_job(state="queued", kind="live", container="wav", audio_key="key")
    claim = SingleClaims(jobs.connections.database, lease_s=60, deadline_s=600).claim(TASK_ID, Stage.TRANSCRIBE, "w")
    assert claim is not None
    segments = (Segment(0.0, 1.2345, "Bonjour à tous."), Segment(2.5, 4.0, "On y va."))
    heard = Transcript(segments, "fr", {FilterReason.GUESS: 2, FilterReason.NOBODY: 3})

    truncated = Warn("audio_truncated", "The file is cut off.")
    Checkpoints(jobs.connections.database).store_transcript(claim, heard, audio_s=4.0, warnings=(truncated,))

    # But for the order of its keys
    assert json.loads(store.column("transcript") or "") == json.loads(PART)
    assert store.column("transcript") == json.dumps(Transcript.from_json(json.loads(PART)).to_json())


def test_a_result_is_told_as_it_was_stored_and_can_be_summarized_anew(jobs: Jobs, store: Store) -> None:
    store.insert_job(state="done", result=RESULT, warnings=MERGED_WARNINGS, finished_at=time.time())

    assert body(jobs) == json.dumps(json.loads(DONE), ensure_ascii=False, separators=(",", ":"))
    redone = jobs.service.resummarize(TASK_ID, language="en", model=None, extra_instruction="")

    assert store.column("transcript", redone) == f'{{"language": "de", "segments": {SEGMENTS}}}'
    assert store.column("warnings", redone) == MERGED_WARNINGS


def test_notes_are_stored_with_their_times(jobs: Jobs, store: Store) -> None:
    store.insert_job(state="summarizing", transcript=MERGED)
    jobs.lifecycle.notes(TASK_ID).put("timed", "a note", TimeSpan(0.0, 4.0))
    jobs.lifecycle.notes(TASK_ID).put("of notes", "another")

    with jobs.connections.database.read() as connection:
        found = connection.execute(text("SELECT key, text, start_s, end_s FROM notes ORDER BY key")).all()

    assert [tuple(row) for row in found] == [("of notes", "another", None, None), ("timed", "a note", 0.0, 4.0)]


def test_progress_is_read_and_written_in_one_form(jobs: Jobs, fresh: Stack) -> None:
    told = Snapshot(JobState.TRANSCRIBING, progress=24, transcription="Bonjour", eta_s=3.25)
    with redis.Redis.from_url(fresh.redis_url, decode_responses=True) as client:
        client.hset("streametrics:job:{before}:now", mapping=SNAPSHOT)
        jobs.connections.progress.publish("now", 1, told)

        assert jobs.connections.progress.snapshot("before") == told
        assert client.hgetall("streametrics:job:{now}:now") == SNAPSHOT


def test_a_job_that_waits_in_the_queue_is_done(fresh: Stack, jobs: Jobs, store: Store) -> None:
    # Given an upload, its row and its message, as the version before has left them
    upload = jobs.connections.audio.writer()
    upload.write(plain_wav(tone(3.0, 16_000), 16_000))
    store.insert_job(state="queued", kind="live", container="wav", audio_key=upload.commit(), warnings="[]")
    with redis.Redis.from_url(fresh.redis_url) as client:
        client.lpush("live", MESSAGE)
    # Nobody sends it again
    fresh.settings |= {"RESEND_AFTER_S": "600"}
    fresh.start_api()

    fresh.start_worker(name="all", queues="live,long,summarise", pool="solo")

    result = fresh.finished(TASK_ID)["result"]
    assert (result["text"], result["streamerName"], result["time"]) == ("word0 word1 word2", "Zoë 🎮", "00:01:30")


def test_a_message_has_the_form_that_the_version_before_reads(fresh: Stack, jobs: Jobs) -> None:
    request = JobRequest(streamer="s", language="en", game="", time="0", title="")
    task_id = jobs.service.accept(
        request, kind=JobKind.LIVE, audio_key=jobs.connections.audio.writer().commit(), container="wav"
    )

    with redis.Redis.from_url(fresh.redis_url, decode_responses=True) as client:
        [sent] = client.lrange("live", 0, -1)

    assert _lasting(sent, task_id) == _lasting(MESSAGE, TASK_ID)


def _lasting(message: str, task_id: str) -> dict[str, Any]:
    """What does not depend on the sender and the moment."""
    read: dict[str, Any] = json.loads(message.replace(task_id, "the job's id"))
    read["body"] = base64.b64decode(read["body"]).decode().replace(task_id, "the job's id")
    del read["headers"]["origin"], read["properties"]["reply_to"], read["properties"]["delivery_tag"]
    return read
