"""An engine with several execution contexts: batches at the same time, and words that depend on none's speed."""

import threading
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from streametrics.domain.transcript import Segment, Transcript
from streametrics.errors import TranscriptionFailed
from streametrics.transcription.base import Outcome, TranscriptionRequest
from streametrics.transcription.batching import scheduler
from streametrics.transcription.engine import SpeechWindow
from tests.support import sounds

#: A test that waits for longer has found two that wait for each other, in seconds.
PATIENCE_S = 30.0

Heard = Sequence[SpeechWindow]


def is_quiet(window: SpeechWindow) -> bool:
    return bool(np.max(np.abs(window.samples)) < 0.01)


class Context:
    """Says how long a window is, and in which language it is heard; takes what is quiet for French."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine

    def detect_languages(self, heard: Heard) -> list[tuple[str, float]]:
        self._engine.before_detecting(heard)
        return [("fr" if is_quiet(window) else "en", 0.99) for window in heard]

    def decode(self, heard: Heard, languages: Sequence[str]) -> Iterator[tuple[int, Segment | None]]:
        self._engine.before_decoding(heard)
        for number, (window, language) in enumerate(zip(heard, languages, strict=True)):
            yield number, Segment(0.0, len(window.samples) / SAMPLE_RATE_HZ, f"{len(window.samples)} in {language}")
            yield number, None


class Engine:
    """before_detecting, before_decoding: called in a context's thread; what they raise ends its batch."""

    model, known_languages, benefits_from_half_windows = "contexts", ("en", "fr"), False

    def __init__(self, execution_contexts: int, max_batch_windows: int = 1) -> None:
        self.max_batch_windows = max_batch_windows
        self.execution_contexts = [Context(self) for _ in range(execution_contexts)]

    def before_detecting(self, heard: Heard) -> None: ...

    def before_decoding(self, heard: Heard) -> None: ...


@pytest.fixture
def three_windows(clips: list[Samples]) -> Samples:
    """English, then a long and quiet one that is French, then a short one, which does not change the language."""
    gap, numbers = sounds.silence(20), clips[1] * np.float32(0.005)
    return np.concatenate([clips[0], gap, numbers, numbers, gap, sounds.clip("en/hello_world").samples()])


def outcomes(engine: Engine, asked: Sequence[TranscriptionRequest]) -> list[Outcome]:
    """What became of each sound, in the order asked."""
    found = dict(scheduler.transcribe_batch(engine, asked))
    return [found[number] for number in range(len(asked))]


def test_batches_are_decoded_at_the_same_time(clips: list[Samples]) -> None:
    # Given contexts that wait for each other
    both = threading.Barrier(2)

    class Meeting(Engine):
        def before_decoding(self, heard: Heard) -> None:
            both.wait(PATIENCE_S)

    found = outcomes(Meeting(2), [TranscriptionRequest(samples, "en") for samples in clips])

    assert found == outcomes(Engine(1), [TranscriptionRequest(samples, "en") for samples in clips])
    assert all(isinstance(each, Transcript) and each.text for each in found)


@pytest.mark.parametrize("max_batch_windows", [1, 2, 4])
@pytest.mark.parametrize("execution_contexts", [2, 3])
def test_words_and_languages_are_those_of_one_lane(
    clips: list[Samples], three_windows: Samples, execution_contexts: int, max_batch_windows: int
) -> None:
    asked = [*clips, sounds.silence(2), three_windows]
    told: list[list[Segment]] = [[] for _ in asked]

    found = outcomes(
        Engine(execution_contexts, max_batch_windows),
        [TranscriptionRequest(samples, None, told[number].append) for number, samples in enumerate(asked)],
    )

    assert found == outcomes(Engine(1), [TranscriptionRequest(samples) for samples in asked])
    assert [tuple(each) for each in told] == [each.segments for each in found if isinstance(each, Transcript)]


def test_a_later_window_waits_for_the_language_of_an_earlier_one(three_windows: Samples) -> None:
    # Given a context that knows its language only when another context knows that of the next window
    later_is_known = threading.Event()

    class SlowAtFirst(Engine):
        def before_detecting(self, heard: Heard) -> None:
            if is_quiet(heard[0]):
                later_is_known.set()
            assert later_is_known.wait(PATIENCE_S)

    found = scheduler.transcribe_speech(SlowAtFirst(2), three_windows, speech_language=None, on_segment=None)

    assert found == scheduler.transcribe_speech(Engine(1), three_windows, speech_language=None, on_segment=None)
    assert [segment.text.split()[-1] for segment in found.segments] == ["en", "fr", "fr"]


def test_passes_that_fail_while_others_wait_for_their_language_are_heard_again(three_windows: Samples) -> None:
    # Given that every batch of two sounds fails, so that the windows of each come back by themselves
    class NoMemory(Engine):
        def before_detecting(self, heard: Heard) -> None:
            if len({id(window.samples.base) for window in heard}) > 1:
                raise MemoryError

    asked = [TranscriptionRequest(three_windows.copy()) for _ in range(4)]

    assert outcomes(NoMemory(3, 2), asked) == outcomes(Engine(1), asked)


def test_a_sound_that_fails_by_itself_too_ends_no_other(clips: list[Samples]) -> None:
    class Unable(Engine):
        def before_decoding(self, heard: Heard) -> None:
            if any(len(window.samples) < len(clips[2]) + 1 for window in heard):
                raise TranscriptionFailed("no")

    found = outcomes(Unable(2, 2), [TranscriptionRequest(samples) for samples in clips])

    assert [isinstance(each, TranscriptionFailed) for each in found] == [False, False, True, False]


def test_whoever_stops_reading_leaves_no_lane_at_work(clips: list[Samples]) -> None:
    # Given one sound that is heard, and others in work
    at_work: list[int] = []

    class Noted(Engine):
        def before_decoding(self, heard: Heard) -> None:
            at_work.append(threading.get_ident())

    reading = scheduler.transcribe_batch(Noted(2), (TranscriptionRequest(samples) for samples in clips))
    next(reading)

    reading.close()

    assert at_work
    assert not {thread.ident for thread in threading.enumerate()} & set(at_work)


def test_a_sound_that_comes_while_others_are_at_work_is_heard_with_them(clips: list[Samples]) -> None:
    # Given a sound that is heard only when a second one has come to an idle context
    both = threading.Barrier(2)

    class Meeting(Engine):
        def before_decoding(self, heard: Heard) -> None:
            both.wait(PATIENCE_S)

    def coming() -> Iterator[TranscriptionRequest | None]:
        yield TranscriptionRequest(clips[0], "en")
        for _ in range(3):
            yield None  # nothing yet
        yield TranscriptionRequest(clips[1], "en")
        yield from iter(lambda: None, ...)

    found = dict(scheduler.transcribe_batch(Meeting(2, 4), coming()))

    assert [found[number] for number in range(2)] == outcomes(
        Engine(1), [TranscriptionRequest(each, "en") for each in clips[:2]]
    )


def test_a_sound_that_comes_before_a_pass_in_the_background_goes_first(three_windows: Samples) -> None:
    # Given a context that is at work on a window in the background until a chunk is heard by the other one
    is_heard = threading.Event()
    batches: list[int] = []

    class Noting(Engine):
        def before_decoding(self, heard: Heard) -> None:
            batches.append(len(heard[0].samples))
            assert len(batches) > 1 or is_heard.wait(PATIENCE_S)

    def note(_: Segment) -> None:
        is_heard.set()

    chunk = sounds.clip("en/quick_brown_fox").samples()
    asked = [TranscriptionRequest(three_windows, "en", background=True), TranscriptionRequest(chunk, "en", note)]
    found = outcomes(Noting(2), asked)

    assert found == outcomes(Engine(1), asked)
    assert isinstance(found[1], Transcript)
    assert found[1].text == f"{batches[1]} in en"


def test_a_sound_is_asked_whether_it_is_wanted_until_it_is_at_work(clips: list[Samples]) -> None:
    # Given a sound that is at work as long as it takes to hear another
    at_work, is_heard = threading.Event(), threading.Event()

    class First(Engine):
        def before_decoding(self, heard: Heard) -> None:
            if not at_work.is_set():
                at_work.set()
                assert is_heard.wait(PATIENCE_S)

    def check() -> None:
        assert not at_work.is_set()

    def coming() -> Iterator[TranscriptionRequest]:
        yield TranscriptionRequest(clips[0], "en", check=check)
        assert at_work.wait(PATIENCE_S)
        yield TranscriptionRequest(clips[1], "en", lambda _: is_heard.set())

    found = dict(scheduler.transcribe_batch(First(2), coming()))

    assert all(isinstance(each, Transcript) for each in found.values())


def test_where_none_waits_and_none_is_at_work_is_the_end() -> None:
    assert list(scheduler.transcribe_batch(Engine(2), iter([None, TranscriptionRequest(sounds.silence(1))]))) == []


def test_a_source_that_fails_ends_what_waits_for_a_language(three_windows: Samples) -> None:
    # Given a window whose language is known only after the source has failed
    has_failed = threading.Event()

    class Slow(Engine):
        def before_detecting(self, heard: Heard) -> None:
            assert is_quiet(heard[0]) or has_failed.wait(PATIENCE_S)

    def coming() -> Iterator[TranscriptionRequest]:
        yield TranscriptionRequest(three_windows)
        has_failed.set()
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        list(scheduler.transcribe_batch(Slow(2, 2), coming()))
