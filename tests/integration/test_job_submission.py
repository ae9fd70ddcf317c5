"""`POST /v1/jobs` and `…/resummarize` of a real service: fields, retention, repeated calls."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
import requests

from streametrics.database.idempotency import IdempotentCall
from streametrics.domain.job import JobKind, JobRequest
from streametrics.errors import QueueUnavailable
from streametrics.jobs.connections import Connections
from streametrics.jobs.service import JobService
from tests.support.media import plain_wav, tone
from tests.support.stack import Stack, until

RATE = 16_000
SOUND = plain_wav(tone(3.0, RATE), RATE)
DAY_S = 86_400


def post(service: Stack, sound: bytes = SOUND, key: str | None = None, **fields: str) -> requests.Response:
    headers = {"Idempotency-Key": key} if key is not None else {}
    files = {"audio": ("a.wav", sound)}
    return requests.post(f"{service.url}/v1/jobs", data=fields, files=files, headers=headers, timeout=30)


def get(service: Stack, path: str) -> dict[str, Any]:
    body: dict[str, Any] = requests.get(service.url + path, timeout=30).json()
    return body


def ended(service: Stack, job_id: str) -> dict[str, Any]:
    service.finished(job_id)
    return get(service, f"/v1/jobs/{job_id}")


def test_the_sound_is_enough(service: Stack) -> None:
    answer = post(service)
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert (job["kind"], job["summary_language"], job["streamer"]["name"]) == ("live", None, "")
    # Expect it to be kept for a month, and a job of /summarize/ for its hour
    job = ended(service, job["id"])
    kept = datetime.fromisoformat(job["expires_at"]) - datetime.fromisoformat(job["ended_at"])
    assert (job["status"], kept.total_seconds()) == ("completed", pytest.approx(30 * DAY_S, abs=1))
    other = ended(service, service.submit(SOUND))
    kept = datetime.fromisoformat(other["expires_at"]) - datetime.fromisoformat(other["ended_at"])
    assert kept.total_seconds() == pytest.approx(3600, abs=1)
    # Expect the summary in the language that was spoken
    summary = get(service, f"/v1/jobs/{job['id']}/summary")
    assert summary["language"] == get(service, f"/v1/jobs/{job['id']}/transcript")["language"]
    assert summary["key_moments"] == []


def test_a_recording_may_be_short_and_needs_no_summary(service: Stack) -> None:
    job_id = post(service, kind="recording", summary="none", summary_language="fr").json()["id"]
    job = ended(service, job_id)
    assert (job["kind"], job["status"], job["summary_language"]) == ("recording", "completed", None)
    assert get(service, f"/v1/jobs/{job_id}/summary")["summary_source"] == "none"
    assert get(service, f"/v1/jobs/{job_id}/transcript")["text"] == "word0 word1 word2"


def test_the_answer_says_how_much_more_is_taken(service: Stack) -> None:
    headers = post(service).headers
    assert headers["RateLimit-Policy"] == '"waiting";q=5000'
    assert headers["RateLimit"].startswith('"waiting";r=')


def test_a_bare_language_is_refused_with_the_names_of_both(service: Stack) -> None:
    answer = post(service, language="en")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert "'speech_language'" in answer.json()["detail"] and "'summary_language'" in answer.json()["detail"]


def test_every_field_at_fault_is_named(service: Stack) -> None:
    answer = post(service, kind="stream", summary="medium", title="t")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["#/kind", "#/summary"]
    # The sound too, where it is missing
    form = {"summary": (None, "medium"), "a/b": (None, "x")}
    answer = requests.post(f"{service.url}/v1/jobs", files=form, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["#/audio", "#/a~1b", "#/summary"]
    assert all(error["detail"] in answer.json()["detail"] for error in answer.json()["errors"])
    # Expect the old route to tell of the first alone
    old = requests.post(f"{service.url}/summarize/", files=form, timeout=30)
    missing = "The field 'audio' is missing: send the sound as '-F audio=@recording.wav'."
    assert (old.json()["error"], "errors" in old.json()) == (missing, False)


def test_a_repeated_call_is_answered_and_not_carried_out(service: Stack) -> None:
    key = str(uuid.uuid4())
    first = post(service, key=key, title="one")
    # When it comes again, with the quotation marks of the header's draft
    again = post(service, key=f'"{key}"', title="one")
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    assert ("Idempotent-Replayed" in first.headers, again.headers["Idempotent-Replayed"]) == (False, "true")
    # When the key comes with another title, or another sound, expect a refusal
    for other in (post(service, key=key, title="two"), post(service, SOUND + b"\0\0", key=key, title="one")):
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    # Expect no sound to be left over
    ended(service, first.json()["id"])
    until(lambda: not service.audio_files or None, within_s=30, what="no sound is left")


def test_a_busy_service_answers_a_repeated_call(fresh: Stack) -> None:
    # Given a service with room for one job, and no worker
    fresh.settings["MAX_WAITING"] = "1"
    fresh.start_api()
    first = post(fresh, key="one")
    assert first.status_code == 202
    until(lambda: post(fresh).status_code == 429, within_s=30, what="it is busy")
    sounds = len(fresh.audio_files)
    # When the call is repeated, expect its answer; with another title, that the key is taken
    again = post(fresh, key="one")
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert again.headers["Idempotent-Replayed"] == "true"
    other = post(fresh, key="one", title="another")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert post(fresh, key="two").status_code == post(fresh).status_code == 429
    assert len(fresh.audio_files) == sounds


def test_equal_calls_at_once_are_one_job(service: Stack) -> None:
    key = str(uuid.uuid4())
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: post(service, key=key), range(6)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    ended(service, answers[0].json()["id"])
    until(lambda: not service.audio_files or None, within_s=30, what="no sound is left")


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", '""'])
def test_a_key_that_is_none_is_refused(key: str, service: Stack) -> None:
    answer = post(service, key=key)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert "Idempotency-Key" in answer.json()["detail"]
    until(lambda: not service.audio_files or None, within_s=30, what="no sound is left")


def test_a_summary_is_made_anew_once(service: Stack) -> None:
    job_id = post(service).json()["id"]
    ended(service, job_id)
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    url = f"{service.url}/v1/jobs/{job_id}/resummarize"
    first = requests.post(url, data={"summary_language": "fr"}, headers=headers, timeout=30)
    again = requests.post(url, json={"summary_language": "fr"}, headers=headers, timeout=30)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"] != job_id
    assert again.headers["Idempotent-Replayed"] == "true"
    job = ended(service, first.json()["id"])
    assert (job["parent_job_id"], job["summary_language"]) == (job_id, "fr")
    assert requests.post(url, data={"language": "fr"}, timeout=30).status_code == 422


def test_kept_jobs_outlive_the_others(fresh: Stack) -> None:
    # Given a service that keeps results of /summarize/ for a second
    fresh.settings |= {"RESULT_TTL_S": "1", "JOB_RETENTION_DAYS": "1"}
    fresh.start_all()
    kept = post(fresh, key="k").json()["id"]
    ended(fresh, kept)
    short = fresh.submit(SOUND)
    # When that is over, expect the kept one to be found, listed and readable
    url = f"{fresh.url}/v1/jobs/{short}"
    until(lambda: requests.get(url, timeout=30).status_code == 410 or None, within_s=60, what="it has expired")
    assert [job["id"] for job in get(fresh, "/v1/jobs")["data"]] == [kept]
    assert get(fresh, f"/v1/jobs/{kept}/transcript")["text"] == "word0 word1 word2"
    assert fresh.status(kept)["status"] == "done"


def test_a_summary_is_made_of_what_had_none(service: Stack) -> None:
    job_id = post(service, summary="none").json()["id"]
    assert ended(service, job_id)["summary"] == "none"
    url = f"{service.url}/v1/jobs/{job_id}/resummarize"
    made = requests.post(url, json={"summary": "long"}, timeout=30).json()
    assert ended(service, made["id"])["summary"] == "long"
    assert get(service, f"/v1/jobs/{made['id']}/summary")["text"]
    assert requests.post(url, json={"summary": "none"}, timeout=30).status_code == 422


def test_a_job_says_what_was_sent_and_can_be_waited_for(service: Stack) -> None:
    sent = post(service, speech_language="French", summary="short", track="1", summary_language="auto").json()
    assert (sent["speech_language"], sent["summary"], sent["track"]) == ("fr", "short", "1")
    job = sent
    while job["status"] != "completed":
        job = get(service, f"/v1/jobs/{sent['id']}?wait=20")
        assert job["status"] in ("queued", "processing", "completed"), job
    assert job["duration_s"] == 3.0


def test_subtitles_say_whether_they_are_whole(service: Stack) -> None:
    job_id = post(service).json()["id"]
    ended(service, job_id)
    answer = requests.get(f"{service.url}/v1/jobs/{job_id}/transcript.srt", timeout=30)
    assert answer.headers["X-Transcript-Complete"] == "true"


@pytest.mark.parametrize(
    "path", ["/v1/jobs?format=csv", "/v1/jobs/ID?format=srt", "/v1/jobs/ID/transcript.srt?format=vtt", "/v1/status?x=1"]
)
def test_a_parameter_that_is_not_known_is_refused(path: str, service: Stack) -> None:
    answer = requests.get(service.url + path, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert "no parameter" in answer.json()["detail"]


def test_a_promised_job_is_kept_where_the_queue_is_away(fresh: Stack) -> None:
    # Given a call whose job's message cannot be sent, as the queue goes away after it was asked for
    fresh.start_all()
    job_service = JobService(connections := Connections(fresh.own_settings()))
    audio = connections.audio.writer()
    audio.write(SOUND)
    call = IdempotentCall("local", "POST /v1/jobs", "key", "a" * 64)

    def unsendable(message: object) -> None:
        raise QueueUnavailable

    connections.queue.send = unsendable  # type: ignore[method-assign]

    def make() -> str:
        request = JobRequest("", "en", "", "", "")
        how = {"kind": JobKind.LIVE, "audio_key": audio.commit(), "container": "wav", "call": call}
        return job_service.accept(request, **how)  # type: ignore[arg-type]

    # Expect it to be accepted, found by the repetition, and done as soon as maintenance sends its message
    job_id, was_made = job_service.once(call, make)
    assert (was_made, job_service.once(call, make)) == (False, (job_id, True))
    # A call that is known is one, unless its answer would be a result and it has none
    key = (call.owner, call.route, call.key)
    assert job_service.is_made(*key) and job_service.is_made(*key, tries_again=True)
    assert not job_service.is_made("local", call.route, "another")
    assert fresh.finished(job_id)["status"] == "done"
    job_service.cancel(job_id)
    assert (job_service.is_made(*key), job_service.is_made(*key, tries_again=True)) == (True, False)
    connections.close()


def test_a_live_job_joins_its_streamers_stream(service: Stack) -> None:
    ended(service, post(service, kind="live", streamer="Zoé /v1").json()["id"])
    ended(service, post(service, kind="recording", streamer="Zoé /v1").json()["id"])
    ended(service, post(service, streamer="Zoé /v1").json()["id"])

    def streams() -> list[dict[str, Any]] | None:
        return [
            found for found in get(service, "/v1/streams")["data"] if found["streamer"]["name"] == "Zoé /v1"
        ] or None

    (stream,) = until(streams, within_s=30, what="the chunk has joined")
    assert (stream["streamer"]["key"], stream["summary_languages"]) == ("zoé~20~2Fv1", [])
    transcript = get(service, f"/v1/streams/{stream['id']}/transcript?format=json")
    assert transcript["text"] == "word0 word1 word2"
