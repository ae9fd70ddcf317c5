"""Translations share batches with transcriptions: each window has its own task, and a translation no words."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from streametrics.domain.transcript import Segment, Transcript, Word
from streametrics.errors import TranscriptionFailed
from streametrics.transcription.base import TranscriptionRequest
from streametrics.transcription.batching import scheduler
from streametrics.transcription.engine import ExecutionContext, SpeechWindow
from tests.support import sounds


class Tasked:
    """Says each window's task and language in one segment with a word, over its speech.

    reaches: the first one ends after this share of the first stretch."""

    model, benefits_from_half_windows, max_batch_windows = "tasked", False, 4
    known_languages: Sequence[str] = ("en", "fr")

    def __init__(self, language: str = "fr", *, reaches: float = 1.0) -> None:
        self.execution_contexts: list[ExecutionContext] = [self]
        self.language, self.reaches = language, reaches
        self.batches: list[list[str]] = []

    def detect_languages(self, windows: Sequence[SpeechWindow]) -> list[tuple[str, float]]:
        return [(self.language, 0.99) for _ in windows]

    def probe_languages(self, stretches: Sequence[Samples]) -> list[tuple[str, float]]:
        raise AssertionError("nothing is doubtful")

    def decode(self, windows: Sequence[SpeechWindow], languages: Sequence[str]) -> Iterator[tuple[int, Segment | None]]:
        self.batches.append([window.task for window in windows])
        for number, (window, language) in enumerate(zip(windows, languages, strict=True)):
            end = self._said_until(window)
            text = f"{window.task} from {language} {len(self.batches)}"
            yield number, Segment(0.0, end, text, words=(Word(0.0, end, text),))
            yield number, None

    def _said_until(self, window: SpeechWindow) -> float:
        first = window.stretches[0]
        whole = window.stretches[-1].end
        until = first.start + self.reaches * len(first) if len(self.batches) == 1 and self.reaches < 1 else whole
        return until / SAMPLE_RATE_HZ


@pytest.fixture
def clip() -> Samples:
    return sounds.clip("fr/comptage").samples()


def outcome(engine: Tasked, request: TranscriptionRequest) -> Transcript:
    ((_, found),) = scheduler.transcribe_batch(engine, [request])
    assert isinstance(found, Transcript)
    return found


def test_requests_of_both_tasks_share_a_batch(clip: Samples) -> None:
    engine = Tasked()
    requests = [TranscriptionRequest(clip, task="translate"), TranscriptionRequest(clip)]

    found = dict(scheduler.transcribe_batch(engine, requests))

    translated, transcribed = found[0], found[1]
    assert isinstance(translated, Transcript) and isinstance(transcribed, Transcript)
    assert engine.batches == [["translate", "transcribe"]]
    assert (translated.text, transcribed.text) == ("translate from fr 1", "transcribe from fr 1")
    assert (translated.language, transcribed.language) == ("en", "fr")
    assert ([len(each.words) for each in translated.segments], translated.segments[0].language) == ([0], "en")
    assert [len(each.words) for each in transcribed.segments] == [1]


def test_english_is_transcribed(clip: Samples) -> None:
    engine = Tasked("en")

    found = outcome(engine, TranscriptionRequest(clip, task="translate"))

    assert engine.batches == [["transcribe"]]
    assert (found.language, [each.words for each in found.segments]) == ("en", [()])


def test_speech_into_which_no_translated_segment_reaches_is_translated_by_itself() -> None:
    fox = sounds.clip("en/quick_brown_fox").samples()
    engine = Tasked(reaches=0.99)

    found = outcome(engine, TranscriptionRequest(np.concatenate([fox, sounds.silence(1), fox]), task="translate"))

    assert engine.batches == [["translate"], ["translate"]]
    assert [segment.text for segment in found.segments] == ["translate from fr 1", "translate from fr 2"]
    assert found.unheard == ()


def test_speech_into_which_a_translated_segment_reaches_is_not_translated_twice() -> None:
    # Given a short phrase of which less than half is covered, and which is transcribed again as a whole
    hello = sounds.clip("en/hello_world").samples()
    transcribed, translated = Tasked(reaches=0.1), Tasked(reaches=0.1)

    outcome(transcribed, TranscriptionRequest(hello))
    found = outcome(translated, TranscriptionRequest(hello, task="translate"))

    assert len(transcribed.batches) > 1
    assert len(translated.batches) == len(found.segments) == 1


def test_a_model_that_knows_english_alone_translates_nothing(clip: Samples) -> None:
    engine = Tasked()
    engine.known_languages = ("en",)

    ((_, found),) = scheduler.transcribe_batch(engine, [TranscriptionRequest(clip, task="translate")])

    assert isinstance(found, TranscriptionFailed)
    assert "cannot translate" in str(found)
    assert isinstance(outcome(engine, replace(TranscriptionRequest(clip), speech_language="en")), Transcript)
