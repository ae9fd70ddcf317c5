"""How an engine is led over speech: windows in order, languages followed, several sounds in one pass."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from streametrics.domain.transcript import Segment, Transcript
from streametrics.errors import TranscriptionFailed
from streametrics.transcription import windowing
from streametrics.transcription.base import Outcome, TranscriptionRequest
from streametrics.transcription.batching import scheduler
from streametrics.transcription.engine import Engine, ExecutionContext, SpeechWindow
from streametrics.transcription.vad import detect_speech
from tests.support import sounds


class Scripted:
    """An engine that takes each window for one segment in the next of `languages`, with times that overshoot."""

    benefits_from_half_windows = False

    def __init__(self, languages: list[tuple[str, float]], max_batch_windows: int = 1) -> None:
        self.languages = list(languages)
        self.model, self.known_languages = "scripted", ("en", "fr", "cy")
        self.max_batch_windows = max_batch_windows
        self.heard: list[str] = []
        self.batches: list[int] = []
        self.execution_contexts: list[ExecutionContext] = [self]

    def detect_languages(self, heard: Sequence[SpeechWindow]) -> list[tuple[str, float]]:
        return [self.languages.pop(0) for _ in heard]

    def probe_languages(self, stretches: Sequence[Samples]) -> list[tuple[str, float]]:
        return [("en", 0.1) for _ in stretches]

    def decode(self, heard: Sequence[SpeechWindow], languages: Sequence[str]) -> Iterator[tuple[int, Segment]]:
        self.batches.append(len(heard))
        for number, (window, language) in enumerate(zip(heard, languages, strict=True)):
            assert 0 < window.voiced_until_s <= len(window.samples) / SAMPLE_RATE_HZ
            self.heard.append(language)
            yield number, Segment(-1.0, 0.5, "  ")
            yield number, Segment(0.0, 99.0, f" in {language} ")


@pytest.fixture
def three_windows() -> Samples:
    numbers = sounds.clip("en/counting").samples()
    gap = sounds.silence(20)
    return np.concatenate([numbers, gap, numbers, numbers, gap, sounds.clip("en/hello_world").samples()])


def test_a_long_and_sure_window_changes_the_language(three_windows: Samples) -> None:
    # The second is long and sure, the third is sure but too short to be believed.
    engine = Scripted([("en", 0.3), ("fr", 0.9), ("cy", 0.99)])

    transcript = scheduler.transcribe_speech(engine, three_windows, speech_language=None, on_segment=None)

    assert engine.heard == ["en", "fr", "fr"]
    assert transcript.language == "fr"


@pytest.mark.parametrize(("at_once", "batches"), [(1, [1, 1, 1]), (2, [2, 1]), (8, [3])])
def test_windows_heard_together_are_like_windows_heard_alone(
    three_windows: Samples, at_once: int, batches: list[int]
) -> None:
    engine = Scripted([("en", 0.3), ("fr", 0.9), ("cy", 0.99)], at_once)

    together = scheduler.transcribe_speech(engine, three_windows, speech_language=None, on_segment=None)

    alone = Scripted([("en", 0.3), ("fr", 0.9), ("cy", 0.99)])
    assert together == scheduler.transcribe_speech(alone, three_windows, speech_language=None, on_segment=None)
    assert engine.batches == batches


def test_a_short_window_of_which_there_is_no_doubt_is_in_its_own_language_and_those_after_it_are_not() -> None:
    gap, short = sounds.silence(20), sounds.clip("en/hello_world").samples()
    numbers = sounds.clip("en/counting").samples()
    engine = Scripted([("en", 0.99), ("fr", 0.99), ("cy", 0.99)])

    scheduler.transcribe_speech(
        engine, np.concatenate([numbers, gap, numbers, gap, short]), speech_language=None, on_segment=None
    )

    assert engine.heard == ["en", "fr", "en"]


def test_an_unsure_window_keeps_the_language(three_windows: Samples) -> None:
    engine = Scripted([("en", 0.99), ("fr", 0.4), ("fr", 0.9)])

    scheduler.transcribe_speech(engine, three_windows, speech_language=None, on_segment=None)

    assert engine.heard == ["en", "en", "en"]


def test_times_are_drawn_to_the_voice(three_windows: Samples) -> None:
    engine = Scripted([])

    transcript = scheduler.transcribe_speech(engine, three_windows, speech_language="en", on_segment=None)

    assert [segment.text for segment in transcript.segments] == ["in en"] * 3
    spans = detect_speech(three_windows).spans
    for segment in transcript.segments:
        start, end = segment.start * SAMPLE_RATE_HZ, segment.end * SAMPLE_RATE_HZ
        assert any(abs(span.start - start) <= windowing.EDGE_TOLERANCE_S * SAMPLE_RATE_HZ + 16 for span in spans)
        assert any(abs(span.end - end) <= windowing.EDGE_TOLERANCE_S * SAMPLE_RATE_HZ + 16 for span in spans)


def test_nothing_of_a_later_window_is_decoded_before_it_is_wanted(three_windows: Samples) -> None:
    engine = Scripted([])

    with pytest.raises(Stopped):
        scheduler.transcribe_speech(engine, three_windows, speech_language="en", on_segment=stop)

    assert engine.heard == ["en"]


def test_an_engine_that_gains_by_it_hears_halves_of_a_window_in_one_pass() -> None:
    numbers = sounds.clip("en/counting").samples()
    chunk = np.concatenate([numbers, sounds.silence(0.5)] * 8)
    whole, halved = Scripted([], 4), Scripted([], 4)
    halved.benefits_from_half_windows = True

    for engine in (whole, halved):
        transcript = scheduler.transcribe_speech(engine, chunk, speech_language="en", on_segment=None)
        assert [segment.text for segment in transcript.segments] == ["in en"] * engine.batches[0]

    assert (whole.batches, halved.batches) == ([1], [2])


class Stopped(Exception):
    """What a listener raises that wants no more."""


def stop(*_: object) -> None:
    raise Stopped


class Marking(Scripted):
    """Says a window's second by its loudness, and marks its end; the last window of a pass is finished first.

    fails: raises at the pass of this number, after it has finished one window if `late`.
    """

    def __init__(self, max_batch_windows: int, *, fails: Sequence[int] = (), late: bool = False) -> None:
        super().__init__([], max_batch_windows)
        self._fails, self._late = fails, late

    def detect_languages(self, heard: Sequence[SpeechWindow]) -> list[tuple[str, float]]:
        return [("fr" if np.max(np.abs(window.samples)) < 0.01 else "en", 0.99) for window in heard]

    def decode(self, heard: Sequence[SpeechWindow], languages: Sequence[str]) -> Iterator[tuple[int, Segment | None]]:
        self.batches.append(len(heard))
        failing = len(self.batches) - 1 in self._fails
        if failing and not self._late:
            raise TranscriptionFailed("out of memory")
        for number in reversed(range(len(heard))):
            samples = heard[number].samples
            yield number, Segment(0.0, len(samples) / SAMPLE_RATE_HZ, f"{len(samples)} in {languages[number]}")
            yield number, None
            if failing:
                raise MemoryError


def together(engine: Engine, asked: list[TranscriptionRequest]) -> list[Outcome]:
    """What became of each sound, in the order asked."""
    found = dict(scheduler.transcribe_batch(engine, asked))
    return [found[number] for number in range(len(asked))]


def test_sounds_heard_together_are_like_sounds_heard_alone(clips: list[Samples], three_windows: Samples) -> None:
    asked = [*clips, sounds.silence(3), three_windows]
    told: list[list[Segment]] = [[] for _ in asked]
    engine = Marking(4)

    outcomes = together(
        engine, [TranscriptionRequest(samples, None, told[number].append) for number, samples in enumerate(asked)]
    )

    alone = [
        scheduler.transcribe_speech(Marking(4), samples, speech_language=None, on_segment=None) for samples in asked
    ]
    assert outcomes == alone
    assert [each.language for each in alone] == ["en", "en", "fr", "en", None, "en"]
    # Expect full passes, and each listener to hear of its own sound, in the order of time
    assert engine.batches == [4, 3]
    assert [tuple(each) for each in told] == [each.segments for each in alone]


def test_a_sound_is_asked_for_when_there_is_room_for_it(clips: list[Samples]) -> None:
    asked: list[int] = []

    def coming() -> Iterator[TranscriptionRequest]:
        for number, samples in enumerate(clips):
            asked.append(number)
            yield TranscriptionRequest(samples)

    outcomes = scheduler.transcribe_batch(Marking(2), coming())
    next(outcomes)

    assert asked == [0, 1]
    assert [number for number, _ in outcomes] == [0, 3, 2]


def test_what_is_in_the_background_comes_last_in_shorter_passes_of_its_own(
    clips: list[Samples], three_windows: Samples
) -> None:
    engine = Marking(4)
    # Given chunks that come while others, in the background, wait to be heard
    asked = [
        TranscriptionRequest(three_windows, background=True),
        TranscriptionRequest(clips[0]),
        TranscriptionRequest(clips[1], background=True),
        TranscriptionRequest(clips[2]),
    ]

    found = list(scheduler.transcribe_batch(engine, asked))

    ends = [number for number, _ in found]
    assert sorted(ends[:2]) == [1, 3]
    # And a chunk to be heard as soon as it comes
    assert engine.batches == [1, 2, 1, 2]
    assert [outcome for _, outcome in sorted(found)] == together(Marking(1), asked)


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(lambda samples: TranscriptionRequest(samples, on_segment=stop), id="its listener wants no more"),
        pytest.param(
            lambda samples: TranscriptionRequest(samples, check=stop), id="nobody wants it when its turn comes"
        ),
    ],
)
def test_a_sound_that_is_dropped_takes_none_with_it(
    clips: list[Samples], bad: Callable[[Samples], TranscriptionRequest]
) -> None:
    outcomes = together(Marking(4), [TranscriptionRequest(clips[0]), bad(clips[1]), TranscriptionRequest(clips[2])])

    assert isinstance(outcomes[1], Stopped)
    assert [type(each) for each in outcomes] == [Transcript, Stopped, Transcript]


def test_a_language_that_nobody_knows_is_one_sounds_trouble(clips: list[Samples]) -> None:
    outcomes = together(
        Marking(4),
        [TranscriptionRequest(clips[0], "tlh"), TranscriptionRequest(clips[1], "cy"), TranscriptionRequest(clips[2])],
    )

    assert isinstance(outcomes[0], TranscriptionFailed)
    # Expect a given language to be kept beside a detected one
    assert [each.language for each in outcomes[1:] if isinstance(each, Transcript)] == ["cy", "fr"]


@pytest.mark.parametrize("late", [False, True], ids=["at once", "when one window is heard"])
def test_after_a_pass_that_fails_each_sound_is_heard_by_itself(clips: list[Samples], late: bool) -> None:
    engine = Marking(4, fails=[0], late=late)

    outcomes = together(engine, [TranscriptionRequest(samples) for samples in clips])

    assert outcomes == together(Marking(4), [TranscriptionRequest(samples) for samples in clips])
    assert engine.batches == ([4, 1, 1, 1] if late else [4, 1, 1, 1, 1])


def test_a_sound_that_fails_by_itself_too_is_the_only_one_that_fails(clips: list[Samples]) -> None:
    outcomes = together(Marking(4, fails=[0, 2]), [TranscriptionRequest(samples) for samples in clips])

    assert [isinstance(each, TranscriptionFailed) for each in outcomes] == [False, True, False, False]


def test_where_nobody_speaks_nothing_is_decoded() -> None:
    engine = Marking(4)

    assert (
        together(engine, [TranscriptionRequest(sounds.silence(2)), TranscriptionRequest(sounds.silence(0))])
        == [Transcript((), None)] * 2
    )
    assert engine.batches == []


def test_a_chunk_does_not_wait_for_parts_in_which_nobody_speaks(clips: list[Samples]) -> None:
    engine, parts = Marking(4), []

    # Given a chunk, and parts of a recording without a voice that come for as long as it is not decoded
    def requests() -> Iterator[TranscriptionRequest]:
        yield TranscriptionRequest(clips[0])
        while not engine.batches and len(parts) < 20:
            parts.append(TranscriptionRequest(sounds.silence(2), background=True))
            yield parts[-1]

    outcomes = dict(scheduler.transcribe_batch(engine, requests()))

    assert len(parts) == 1
    assert outcomes[0] == together(Marking(4), [TranscriptionRequest(clips[0])])[0]


def test_nothing_to_hear_is_nothing() -> None:
    assert list(scheduler.transcribe_batch(Marking(4), [])) == []
