"""The detector's chances become stretches as the library makes them."""

import numpy as np
import pytest
from faster_whisper.vad import VadOptions, get_speech_timestamps

from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from streametrics.transcription import vad
from streametrics.transcription.vad import SampleSpan, detect_speech
from tests.support import sounds


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.1])
def test_stretches_are_the_librarys_own(noise: float) -> None:
    # Given speech with pauses, clean and in noise
    fox, numbers = sounds.clip("en/quick_brown_fox").samples(), sounds.clip("fr/comptage").samples()
    samples: Samples = np.concatenate([sounds.silence(1), fox, sounds.silence(2), numbers, sounds.silence(0.5), fox])
    samples += sounds.noise(len(samples) / SAMPLE_RATE_HZ, noise)[: len(samples)] if noise else np.float32(0)
    options = VadOptions(
        threshold=vad.SPEECH_THRESHOLD,
        neg_threshold=vad.CONTINUE_THRESHOLD,
        min_silence_duration_ms=int(vad.MIN_SILENCE_S * 1000),
        speech_pad_ms=0,
    )
    expected = get_speech_timestamps(vad._volume_leveled(samples), options)

    found = detect_speech(samples)

    assert found.spans
    assert found.spans == [SampleSpan(each["start"], min(each["end"], len(samples))) for each in expected]


def test_chances_and_seconds_of_voice_are_those_of_the_time_that_is_asked_for() -> None:
    fox = sounds.clip("en/quick_brown_fox").samples()
    length_s = len(fox) / SAMPLE_RATE_HZ

    found = detect_speech(np.concatenate([sounds.silence(5), fox, sounds.silence(5)]))

    assert found.speech_probability(0, 4) < 0.1
    assert found.speech_probability(5, 5 + length_s) > 0.9
    assert found.speech_probability(5 + length_s + 1, 100) < 0.1
    assert found.speech_probability(90, 100) == 0
    assert found.voiced_s(0, 4.5) == 0
    assert found.voiced_s(0, 100) == pytest.approx(length_s, abs=1)
