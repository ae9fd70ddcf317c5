"""Translations by OpenAI's official client, and answers as text on paths of their own."""

import asyncio
import io
from collections.abc import Iterator
from typing import Any

import openai
import pytest
import requests

from tests.support.media import plain_wav, tone
from tests.support.stack import Stack
from tests.support.subtitle_lint import violations

#: Its client calls them deprecated, as OpenAI's newer models have none.
pytestmark = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")

RATE = 16_000


def sound(seconds: float = 3.0) -> io.BytesIO:
    file = io.BytesIO(plain_wav(tone(seconds, RATE), RATE))
    file.name = "speech.wav"
    return file


@pytest.fixture
def client(service: Stack) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="any", max_retries=0, timeout=60) as made:
        yield made


def test_a_translation_has_its_own_shapes(client: openai.OpenAI) -> None:
    create = client.audio.translations.create
    plain = create(file=sound(), model="whisper-1", prompt="Zoé", temperature=0)
    assert plain.model_dump() == {"text": "english0 english1 english2"}
    verbose = create(file=sound(), model="m", response_format="verbose_json")
    assert (verbose.text, verbose.language, verbose.duration) == (plain.text, "english", 3.0)
    assert verbose.segments and verbose.segments[0].text == "english0"
    assert not {"usage", "words"} & set(verbose.model_dump())
    assert create(file=sound(), model="m", response_format="text") == f"{plain.text}\n"
    for kind in ("srt", "vtt"):
        subtitles: Any = create(file=sound(), model="m", response_format=kind)  # type: ignore[call-overload]
        assert violations(subtitles, kind) == []
        assert "english0" in subtitles


def test_a_translation_is_never_taken_for_a_transcription(client: openai.OpenAI) -> None:
    headers, file = {"Idempotency-Key": "of-both"}, sound(2.6)
    texts = [
        create(file=file, model="m", language="en", extra_headers=headers).text
        for create in (client.audio.transcriptions.create, _translated(client), client.audio.transcriptions.create)
    ]
    assert texts == ["word0 word1 word2", "english0 english1 english2", "word0 word1 word2"]


def _translated(client: openai.OpenAI) -> Any:
    """Of `translations.create`, with the spoken language as its client lets it be sent."""
    create = client.audio.translations.create
    return lambda language, **given: create(extra_body={"language": language}, **given)


def test_the_asynchronous_client_translates(service: Stack) -> None:
    async def ask() -> str:
        async with openai.AsyncOpenAI(base_url=f"{service.url}/v1", api_key="any", max_retries=0) as client:
            raw = await client.audio.translations.with_raw_response.create(file=sound(), model="m")
            return raw.parse().text

    assert asyncio.run(ask()) == "english0 english1 english2"


@pytest.mark.parametrize(
    ("path", "kind", "starts"),
    [
        ("transcriptions.txt", "text/plain", "word0 word1"),
        ("transcriptions.srt", "application/x-subrip", "1\n"),
        ("translations.txt", "text/plain", "english0 english1"),
        ("translations.vtt", "text/vtt", "WEBVTT"),
    ],
)
def test_text_has_paths_of_its_own(path: str, kind: str, starts: str, service: Stack) -> None:
    # Whatever the form says besides
    form = {"data": {"stream": "true", "response_format": "json"}, "files": {"file": sound()}}
    answer = requests.post(f"{service.url}/v1/audio/{path}", timeout=60, **form)  # type: ignore[arg-type]
    assert answer.headers["Content-Type"] == f"{kind}; charset=utf-8"
    assert answer.text.startswith(starts)


def test_a_translation_is_refused_by_name_where_the_model_knows_none(fresh: Stack) -> None:
    fresh.settings["WHISPER_MODEL"] = "tiny.en"
    fresh.start_api()
    with openai.OpenAI(base_url=f"{fresh.url}/v1", api_key="any", max_retries=0) as client:
        with pytest.raises(openai.BadRequestError, match=r"'tiny.en' knows English alone") as refused:
            client.audio.translations.create(file=sound(), model="m", response_format="docx")  # type: ignore[call-overload]
        body = refused.value.response.json()
        assert [error["pointer"] for error in body["errors"]] == ["#/model", "#/response_format"]


def test_a_recording_is_translated_in_parts(service: Stack) -> None:
    # Given more than a chunk, which is cut into parts
    answer = requests.post(
        f"{service.url}/v1/audio/translations",
        files={"file": sound(75.0)},
        data={"response_format": "verbose_json"},
        timeout=60,
    )
    body = answer.json()
    assert (body["language"], body["task"], body["duration"]) == ("english", "translate", 75.0)
    assert body["text"].split() == [segment["text"] for segment in body["segments"]]
    assert len(body["segments"]) == 75 and body["text"].startswith("english0 english1")
