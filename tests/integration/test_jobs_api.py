"""`/v1/jobs` of a real service: lists, one job, its transcript and summary in every format, problems, owners."""

import json
import re
from datetime import datetime
from typing import Any

import pytest
import requests

from tests.support.media import plain_wav, tone
from tests.support.stack import Stack, until
from tests.support.subtitle_lint import violations

RATE = 16_000
SOUND = plain_wav(tone(3.0, RATE), RATE)
NOBODY = "3a6e1f6e-0000-4000-8000-000000000000"


def get(service: Stack, path: str, key: str = "", **params: Any) -> requests.Response:
    headers = {"X-API-Key": key} if key else {}
    return requests.get(service.url + path, params=params, headers=headers, timeout=30)


def problem(answer: requests.Response) -> dict[str, Any]:
    """The body of a refusal, which is one after RFC 9457."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == answer.status_code
    assert body["type"] == f"/problems/{body['code']}"
    assert body["title"] and body["detail"].endswith(".")
    # Its type is a page that explains it, to whoever reads it
    page = requests.get(answer.url.partition("/v1")[0] + body["type"], timeout=30)
    assert page.status_code == 200
    assert f"<h1>{body['code']}</h1>" in page.text
    return body


@pytest.fixture(scope="module")
def done(service: Stack) -> str:
    task_id = service.submit(SOUND, streamer="Zoé_TV", title="Chess")
    service.finished(task_id)
    return task_id


def test_a_job_says_where_it_stands(service: Stack, done: str) -> None:
    job = get(service, f"/v1/jobs/{done}").json()
    assert (job["id"], job["status"], job["step"], job["progress"]) == (done, "completed", None, 100)
    assert job["streamer"] == {"key": "zoé_tv", "name": "Zoé_TV"}
    assert (job["title"], job["kind"], job["error"], job["parent_job_id"]) == ("Chess", "live", None, None)
    created, ended, expires = (datetime.fromisoformat(job[name]) for name in ("created_at", "ended_at", "expires_at"))
    assert created <= ended < expires
    assert job["created_at"].endswith("Z")


@pytest.mark.parametrize("kind", ["srt", "vtt"])
def test_a_transcript_is_had_in_every_format(kind: str, service: Stack, done: str) -> None:
    path = f"/v1/jobs/{done}/transcript"
    body = get(service, path).json()
    assert body["complete"] is True
    assert body["text"] == get(service, path, format="txt").text.rstrip("\n") == service.status(done)["result"]["text"]
    assert [segment["id"] for segment in body["segments"]] == list(range(len(body["segments"])))
    # Its words and their times are still there when it is done
    assert body["word_times"] is True
    assert [word["text"].strip() for segment in body["segments"] for word in segment["words"]] == body["text"].split()
    subtitles = get(service, path, format=kind)
    assert subtitles.headers["Content-Type"].startswith({"srt": "application/x-subrip", "vtt": "text/vtt"}[kind])
    assert violations(subtitles.text, kind) == []
    assert subtitles.text.count(" --> ") >= 1
    # Expect the same under an address of its own, which generated clients can read
    for suffix, same in ((kind, subtitles), ("txt", get(service, path, format="txt"))):
        answer = get(service, f"{path}.{suffix}")
        assert (answer.text, answer.headers["Content-Type"]) == (same.text, same.headers["Content-Type"])
    assert get(service, f"{path}.docx").status_code == 422


def test_a_summary_is_data_or_text(service: Stack, done: str) -> None:
    body = get(service, f"/v1/jobs/{done}/summary").json()
    result = service.status(done)["result"]
    assert (body["text"], body["summary_source"]) == (result["summary"], result["summary_source"])
    assert body["complete"] is True
    assert get(service, f"/v1/jobs/{done}/summary", format="txt").text == f"{result['summary']}\n"
    assert get(service, f"/v1/jobs/{done}/summary.txt").text == f"{result['summary']}\n"


def test_jobs_are_listed_in_pages_the_newest_first(service: Stack) -> None:
    sent = [service.submit(SOUND) for _ in range(3)]
    for task_id in sent:
        service.finished(task_id)
    found: list[str] = []
    cursor = None
    while True:
        page = get(service, "/v1/jobs", limit=2, **({"cursor": cursor} if cursor else {})).json()
        found += [job["id"] for job in page["data"]]
        assert len(page["data"]) <= 2
        if (cursor := page["next_cursor"]) is None:
            break
    assert found[:3] == sent[::-1]
    assert len(found) == len(set(found))
    times = [get(service, f"/v1/jobs/{task_id}").json()["created_at"] for task_id in found]
    assert times == sorted(times, reverse=True)


def test_the_last_page_has_no_next_one(fresh: Stack) -> None:
    fresh.start_api()
    for _ in range(3):
        fresh.submit(SOUND)
    assert get(fresh, "/v1/jobs", limit=3).json()["next_cursor"] is None
    assert get(fresh, "/v1/jobs", limit=2).json()["next_cursor"] is not None


def test_each_status_lists_its_own_jobs(fresh: Stack) -> None:
    # Given jobs in every state: done, failed, cancelled, and one that waits for its worker
    fresh.start_all()
    done = fresh.submit(SOUND)
    failed = fresh.submit(b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(200))
    for task_id in (done, failed):
        fresh.finished(task_id)
    fresh.stop()
    fresh.start_api()
    cancelled, waiting = fresh.submit(SOUND), fresh.submit(SOUND)
    assert requests.delete(f"{fresh.url}/v1/jobs/{cancelled}", timeout=30).status_code == 204
    expected = {"completed": done, "failed": failed, "cancelled": cancelled, "queued": waiting}
    for status, task_id in expected.items():
        jobs = get(fresh, "/v1/jobs", status=status).json()["data"]
        assert [(job["id"], job["status"]) for job in jobs] == [(task_id, status)]
        assert get(fresh, f"/v1/jobs/{task_id}").json()["status"] == status
    assert get(fresh, "/v1/jobs", status="processing").json() == {"data": [], "next_cursor": None}
    assert get(fresh, f"/v1/jobs/{failed}").json()["error"]["code"] == "audio_unreadable"
    # Expect what is not there yet, or never will be, to be a sentence
    for task_id in (failed, cancelled, waiting):
        for what in ("transcript", "summary"):
            assert problem(get(fresh, f"/v1/jobs/{task_id}/{what}"))["code"] == "job_not_ready"
    # When a finished one is deleted, expect it to be gone from lists, and its id to say so
    assert requests.delete(f"{fresh.url}/v1/jobs/{done}", timeout=30).status_code == 204
    assert get(fresh, "/v1/jobs", status="completed").json()["data"] == []
    for path in (f"/v1/jobs/{done}", f"/v1/jobs/{done}/transcript", f"/v1/jobs/{done}/summary"):
        assert (get(fresh, path).status_code, problem(get(fresh, path))["code"]) == (410, "job_expired")


def test_a_transcript_is_there_before_the_summary(fresh: Stack) -> None:
    fresh.start_api()
    fresh.start_worker(name="transcribe")
    task_id = fresh.submit(SOUND)
    until(lambda: fresh.status(task_id).get("progress") == 50, within_s=30, what="it is transcribed")
    body = get(fresh, f"/v1/jobs/{task_id}/transcript").json()
    assert body["complete"] is True
    assert body["segments"]
    job = get(fresh, f"/v1/jobs/{task_id}").json()
    assert (job["status"], job["step"], job["progress"]) == ("processing", "transcribed", 50)
    assert get(fresh, f"/v1/jobs/{task_id}/transcript", format="srt").status_code == 200
    assert problem(get(fresh, f"/v1/jobs/{task_id}/summary"))["code"] == "job_not_ready"


@pytest.mark.parametrize(
    ("path", "params", "status", "code"),
    [
        (f"/v1/jobs/{NOBODY}", {}, 404, "job_unknown"),
        (f"/v1/jobs/{NOBODY}/transcript", {}, 404, "job_unknown"),
        ("/v1/jobs/%00", {}, 404, "job_unknown"),
        ("/v1/jobs", {"limit": 0}, 422, "invalid_request"),
        ("/v1/jobs", {"limit": 101}, 422, "invalid_request"),
        ("/v1/jobs", {"limit": "many"}, 422, "invalid_request"),
        ("/v1/jobs", {"status": "done"}, 422, "invalid_request"),
        ("/v1/jobs", {"cursor": "x"}, 422, "invalid_request"),
        ("/v1/jobs", {"cursor": "WzEsIlx1MDAwMCJd"}, 422, "invalid_request"),
        ("/v1/jobs", {"cursor": "W05hTiwiYSJd"}, 422, "invalid_request"),
        ("/v1/nothing", {}, 404, "not_found"),
    ],
)
def test_what_is_wrong_is_a_problem(path: str, params: dict[str, Any], status: int, code: str, service: Stack) -> None:
    answer = get(service, path, **params)
    assert (answer.status_code, problem(answer)["code"]) == (status, code)


def test_an_unknown_format_is_refused_by_name(service: Stack, done: str) -> None:
    for what in ("transcript", "summary"):
        body = problem(get(service, f"/v1/jobs/{done}/{what}", format="docx"))
        assert [error["pointer"] for error in body["errors"]] == ["#/format"]
        assert "format" in body["detail"]


def test_others_see_nothing_of_a_job(fresh: Stack) -> None:
    ada, bob, admin = (
        fresh.add_key(name, scope) for name, scope in (("ada", "submit"), ("bob", "submit"), ("x", "admin"))
    )
    reader = fresh.add_key("reader", "read", "--for", "ada")
    fresh.start_all()
    answer = requests.post(
        f"{fresh.url}/summarize/",
        data={"streamer": "s", "language": "en", "game": "", "time": "1", "title": ""},
        files={"audio": ("a.wav", SOUND)},
        headers={"X-API-Key": ada},
        timeout=30,
    )
    task_id = answer.json()["task_id"]
    job = f"/v1/jobs/{task_id}"
    until(lambda: get(fresh, job, ada).json()["status"] == "completed", within_s=60, what="it is done")
    for path in (job, f"{job}/transcript", f"{job}/summary"):
        assert [get(fresh, path, key).status_code for key in (ada, reader, admin, bob, "")] == [200, 200, 200, 404, 401]
        stranger, never = get(fresh, path, bob), get(fresh, path.replace(task_id, NOBODY), bob)
        assert stranger.content == never.content
    listed = {
        key: [each["id"] for each in get(fresh, "/v1/jobs", key).json()["data"]] for key in (ada, reader, admin, bob)
    }
    assert list(listed.values()) == [[task_id]] * 3 + [[]]
    codes = [
        requests.delete(fresh.url + job, headers={"X-API-Key": key} if key else {}, timeout=30).status_code
        for key in (reader, bob, "", ada)
    ]
    assert codes == [403, 404, 401, 204]


@pytest.mark.parametrize("code", ["nothing", "<script>", "%00"])
def test_a_code_that_is_none_has_no_page(code: str, service: Stack) -> None:
    assert get(service, f"/problems/{code}").status_code == 404


def test_an_old_clients_errors_stay_as_they_were(service: Stack) -> None:
    answer = get(service, f"/summarize/status/{NOBODY}")
    assert answer.headers["Content-Type"] == "application/json"
    assert set(answer.json()) == {"status", "progress", "current_step", "error", "message", "code"}
    assert not re.search("problems", json.dumps(answer.json()))
