"""OpenAI's official client against the real service: every format, streaming, errors as sentences, repeated calls."""

import asyncio
import io
import json
import threading
from collections.abc import Iterator
from typing import Any

import openai
import pytest
import requests

from tests.support.media import plain_wav, tone
from tests.support.stack import Stack, until
from tests.support.subtitle_lint import violations

RATE = 16_000


def sound(seconds: float = 3.0, level: float = 0.5) -> io.BytesIO:
    """A file of its own for each length: equal ones are one job."""
    file = io.BytesIO(plain_wav(tone(seconds, RATE, level=level), RATE))
    file.name = "speech.wav"
    return file


@pytest.fixture
def client(service: Stack) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="any", max_retries=0, timeout=60) as made:
        yield made


def test_the_default_is_text_in_json(client: openai.OpenAI) -> None:
    answer = client.audio.transcriptions.create(file=sound(), model="whisper-1")
    assert answer.text == "word0 word1 word2"
    assert answer.usage is not None
    assert (answer.usage.type, answer.usage.seconds) == ("duration", 3)


@pytest.mark.parametrize("kind", ["text", "srt", "vtt"])
def test_text_and_subtitles_are_strings(kind: Any, client: openai.OpenAI) -> None:
    answer: Any = client.audio.transcriptions.create(file=sound(), model="whisper-1", response_format=kind)
    assert isinstance(answer, str)
    if kind == "text":
        assert answer == "word0 word1 word2\n"
    else:
        assert violations(answer, kind) == []
        assert "word0" in answer


def test_verbose_json_has_segments_and_words_when_asked(client: openai.OpenAI) -> None:
    plain = client.audio.transcriptions.create(file=sound(), model="any-name", response_format="verbose_json")
    assert (plain.text, plain.language, plain.duration) == ("word0 word1 word2", "english", 3.0)
    assert plain.segments and not plain.words
    assert plain.segments[0].start == 0.0
    asked = client.audio.transcriptions.create(
        file=sound(), model="m", response_format="verbose_json", timestamp_granularities=["word", "segment"]
    )
    assert asked.words is not None
    assert asked.segments == plain.segments


def test_a_stream_grows_to_the_whole(client: openai.OpenAI) -> None:
    events = list(client.audio.transcriptions.create(file=sound(4.0), model="m", stream=True))
    deltas = "".join(event.delta for event in events if event.type == "transcript.text.delta")
    assert events[-1].type == "transcript.text.done"
    assert deltas == events[-1].text == "word0 word1 word2 word3"


def test_no_proxy_holds_a_stream_back(service: Stack) -> None:
    form = {"files": {"file": sound(4.0)}, "data": {"model": "m", "stream": "true"}}
    answer = requests.post(f"{service.url}/v1/audio/transcriptions", timeout=60, **form)  # type: ignore[arg-type]
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert (answer.headers["Cache-Control"], answer.headers["X-Accel-Buffering"]) == ("no-cache", "no")


def test_a_failure_in_a_stream_is_raised_as_a_sentence(client: openai.OpenAI) -> None:
    broken = io.BytesIO(b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(200))
    broken.name = "broken.wav"
    with pytest.raises(openai.APIError, match="No sound could be read"):
        list(client.audio.transcriptions.create(file=broken, model="m", stream=True))


def test_the_asynchronous_client_and_raw_answers_work(service: Stack) -> None:
    async def ask() -> tuple[str, str | None, str]:
        async with openai.AsyncOpenAI(base_url=f"{service.url}/v1", api_key="any", max_retries=0) as client:
            raw = await client.audio.transcriptions.with_raw_response.create(file=sound(), model="m")
            stream = await client.audio.transcriptions.create(file=sound(), model="m", stream=True)
            last = [event async for event in stream][-1]
            return raw.parse().text, raw.request_id, last.type

    text, request_id, last = asyncio.run(ask())
    assert (text, last) == ("word0 word1 word2", "transcript.text.done")
    assert request_id


def test_weights_of_ones_own_have_a_name_and_no_path(fresh: Stack) -> None:
    fresh.settings["WHISPER_MODEL"] = str(fresh.folder / "ours.pt")
    fresh.start_api()
    listed = requests.get(f"{fresh.url}/v1/models", timeout=30)
    assert [model["id"] for model in listed.json()["data"]] == ["ours", "whisper-1"]
    assert requests.get(f"{fresh.url}/v1/models/ours", timeout=30).json()["id"] == "ours"
    assert str(fresh.folder) not in listed.text


def test_models_are_listed_and_found(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert "whisper-1" in names
    assert client.models.retrieve("whisper-1").object == "model"
    with pytest.raises(openai.NotFoundError, match="GET /v1/models lists") as refused:
        client.models.retrieve("nothing")
    assert refused.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("arguments", "code", "param", "sentence"),
    [
        ({"response_format": "diarized_json"}, "unsupported_value", "response_format", "voices are not told apart"),
        ({"response_format": "docx"}, "unsupported_value", "response_format", "json, text, srt"),
        ({"timestamp_granularities": ["letter"]}, "unsupported_value", "timestamp_granularities", "'word'"),
        ({"language": "klingonish"}, "invalid_request", None, "Unknown language"),
        ({"prompt": "x" * 100_000}, "invalid_request", None, "too long"),
        ({"prompt": "a\x00b"}, "unsupported_value", "prompt", "null character"),
        ({"file": ("a.wav", b"just some text, no sound")}, "audio_unsupported", None, "not a sound or video"),
        ({"file": ("a.wav", b"")}, "audio_empty", None, "empty"),
        ({"file": ("a.wav", b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(300))}, "audio_unreadable", None, "No sound"),
    ],
)
def test_what_is_wrong_is_400_and_a_sentence(
    arguments: dict[str, Any], code: str, param: str | None, sentence: str, client: openai.OpenAI
) -> None:
    with pytest.raises(openai.BadRequestError, match=sentence) as refused:
        client.audio.transcriptions.create(**{"file": sound(), "model": "m", **arguments})
    assert (refused.value.code, refused.value.param) == (code, param)
    # Expect one body for both conventions
    body = refused.value.response.json()
    assert refused.value.response.headers["Content-Type"] == "application/problem+json"
    assert (body["status"], body["code"], body["detail"]) == (400, code, body["error"]["message"])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/audio", 404),
        ("POST", "/v1/audio/speech", 404),
        ("GET", "/v1/audio/translations", 405),
        ("POST", "/v1/chat/completions", 404),
        ("GET", "/v1/audio/transcriptions", 405),
        ("DELETE", "/v1/models", 405),
        ("GET", "/v1/models/a/b", 404),
        ("GET", "/v1", 404),
    ],
)
def test_what_is_not_there_is_a_sentence_too(method: str, path: str, status: int, service: Stack) -> None:
    answer = requests.request(method, service.url + path, timeout=30)
    body = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.status_code == body["status"] == status
    assert body["error"]["message"] == body["detail"]
    assert "/openapi.json" in body["detail"]


def test_its_client_shows_the_sentence(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="There is nothing at this address"):
        client.embeddings.create(model="m", input="words")


def test_without_a_file_or_a_form_it_is_a_sentence(service: Stack) -> None:
    url = f"{service.url}/v1/audio/transcriptions"
    missing = requests.post(url, files={"model": (None, "m")}, timeout=30)
    assert (missing.status_code, missing.json()["error"]["type"]) == (400, "invalid_request_error")
    assert "'file' is missing" in missing.json()["error"]["message"]
    assert "-F file=@" in requests.post(url, json={}, timeout=30).json()["error"]["message"]
    named = requests.post(url, files={"audio": ("a.wav", sound().read())}, timeout=30)
    assert "'file'" in named.json()["detail"]


def test_a_large_file_is_refused_by_its_limit(service: Stack) -> None:
    url = f"{service.url}/v1/audio/transcriptions"
    answer = requests.post(url, files={"file": ("a.wav", bytes(6_000_000))}, timeout=30)
    assert answer.status_code == 413
    assert "MAX_UPLOAD_MB" in answer.json()["error"]["message"]


def test_a_wrong_key_is_what_clients_call_one(fresh: Stack) -> None:
    fresh.settings["INTERNAL_API_KEY"] = "the operator's own key, long enough"
    fresh.start_api()
    with openai.OpenAI(base_url=f"{fresh.url}/v1", api_key="wrong", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError) as refused:
            client.audio.transcriptions.create(file=sound(), model="m")
        assert refused.value.code == "invalid_api_key"
        with pytest.raises(openai.AuthenticationError):
            client.models.list()


def test_equal_requests_are_one_job_and_others_are_not(fresh: Stack) -> None:
    # Given two equal requests at once while no worker runs, whose clients wait
    fresh.start_api()
    texts: list[str] = []

    def ask(**more: Any) -> None:
        with openai.OpenAI(base_url=f"{fresh.url}/v1", api_key="any", max_retries=0, timeout=90) as client:
            texts.append(client.audio.transcriptions.create(file=sound(5.0), model="m", **more).text)

    waiting = [threading.Thread(target=ask) for _ in range(2)]
    for thread in waiting:
        thread.start()

    def listed() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = requests.get(f"{fresh.url}/v1/jobs", timeout=30).json()["data"]
        return found

    until(lambda: len(listed()) >= 1 and len(fresh.audio_files) == 1, within_s=30, what="the job is there")
    fresh.start_worker(name="transcribe")
    for thread in waiting:
        thread.join(timeout=60)
    assert texts == ["word0 word1 word2 word3 word4"] * 2
    assert len(listed()) == 1
    # When it is asked again, expect the same job; in another language, or of other sound, another one
    ask()
    assert len(listed()) == 1
    ask(language="de")
    assert len(listed()) == 2
    until(lambda: not fresh.audio_files, within_s=30, what="no sound is kept, the repeated upload neither")


def test_a_job_goes_on_when_its_client_leaves_and_makes_no_summary(fresh: Stack) -> None:
    fresh.start_api()
    url = f"{fresh.url}/v1/audio/transcriptions"
    with pytest.raises(requests.ReadTimeout):
        requests.post(url, files={"file": ("a.wav", sound(2.0).read())}, timeout=(5, 1.5))
    fresh.start_worker(name="transcribe")
    fresh.start_worker(name="summarise", queues="summarise", pool="threads")
    [job] = requests.get(f"{fresh.url}/v1/jobs", timeout=30).json()["data"]
    status = fresh.finished(job["id"])
    assert status["status"] == "done"
    assert (status["result"]["text"], status["result"]["summary"]) == ("word0 word1", "")
    assert status["result"]["summary_source"] == "none"
    # Expect its client's retry to find it
    answer = requests.post(url, files={"file": ("a.wav", sound(2.0).read())}, timeout=30)
    assert json.loads(answer.content)["text"] == "word0 word1"
    assert len(requests.get(f"{fresh.url}/v1/jobs", timeout=30).json()["data"]) == 1


def test_what_somebody_stops_is_not_started_again_by_the_client_that_waits(fresh: Stack) -> None:
    # Given clients with their usual retries, who wait while no worker runs
    fresh.start_api()
    refused: list[tuple[int | None, str]] = []

    def ask(seconds: float, stream: bool) -> None:
        with openai.OpenAI(base_url=f"{fresh.url}/v1", api_key="any", timeout=60) as client:
            try:
                list(client.audio.transcriptions.create(file=sound(seconds), model="m", stream=stream))  # type: ignore[call-overload]
            except openai.APIError as error:
                refused.append((getattr(error, "status_code", None), error.message))

    waiting = [threading.Thread(target=ask, args=arguments) for arguments in ((2.0, False), (3.0, True))]
    for thread in waiting:
        thread.start()

    def listed() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = requests.get(f"{fresh.url}/v1/jobs", timeout=30).json()["data"]
        return found

    until(lambda: len(listed()) == 2, within_s=30, what="both jobs are there")
    for job in listed():
        requests.delete(f"{fresh.url}/v1/jobs/{job['id']}", timeout=30).raise_for_status()
    for thread in waiting:
        thread.join(timeout=60)
    assert {status for status, _ in refused} == {410, None}
    assert all("The job was cancelled" in message for _, message in refused)
    assert [job["status"] for job in listed()] == ["cancelled", "cancelled"]


def test_an_expired_result_is_transcribed_anew(fresh: Stack) -> None:
    fresh.settings |= {"RESULT_TTL_S": "1", "MAINTENANCE_INTERVAL_S": "600"}
    fresh.start_api()
    fresh.start_worker(name="transcribe")
    fresh.start_worker(name="summarise", queues="summarise", pool="threads")
    with openai.OpenAI(base_url=f"{fresh.url}/v1", api_key="any", max_retries=0, timeout=60) as client:
        assert client.audio.transcriptions.create(file=sound(2.0), model="m").text == "word0 word1"
        url = f"{fresh.url}/v1/jobs"
        [job] = requests.get(url, timeout=30).json()["data"]
        until(lambda: requests.get(f"{url}/{job['id']}", timeout=30).status_code == 410, within_s=30, what="it expires")
        assert client.audio.transcriptions.create(file=sound(2.0), model="m").text == "word0 word1"


def test_a_call_with_a_key_is_carried_out_once(client: openai.OpenAI) -> None:
    create, headers = client.audio.transcriptions.with_raw_response.create, {"Idempotency-Key": "of-my-own"}
    first = create(file=sound(2.2), model="m", extra_headers=headers)
    again = create(file=sound(2.2), model="m", extra_headers=headers)
    assert first.parse().text == again.parse().text == "word0 word1"
    assert ("Idempotent-Replayed" in first.headers, again.headers["Idempotent-Replayed"]) == (False, "true")
    assert again.headers["RateLimit"].startswith('"waiting";r=')
    # When it comes with another sound, expect an error that the client shows as a sentence
    with pytest.raises(openai.UnprocessableEntityError, match="another request"):
        create(file=sound(2.4), model="m", extra_headers=headers)
    with pytest.raises(openai.BadRequestError, match="Idempotency-Key"):
        create(file=sound(2.2), model="m", extra_headers={"Idempotency-Key": "x" * 300})


def test_a_call_that_failed_is_a_new_one_with_its_key(client: openai.OpenAI, service: Stack) -> None:
    bad, headers = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(200), {"Idempotency-Key": "of-a-failure"}
    for _ in range(2):
        with pytest.raises(openai.BadRequestError):
            client.audio.transcriptions.create(file=("a.wav", bad), model="m", extra_headers=headers)
    failed = requests.get(f"{service.url}/v1/jobs?status=failed&limit=2", timeout=30).json()["data"]
    assert len({job["created_at"] for job in failed}) == 2
