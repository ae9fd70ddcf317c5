"""Another summary of a transcript that is there already: a job of its own."""

import pytest
import requests

from tests.support.media import plain_wav, tone
from tests.support.stack import Stack, until

CHUNK = plain_wav(tone(3.0, 16_000), 16_000)


def redo(stack: Stack, task_id: str, **request: object) -> requests.Response:
    return requests.post(f"{stack.url}/summarize/{task_id}/resummarize", timeout=10, **request)


@pytest.mark.parametrize("how", ["data", "json"])
def test_another_language_is_a_job_of_its_own(service: Stack, how: str) -> None:
    first_id = service.submit(CHUNK, time="7", streamer="Zoë")
    first = service.finished(first_id)

    response = redo(service, first_id, **{how: {"language": "French"}})
    redone = service.finished(response.json()["task_id"])

    assert response.status_code == 200 and list(response.json()) == ["task_id"]
    assert redone["result"]["parent_task_id"] == first_id
    assert redone["result"]["summary"] == "Summary of 3 words in fr: word0 word1 word2."
    for field in ("text", "segments", "time", "streamerName", "speech_language"):
        assert redone["result"][field] == first["result"][field]
    assert service.status(first_id) == first, "the first result stays as it is"
    assert "parent_task_id" not in first["result"]


def test_a_summary_of_a_redone_job_can_be_redone(service: Stack) -> None:
    first_id = service.submit(CHUNK)
    service.finished(first_id)
    second_id = redo(service, first_id).json()["task_id"]
    service.finished(second_id)

    third = service.finished(redo(service, second_id, data={"language": "de"}).json()["task_id"])

    assert third["result"]["parent_task_id"] == second_id
    assert third["result"]["summary"].startswith("Summary of 3 words in de")


@pytest.mark.parametrize(
    "request_",
    [
        {"data": {"language": "klingonese"}},
        {"data": {"model": "no such name!"}},
        {"data": {"prompt": "x" * 501}},
        {"data": {"colour": "red"}},
        {"json": ["language"]},
        {"json": {"language": 3}},
        {"data": b"\xff\xfe", "headers": {"Content-Type": "application/json"}},
        {"data": b"language=fr", "headers": {"Content-Type": "text/plain"}},
        {"json": {"prompt": "x" * 20_000}},
    ],
)
def test_a_bad_request_is_422_with_a_sentence(service: Stack, request_: dict[str, object]) -> None:
    task_id = service.submit(CHUNK)
    service.finished(task_id)

    response = redo(service, task_id, **request_)

    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert len(response.json()["error"]) > 20


def test_an_unknown_job_is_404(service: Stack) -> None:
    assert redo(service, "3a6e1f6e-0000-4000-8000-000000000000").status_code == 404


def test_a_job_that_is_not_done_is_409_and_an_expired_one_410(fresh: Stack) -> None:
    fresh.settings["RESULT_TTL_S"] = "3"
    fresh.start_api()
    task_id = fresh.submit(CHUNK)

    waiting = redo(fresh, task_id)
    fresh.start_worker(name="all", queues="live,long,summarise", pool="solo")
    fresh.finished(task_id)
    until(lambda: redo(fresh, task_id).status_code == 410, within_s=20, what="the result has expired")

    assert (waiting.status_code, waiting.json()["code"]) == (409, "job_not_ready")
