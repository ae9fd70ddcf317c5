"""Every engine hears all that several voices say in turn, each in its own language. On real weights."""

import os
import shutil

import pytest

from benchmarks import mixed
from benchmarks.listeners import answered
from benchmarks.lost import Tally, tally
from streametrics.settings import Settings
from streametrics.transcription import factory as transcriber_factory

pytestmark = [
    pytest.mark.weights,
    pytest.mark.skipif(
        not os.environ.get("CI") and not shutil.which("espeak-ng"),
        reason="espeak-ng is missing: sudo apt-get install espeak-ng",
    ),
]

#: Clips for each engine, the kinds by turns: `benchmarks.lost` has ten times as many, and more voices.
CLIPS = {"openai-whisper-fast": 20, "faster-whisper": 6, "openai-whisper": 6}


@pytest.mark.parametrize("engine", CLIPS)
def test_hardly_a_word_is_lost_where_voices_and_languages_change(engine: str) -> None:
    # Given short phrases before long ones, alerts, greetings, changes of language, and sentences said again and again
    mixes = list(mixed.mixes(CLIPS[engine], cast=mixed.ANYWHERE))
    transcriber = transcriber_factory.create(Settings(_env_file=None, whisper_engine=engine, whisper_model="base"))

    # When they are heard, no language given
    heard = sum((tally(mix, answered(transcriber.transcribe(mix.samples))) for mix in mixes), Tally())

    # Expect at most one word in a hundred in a run of four that nothing stands for, and hardly a stretch translated;
    # heard one by one, in its own language, no stretch of these clips loses anything
    assert heard.words > 30 * len(mixes)
    assert heard.lost <= heard.words / 100, sorted(heard.worst, reverse=True)
    assert heard.missed + heard.replaced <= heard.stretches / 20
