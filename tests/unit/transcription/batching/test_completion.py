"""What an engine leaves out is transcribed again, and a window of several languages is split."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from streametrics.domain.transcript import DecodingStatistics, FilterReason, Segment, Transcript, Word
from streametrics.transcription.base import TranscriptionRequest
from streametrics.transcription.batching import scheduler
from streametrics.transcription.batching.window import Window
from streametrics.transcription.engine import ExecutionContext, SpeechWindow
from streametrics.transcription.vad import SampleSpan, detect_speech
from tests.support import sounds


class Engine:
    """Says one word a second of each stretch, and how often it was asked; `said` gives the stretches that it says.

    Windows are English, beyond doubt.
    """

    model, benefits_from_half_windows, max_batch_windows = "words", False, 4
    known_languages: Sequence[str] = ("en", "fr")
    logprob = -0.2

    def __init__(self) -> None:
        self.execution_contexts: list[ExecutionContext] = [self]
        self.decoded: list[tuple[str, int]] = []

    def said(self, window: SpeechWindow) -> Sequence[SampleSpan]:
        return window.stretches

    def detect_languages(self, windows: Sequence[SpeechWindow]) -> list[tuple[str, float]]:
        return [("en", 0.99) for _ in windows]

    def probe_languages(self, stretches: Sequence[Samples]) -> list[tuple[str, float]]:
        raise AssertionError("nothing is doubtful")

    def decode(self, windows: Sequence[SpeechWindow], languages: Sequence[str]) -> Iterator[tuple[int, Segment | None]]:
        for number, (window, language) in enumerate(zip(windows, languages, strict=True)):
            self.decoded.append((language, len(window.stretches)))
            words = [word for span in self.said(window) for word in _words(span, language)]
            if words:
                # As Whisper does: the segment is stretched over what it left out.
                text = "".join(word.text for word in words).strip()
                statistics = DecodingStatistics(self.logprob, 0.1, 1.0, 0.0)
                yield number, Segment(0.0, len(window.samples) / SAMPLE_RATE_HZ, text, statistics, tuple(words))
            yield number, None


def _words(span: SampleSpan, language: str) -> list[Word]:
    start, end = span.start / SAMPLE_RATE_HZ, span.end / SAMPLE_RATE_HZ
    borders = np.linspace(start, end, max(1, round(end - start)) + 1).tolist()
    return [Word(a, b, f" {language}") for a, b in pairwise(borders)]


class GivesUp(Engine):
    """Says the first stretch only."""

    def said(self, window: SpeechWindow) -> Sequence[SampleSpan]:
        return window.stretches[:1]


class SaysNothingMore(GivesUp):
    """Says nothing when it is asked again."""

    def said(self, window: SpeechWindow) -> Sequence[SampleSpan]:
        return super().said(window) if len(self.decoded) == 1 else ()


@pytest.fixture
def chunk() -> Samples:
    """Four stretches of speech, with pauses of a second between them."""
    clip = sounds.clip("en/quick_brown_fox").samples()
    return np.concatenate([np.concatenate([clip, sounds.silence(1)])] * 4)


def transcribed(engine: Engine, samples: Samples, language: str | None = None) -> Transcript:
    return scheduler.transcribe_speech(engine, samples, speech_language=language, on_segment=None)


def words_of(transcript: Transcript) -> list[Word]:
    return [word for segment in transcript.segments for word in segment.words]


def test_speech_that_was_left_out_is_transcribed_again_together_and_then_each_by_itself(chunk: Samples) -> None:
    engine, complete = GivesUp(), Engine()

    transcript = transcribed(engine, chunk)

    assert [stretches for _, stretches in engine.decoded] == [4, 3, 1, 1]
    assert len(words_of(transcript)) == len(words_of(transcribed(complete, chunk)))
    assert transcript.unheard == ()


def test_segments_are_where_their_words_are(chunk: Samples) -> None:
    transcript = transcribed(GivesUp(), chunk)

    spans = detect_speech(chunk).spans
    assert len(transcript.segments) == len(spans) == 4
    for segment, span in zip(transcript.segments, spans, strict=True):
        assert segment.start == pytest.approx(span.start / SAMPLE_RATE_HZ, abs=0.6)
        assert segment.end == pytest.approx(span.end / SAMPLE_RATE_HZ, abs=0.6)


def test_what_has_its_words_is_transcribed_once(chunk: Samples) -> None:
    engine = Engine()

    transcribed(engine, chunk)

    assert [stretches for _, stretches in engine.decoded] == [4]


def test_speech_that_stays_without_words_is_reported(chunk: Samples) -> None:
    transcript = transcribed(SaysNothingMore(), chunk)

    spans = detect_speech(chunk).spans[1:]
    assert [(span.start_s, span.end_s) for span in transcript.unheard] == [
        (span.start / SAMPLE_RATE_HZ, span.end / SAMPLE_RATE_HZ) for span in spans
    ]
    assert len(words_of(transcript)) == 3


def test_a_phrase_to_which_the_engine_says_nothing_is_not_cut_in_pieces(chunk: Samples) -> None:
    engine = SaysNothingMore()

    transcribed(engine, chunk)

    assert [stretches for _, stretches in engine.decoded] == [4, 3, 1, 1, 1]


def test_words_that_are_guessed_when_asked_again_are_not_taken(chunk: Samples) -> None:
    class Guesses(GivesUp):
        def said(self, window: SpeechWindow) -> Sequence[SampleSpan]:
            self.logprob = -0.2 if len(self.decoded) == 1 else -2.0
            return super().said(window)

    transcript = transcribed(Guesses(), chunk, "en")

    assert len(words_of(transcript)) == 3
    assert len(transcript.unheard) == 3


def test_speech_to_which_the_engine_only_guessed_is_transcribed_again_in_phrases(chunk: Samples) -> None:
    class GuessesAtFirst(Engine):
        def said(self, window: SpeechWindow) -> Sequence[SampleSpan]:
            self.logprob = -2.0 if len(self.decoded) == 1 else -0.2
            return super().said(window)

    engine = GuessesAtFirst()

    transcript = transcribed(engine, chunk, "en")

    assert [stretches for _, stretches in engine.decoded] == [4, 1, 1, 1, 1]
    assert len(words_of(transcript)) == len(words_of(transcribed(Engine(), chunk)))
    assert (transcript.left_out, transcript.unheard) == ({}, ())


def test_speech_of_which_all_was_guessed_is_reported(chunk: Samples) -> None:
    class Guesses(Engine):
        logprob = -2.0

    transcript = transcribed(Guesses(), chunk, "en")

    assert transcript.segments == ()
    assert len(transcript.unheard) == 4
    assert set(transcript.left_out) == {FilterReason.GUESS}


def test_the_language_that_was_asked_for_holds_for_what_is_transcribed_again(chunk: Samples) -> None:
    engine = GivesUp()

    transcribed(engine, chunk, "fr")

    assert {language for language, _ in engine.decoded} == {"fr"}


def test_segments_are_reported_in_order_of_time(chunk: Samples) -> None:
    reported: list[Segment] = []
    twice = np.concatenate([chunk, sounds.silence(9), chunk])

    scheduler.transcribe_speech(GivesUp(), twice, speech_language=None, on_segment=reported.append)

    assert len(reported) == 8
    assert [each.start for each in reported] == sorted(each.start for each in reported)


class TwoLanguages(Engine):
    """Takes a window of several stretches for French; its second half is, the first two stretches are English."""

    probability = 0.6

    def detect_languages(self, windows: Sequence[SpeechWindow]) -> list[tuple[str, float]]:
        return [("fr", self.probability) for _ in windows]

    def probe_languages(self, stretches: Sequence[Samples]) -> list[tuple[str, float]]:
        return [("en" if number < 2 else "fr", 0.95) for number in range(len(stretches))]


def test_a_doubtful_window_is_split_where_the_language_changes(chunk: Samples) -> None:
    engine = TwoLanguages()

    transcript = transcribed(engine, chunk)

    assert engine.decoded == [("en", 2), ("fr", 2)]
    assert [segment.language for segment in transcript.segments] == ["en", "fr"]
    assert len(words_of(transcript)) == len(words_of(transcribed(Engine(), chunk)))


def test_the_language_that_was_asked_for_holds_where_another_is_spoken(chunk: Samples) -> None:
    engine = TwoLanguages()

    transcribed(engine, chunk, "fr")

    assert engine.decoded == [("fr", 4)]


def test_a_window_decoded_with_little_confidence_is_looked_at_again(chunk: Samples) -> None:
    class Translates(TwoLanguages):
        probability = 0.99

        def said(self, window: SpeechWindow) -> Sequence[SampleSpan]:
            self.logprob = -0.99 if len(window.stretches) == 4 else -0.2
            return window.stretches

    engine = Translates()
    transcript = transcribed(engine, chunk)

    assert engine.decoded == [("fr", 4), ("en", 2), ("fr", 2)]
    assert [segment.language for segment in transcript.segments] == ["en", "fr"]


class Doubtful(TwoLanguages):
    """Sure of the window's language, and of no word."""

    probability, logprob = 0.99, -0.99


def test_the_language_that_was_asked_for_holds_beside_a_request_that_asked_for_none(chunk: Samples) -> None:
    engine = Doubtful()

    outcomes = dict(
        scheduler.transcribe_batch(engine, [TranscriptionRequest(chunk, "fr"), TranscriptionRequest(chunk.copy())])
    )

    assert engine.decoded == [("fr", 4), ("fr", 4), ("en", 2), ("fr", 2)]
    assert isinstance(outcomes[0], Transcript)
    assert {segment.language for segment in outcomes[0].segments} == {"fr"}


def test_a_word_that_is_stretched_over_what_was_left_out_stays(chunk: Samples) -> None:
    class Stretches(GivesUp):
        def decode(
            self, windows: Sequence[SpeechWindow], languages: Sequence[str]
        ) -> Iterator[tuple[int, Segment | None]]:
            for number, segment in super().decode(windows, languages):
                if segment is not None:
                    *words, last = segment.words
                    segment = replace(segment, words=(*words, replace(last, end=segment.end)))
                yield number, segment

    transcript = transcribed(Stretches(), chunk)

    assert len(words_of(transcript)) == len(words_of(transcribed(Engine(), chunk)))
    assert transcript.unheard == ()


def test_more_characters_of_a_script_without_spaces_are_more_words() -> None:
    class Short(Engine):
        """Ends its first answer after two characters."""

        known_languages = ("zh", "en")

        def decode(
            self, windows: Sequence[SpeechWindow], languages: Sequence[str]
        ) -> Iterator[tuple[int, Segment | None]]:
            self.decoded += zip(languages, (len(window.stretches) for window in windows), strict=True)
            for number, window in enumerate(windows):
                until_s, count = (window.voiced_until_s - 0.2, 8) if len(self.decoded) > 1 else (0.5, 2)
                borders = pairwise(np.linspace(0.1, until_s, count + 1).tolist())
                words = tuple(Word(*edges, letter) for edges, letter in zip(borders, "今天天气很好我们", strict=False))
                text = "".join(word.text for word in words)
                yield number, Segment(0.1, until_s, text, DecodingStatistics(-0.2, 0.1, 1.0, 0.0), words)

    engine = Short()
    transcript = transcribed(engine, sounds.clip("en/quick_brown_fox").samples(), "zh")

    again = len(engine.decoded) - 1
    assert again > 0
    assert [segment.text for segment in transcript.segments] == ["今天天气很好我们"] * again


def test_what_goes_wrong_in_a_request_ends_no_other(chunk: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    def split(window: Window) -> list[Window]:
        if len(window.speech.stretches) == 4:
            raise ValueError("no")
        return []

    monkeypatch.setattr(Window, "split_by_language", split)
    requests = [TranscriptionRequest(chunk), TranscriptionRequest(sounds.clip("en/hello_world").samples())]

    outcomes = dict(scheduler.transcribe_batch(Engine(), requests))

    assert isinstance(outcomes[0], ValueError)
    assert isinstance(outcomes[1], Transcript)
    assert outcomes[1].text


@pytest.mark.parametrize(("probability", "decoded"), [(0.9, ["en", "en", "fr"]), (0.6, ["en", "en"])])
def test_a_word_in_another_language_that_is_decoded_with_doubt_is_decoded_in_its_own(
    chunk: Samples, probability: float, decoded: list[str]
) -> None:
    class Foreign(Engine):
        def detect_languages(self, windows: Sequence[SpeechWindow]) -> list[tuple[str, float]]:
            return [("fr", probability) if len(window.stretches) == 1 else ("en", 0.99) for window in windows]

        def said(self, window: SpeechWindow) -> Sequence[SampleSpan]:
            is_translated = len(window.stretches) == 1 and self.decoded[-1][0] == "en"
            self.logprob = -0.95 if is_translated else -0.2
            return window.stretches

    engine = Foreign()
    word = sounds.clip("en/hello_world").samples()

    transcript = transcribed(engine, np.concatenate([chunk, sounds.silence(9), word]))

    assert [language for language, _ in engine.decoded] == decoded
    assert transcript.segments[-1].language == decoded[-1]
