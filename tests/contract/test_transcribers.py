"""One suite for every engine: the fake, and the real ones on real weights."""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest

from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from streametrics.domain.transcript import Segment, Transcript
from streametrics.errors import TranscriptionFailed
from streametrics.settings import Settings
from streametrics.transcription import factory as transcriber_factory
from streametrics.transcription.base import Outcome, Transcriber, TranscriptionRequest, warm
from tests.support import sounds

SoundMaker = Callable[[], Samples]

REAL = [
    pytest.param("faster-whisper", marks=pytest.mark.weights),
    pytest.param("openai-whisper", marks=pytest.mark.weights),
    pytest.param("openai-whisper-fast", marks=pytest.mark.weights),
]
every_engine = pytest.mark.parametrize("transcriber", ["fake", *REAL], indirect=True, scope="module")
real_engines = pytest.mark.parametrize("transcriber", REAL, indirect=True, scope="module")


@pytest.fixture(scope="module")
def transcriber(request: pytest.FixtureRequest) -> Iterator[Transcriber]:
    yield transcriber_factory.create(Settings(_env_file=None, whisper_engine=request.param, whisper_model="base"))


class ListenerStopped(Exception):
    """Stands for whatever a listener may raise."""


@every_engine
def test_says_what_it_is(transcriber: Transcriber) -> None:
    assert transcriber.engine in ("fake", "faster-whisper", "openai-whisper", "openai-whisper-fast")
    assert transcriber.model
    assert transcriber.precision


@real_engines
@pytest.mark.parametrize("name", ["en/quick_brown_fox", "en/hello_world", "fr/bonjour_monde", "it/ciao_mondo"])
def test_hears_the_words(transcriber: Transcriber, name: str) -> None:
    clip = sounds.clip(name)

    transcript = transcriber.transcribe(clip.samples())

    assert word_error_rate(clip.text, transcript.text) <= 0.15, transcript.text
    assert transcript.language == clip.language


@real_engines
def test_hears_a_famous_sentence(transcriber: Transcriber) -> None:
    samples = sounds.read(sounds.jfk())

    transcript = transcriber.transcribe(samples)

    assert word_error_rate(sounds.JFK_TEXT, transcript.text) <= 0.1, transcript.text
    assert transcript.language == "en"


@every_engine
def test_segments_are_in_order_and_inside_the_sound(transcriber: Transcriber) -> None:
    samples = sounds.speech(12)

    transcript = transcriber.transcribe(samples)

    times = [time for segment in transcript.segments for time in (segment.start, segment.end)]
    assert transcript.segments
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] <= 12
    assert all(segment.text == segment.text.strip() != "" for segment in transcript.segments)


@every_engine
@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(lambda: sounds.clip("en/hello_world").samples(), id="short"),
        pytest.param(lambda: sounds.speech(45), id="two-windows"),
        # Nobody pauses for more than 30 s, so the engine seeks through the window, and cuts in a word.
        pytest.param(
            lambda: np.tile(
                np.concatenate([spoken_part(f"en/{name}") for name in ("counting", "quick_brown_fox", "hello_world")]),
                8,
            )[: 40 * SAMPLE_RATE_HZ],
            id="without-a-pause",
        ),
    ],
)
def test_words_are_the_text_in_order_and_inside_their_segment(transcriber: Transcriber, samples: SoundMaker) -> None:
    transcript = transcriber.transcribe(samples(), speech_language="en")

    assert transcript.segments
    for segment in transcript.segments:
        assert "".join(word.text for word in segment.words).strip() == segment.text
        times = [time for word in segment.words for time in (word.start, word.end)]
        assert times == sorted(times)
        assert segment.start <= times[0]
        assert times[-1] <= segment.end
        assert all(word.text.strip() for word in segment.words)


@real_engines
def test_words_are_where_they_are_said(transcriber: Transcriber) -> None:
    # Given phrases at known times, with pauses too short for the detector's stretches and longer ones
    phrases = [spoken_part(f"en/{name}") for name in ("hello_world", "quick_brown_fox", "hello_world")]
    pauses = [sounds.silence(seconds) for seconds in (0.5, 0.25, 0.9, 0.5)]
    samples = np.concatenate(
        [part for pair in zip(pauses, [*phrases, sounds.silence(0)], strict=True) for part in pair]
    )
    starts = [
        (sum(map(len, pauses[: number + 1])) + sum(map(len, phrases[:number]))) / SAMPLE_RATE_HZ
        for number in range(len(phrases))
    ]

    transcript = transcriber.transcribe(samples, speech_language="en")

    heard = [word for segment in transcript.segments for word in segment.words]
    counts = [len(words(sounds.clip(f"en/{name}").text)) for name in ("hello_world", "quick_brown_fox")]
    borders = [0, counts[0], counts[0] + counts[1], len(heard)]
    assert len(heard) == 2 * counts[0] + counts[1], transcript.text
    for (first, last), start, phrase in zip(pairwise(borders), starts, phrases, strict=True):
        assert heard[first].start == pytest.approx(start, abs=0.3)
        assert heard[last - 1].end == pytest.approx(start + len(phrase) / SAMPLE_RATE_HZ, abs=0.3)


@every_engine
@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(lambda: sounds.silence(0), id="no-samples"),
        pytest.param(lambda: sounds.silence(5), id="silence"),
        pytest.param(lambda: sounds.silence(35), id="long-silence"),
        pytest.param(lambda: sounds.tone(0.2), id="0.2-s-of-tone"),
        pytest.param(lambda: sounds.clip("en/counting").samples()[8000:11200], id="0.2-s-of-speech"),
        pytest.param(lambda: sounds.noise(5, amplitude=1e-5), id="dither"),
    ],
)
def test_invents_no_words(transcriber: Transcriber, samples: SoundMaker) -> None:
    told: list[Segment] = []

    transcript = transcriber.transcribe(samples(), on_segment=told.append)

    assert transcript == Transcript((), None)
    assert transcript.text == ""
    assert told == []


@real_engines
@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(lambda: sounds.tone(10), id="tone"),
        pytest.param(lambda: sounds.noise(10), id="noise"),
        pytest.param(lambda: sounds.noise(10, amplitude=1e-3) + sounds.tone(10, 50, 0.01), id="hum"),
    ],
)
def test_sound_without_a_voice_has_no_words(transcriber: Transcriber, samples: SoundMaker) -> None:
    assert transcriber.transcribe(samples()) == Transcript((), None)


@real_engines
def test_quiet_speech_is_not_lost(transcriber: Transcriber) -> None:
    clip = sounds.clip("en/quick_brown_fox")

    transcript = transcriber.transcribe(clip.samples() * np.float32(0.003))

    assert word_error_rate(clip.text, transcript.text) <= 0.25, transcript.text


@real_engines
def test_sentences_that_are_said_again_and_again_are_all_heard(transcriber: Transcriber) -> None:
    samples = sounds.speech(26.4)  # three sentences, three times

    transcript = transcriber.transcribe(samples)

    said = [sounds.clip(f"en/{name}").text for name in ("quick_brown_fox", "hello_world")]
    assert [transcript.text.lower().count(words(each)[-1]) for each in said] == [3, 3], transcript.text
    assert transcript.left_out == {}


@real_engines
def test_times_stay_those_of_the_sound_across_a_long_silence(transcriber: Transcriber) -> None:
    fox, hello = sounds.clip("en/quick_brown_fox"), sounds.clip("en/hello_world")
    samples = np.concatenate([fox.samples(), sounds.silence(20), hello.samples()])

    transcript = transcriber.transcribe(samples, speech_language="en")

    before = [segment for segment in transcript.segments if segment.start < 10]
    after = [segment for segment in transcript.segments if segment.start >= 10]
    assert word_error_rate(fox.text, " ".join(segment.text for segment in before)) <= 0.15
    assert word_error_rate(hello.text, " ".join(segment.text for segment in after)) <= 0.15
    assert after[0].start == pytest.approx(len(fox.samples()) / SAMPLE_RATE_HZ + 20, abs=0.7)


@real_engines
def test_a_stream_may_change_its_language(transcriber: Transcriber) -> None:
    english, french = sounds.clip("en/quick_brown_fox"), sounds.clip("fr/comptage")
    # Long enough for the second language to be believed.
    samples = np.concatenate([english.samples(), sounds.silence(20), french.samples(), french.samples()])

    transcript = transcriber.transcribe(samples)

    assert transcript.text.startswith("The quick brown fox")
    assert transcript.language in ("en", "fr")


@every_engine
def test_a_given_language_is_kept(transcriber: Transcriber) -> None:
    transcript = transcriber.transcribe(sounds.clip("fr/comptage").samples(), speech_language="fr")

    assert transcript.language == "fr"
    assert transcript.segments


@every_engine
def test_an_unknown_language_is_refused(transcriber: Transcriber) -> None:
    with pytest.raises(TranscriptionFailed, match="klingon"):
        transcriber.transcribe(sounds.speech(2), speech_language="klingon")


@every_engine
def test_segments_are_told_in_order(transcriber: Transcriber) -> None:
    told: list[Segment] = []

    transcript = transcriber.transcribe(sounds.speech(12), speech_language="en", on_segment=told.append)

    assert told
    assert tuple(told) == transcript.segments


@every_engine
def test_a_listener_may_stop_the_engine(transcriber: Transcriber) -> None:
    told: list[Segment] = []

    def stop(segment: Segment) -> None:
        told.append(segment)
        raise ListenerStopped

    with pytest.raises(ListenerStopped):
        transcriber.transcribe(sounds.speech(12), speech_language="en", on_segment=stop)

    assert len(told) == 1
    assert transcriber.transcribe(sounds.clip("en/hello_world").samples()).segments  # it still works


@every_engine
def test_calls_do_not_touch_each_other(transcriber: Transcriber) -> None:
    fox, french = sounds.clip("en/quick_brown_fox").samples(), sounds.clip("fr/comptage").samples()

    first = transcriber.transcribe(fox)
    transcriber.transcribe(french)
    again = transcriber.transcribe(fox)

    assert again == first


@every_engine
def test_samples_are_left_as_they_were(transcriber: Transcriber) -> None:
    samples = sounds.clip("en/hello_world").samples()
    before = samples.copy()

    transcriber.transcribe(samples)

    assert np.array_equal(samples, before)


@real_engines
def test_broken_samples_do_no_harm(transcriber: Transcriber) -> None:
    clip = sounds.clip("en/quick_brown_fox")
    samples = clip.samples()
    samples[::4000] = np.nan
    samples[1::9000] = np.inf

    transcript = transcriber.transcribe(samples)

    assert word_error_rate(clip.text, transcript.text) <= 0.35, transcript.text


def together(transcriber: Transcriber, asked: list[TranscriptionRequest]) -> list[Outcome]:
    """What became of each sound, in the order asked."""
    found = dict(transcriber.transcribe_batch(asked))
    return [found[number] for number in range(len(asked))]


@every_engine
def test_sounds_heard_together_have_the_words_they_have_alone(transcriber: Transcriber) -> None:
    # Given more than one pass, sounds of one window and of several, and two in which there is nothing to hear
    names = ("en/quick_brown_fox", "en/counting", "fr/comptage", "en/hello_world", "it/ciao_mondo")
    asked = [*(sounds.clip(name).samples() for name in names), sounds.speech(45), sounds.silence(3), sounds.silence(0)]
    alone = [transcriber.transcribe(samples) for samples in asked]
    told: list[list[Segment]] = [[] for _ in asked]

    outcomes = together(
        transcriber, [TranscriptionRequest(samples, None, told[at].append) for at, samples in enumerate(asked)]
    )

    assert [each.text for each in outcomes if isinstance(each, Transcript)] == [each.text for each in alone]
    assert [each.language for each in outcomes if isinstance(each, Transcript)] == [each.language for each in alone]
    assert [tuple(each) for each in told] == [each.segments for each in outcomes if isinstance(each, Transcript)]


@every_engine
def test_languages_that_are_given_and_detected_share_a_pass(transcriber: Transcriber) -> None:
    fox, french = sounds.clip("en/quick_brown_fox").samples(), sounds.clip("fr/comptage").samples()

    first, second = together(transcriber, [TranscriptionRequest(french, "fr"), TranscriptionRequest(fox)])

    assert first == transcriber.transcribe(french, speech_language="fr")
    assert second == transcriber.transcribe(fox)


@real_engines
@pytest.mark.parametrize(
    ("name", "english"),
    [
        ("fr/bonjour_monde", r"hello,?( the)? world"),
        ("fr/comptage", "(1|one), (2|two), (3|three)"),
        ("es/conteo", "(1|one), (2|two), (3|three)"),
        ("en/quick_brown_fox", "the quick brown fox"),
    ],
)
def test_a_translation_is_english_without_words(transcriber: Transcriber, name: str, english: str) -> None:
    samples = sounds.clip(name).samples()

    transcript = transcriber.transcribe(samples, task="translate")

    assert re.match(english, transcript.text.lower()), transcript.text
    assert transcript.language == "en"
    assert all(segment.words == () and segment.end > segment.start for segment in transcript.segments)


@every_engine
def test_translations_and_transcriptions_share_a_pass(transcriber: Transcriber) -> None:
    french = sounds.clip("fr/bonjour_monde").samples()

    first, second = together(
        transcriber, [TranscriptionRequest(french, "fr", task="translate"), TranscriptionRequest(french, "fr")]
    )

    assert isinstance(first, Transcript) and isinstance(second, Transcript)
    assert first == transcriber.transcribe(french, speech_language="fr", task="translate")
    assert second == transcriber.transcribe(french, speech_language="fr")
    assert first.text != second.text


@every_engine
def test_a_sound_that_goes_wrong_takes_none_of_the_others_with_it(transcriber: Transcriber) -> None:
    def stop(*_: object) -> None:
        raise ListenerStopped

    fox, hello = sounds.clip("en/quick_brown_fox").samples(), sounds.clip("en/hello_world").samples()

    outcomes = together(
        transcriber,
        [
            TranscriptionRequest(hello),
            TranscriptionRequest(fox, "klingon"),
            TranscriptionRequest(fox, None, stop),
            TranscriptionRequest(fox, check=stop),
            TranscriptionRequest(hello),
        ],
    )

    assert [type(each) for each in outcomes[1:4]] == [TranscriptionFailed, ListenerStopped, ListenerStopped]
    assert outcomes[0] == outcomes[4] == transcriber.transcribe(hello)


@every_engine
def test_a_sound_is_asked_for_when_its_turn_comes(transcriber: Transcriber) -> None:
    asked: list[int] = []

    def coming() -> Iterator[TranscriptionRequest]:
        for number in range(12):
            asked.append(number)
            yield TranscriptionRequest(sounds.clip("en/hello_world").samples(), "en")

    outcomes = transcriber.transcribe_batch(coming())
    next(outcomes)

    assert len(asked) < 12
    assert len(dict(outcomes)) == 11


@every_engine
def test_where_no_other_sound_waits_those_at_work_are_heard_to_their_end(transcriber: Transcriber) -> None:
    def coming() -> Iterator[TranscriptionRequest | None]:
        yield TranscriptionRequest(sounds.clip("en/hello_world").samples(), "en")
        while True:
            yield None

    ((number, outcome),) = transcriber.transcribe_batch(coming())

    assert number == 0
    assert outcome == transcriber.transcribe(sounds.clip("en/hello_world").samples(), speech_language="en")


@every_engine
def test_nobody_to_hear_is_no_trouble(transcriber: Transcriber) -> None:
    assert list(transcriber.transcribe_batch([])) == []


@every_engine
def test_can_be_warmed(transcriber: Transcriber) -> None:
    warm(transcriber)

    assert transcriber.transcribe(sounds.speech(3), speech_language="en").segments


def spoken_part(name: str) -> Samples:
    """A clip without the silence before and after its words."""
    samples = sounds.clip(name).samples()
    loud = np.flatnonzero(np.abs(samples) > 0.02 * np.max(np.abs(samples)))
    return samples[loud[0] : loud[-1] + 1]


def word_error_rate(said: str, heard: str) -> float:
    """Levenshtein distance in words, by the number of words that were said."""
    wanted, got = words(said), words(heard)
    row = list(range(len(got) + 1))
    for index, word in enumerate(wanted, start=1):
        above, row[0] = row[0], index
        for column, other in enumerate(got, start=1):
            above, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, above + (word != other))
    return row[-1] / len(wanted)


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
