"""No engine says a word where nobody does, and none that is said is lost in noise. On real weights."""

import os
import shutil
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import pytest

from benchmarks import arithmetics, wordless, wordless_hour
from benchmarks.arithmetics import Arithmetic
from benchmarks.decoded import decode
from benchmarks.engines import ENGINES
from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from streametrics.settings import Settings
from streametrics.transcription import factory as transcriber_factory
from streametrics.transcription.base import Transcriber
from tests.contract.test_transcribers import word_error_rate
from tests.support import sounds

pytestmark = [
    pytest.mark.weights,
    pytest.mark.skipif(
        not os.environ.get("CI") and not (shutil.which("sox") and shutil.which("espeak-ng")),
        reason="sox and espeak-ng are missing: sudo apt-get install sox espeak-ng",
    ),
]

#: Kinds of sound in which a voice is found now and then, or a word was invented by an engine without its gate.
WORDLESS: dict[str, Callable[[], Samples]] = {
    "silence": wordless.silence,
    "dither": wordless.dither,
    "white": lambda: wordless.colored("white", -40),
    "pink": lambda: wordless.colored("pink", -30),
    "loud-pink": lambda: wordless.colored("pink", -12),
    "hum": lambda: wordless.hum(60, -45),
    "tones": wordless.tones,
    "melody": lambda: wordless.melody(11, 5.5),
    "drums": lambda: wordless.chords(12, drums=True),
    "shots": lambda: wordless.shots(21),
    "beeps": lambda: wordless.beeps(23),
    "far-crowd": lambda: wordless.crowd(31, -32),
    "crowd": lambda: wordless.crowd(33, -26),
}
#: What opened the gate and made an engine say words, most of them surely: chunks of the hours without a word.
TEMPTING: dict[str, Callable[[], Samples]] = {
    "crowd-that-loops": lambda: wordless_hour.Recipe(3, "near crowd", 2).make().samples,
    "near-crowd": lambda: wordless_hour.Recipe(1, "near crowd", 3).make().samples,
    "beeps-that-loop": lambda: wordless_hour.Recipe(1, "beeps", 4).make().samples,
}
BACKGROUNDS: dict[str, Callable[[], Samples]] = {
    "white": lambda: wordless.colored("white", -20),
    "pink": lambda: wordless.colored("pink", -20),
    "music": lambda: wordless.chords(12, drums=True),
    "shots": lambda: wordless.shots(21),
    "crowd": lambda: wordless.crowd(34, -20),
}


@pytest.fixture(scope="module", params=["openai-whisper-fast", "faster-whisper", "openai-whisper"])
def transcriber(request: pytest.FixtureRequest) -> Iterator[Transcriber]:
    yield transcriber_factory.create(Settings(_env_file=None, whisper_engine=request.param, whisper_model="base"))


@pytest.mark.parametrize("kind", [*WORDLESS, *TEMPTING])
def test_a_sound_in_which_nobody_speaks_has_no_words(transcriber: Transcriber, kind: str) -> None:
    assert transcriber.transcribe((WORDLESS | TEMPTING)[kind]()).text == ""


@cache
def tempting() -> list[Samples]:
    return [WORDLESS["loud-pink"](), *(make() for make in TEMPTING.values())]


@pytest.mark.parametrize(
    ("engine", "arithmetic"),
    [
        pytest.param(engine, arithmetic, id=f"{engine}-{arithmetic.name}".replace(" ", "-"))
        for engine in ENGINES
        for arithmetic in arithmetics.of(engine)
        if arithmetic is not arithmetics.NATIVE
    ],
)
def test_no_word_is_invented_with_any_arithmetic(engine: str, arithmetic: Arithmetic) -> None:
    # Given the sounds that tempt most, on an engine that computes as it does on another processor
    decoded = decode(engine, arithmetic, [(samples, None) for samples in tempting()])

    # Expect that something was said, so that there was something to filter, and that none of it passed
    assert any(decoded)
    assert [said.kept for sound in decoded for said in sound if said.kept] == []


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_speech_ten_decibels_above_a_noise_keeps_its_words(transcriber: Transcriber, background: str) -> None:
    # Given two sentences with six seconds between, and a noise under all of it
    fox, hello = sounds.clip("en/quick_brown_fox"), sounds.clip("en/hello_world")
    clean = np.concatenate([fox.samples(), sounds.silence(6), hello.samples(), sounds.silence(2)])
    samples = mixed(clean, BACKGROUNDS[background](), ratio_db=10)
    spoken = f"{fox.text} {hello.text}"

    transcript = transcriber.transcribe(samples, speech_language="en")

    # Expect what was said, and nothing else
    assert word_error_rate(spoken, transcript.text) <= 0.2, transcript.text
    assert len(transcript.text.split()) <= len(spoken.split()) + 1, transcript.text
    for segment in transcript.segments:
        middle = (segment.start + segment.end) / 2
        gap = len(fox.samples()) / SAMPLE_RATE_HZ
        assert not gap + 1 < middle < gap + 5, segment


def mixed(speech: Samples, noise: Samples, *, ratio_db: float) -> Samples:
    """Speech with a noise so many decibels below it; pauses do not count."""
    loud = np.abs(speech) > 0.02 * np.max(np.abs(speech))
    power = float(np.mean(np.square(speech[loud])) / np.mean(np.square(noise)))
    made = speech + np.resize(noise, len(speech)) * np.sqrt(power / 10 ** (ratio_db / 10))
    return (made / max(1.0, float(np.max(np.abs(made))))).astype(np.float32)
