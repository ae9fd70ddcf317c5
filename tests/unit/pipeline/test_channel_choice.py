"""Which channel, or which mix of channels, is taken where a voice is hidden in one of them."""

import numpy as np
import pytest

from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from streametrics.pipeline import channel_choice
from streametrics.pipeline.channel_choice import ChannelChoice
from streametrics.transcription.vad import VoiceActivity
from tests.support import sounds

STEREO = ("FL", "FR")
LENGTH = 30 * SAMPLE_RATE_HZ


def voice(*names: str) -> Samples:
    """Half a minute of these clips in turn, with pauses."""
    once = np.concatenate([piece for name in names for piece in (sounds.clip(name).samples(), sounds.silence(0.4))])
    return np.tile(once, -(-LENGTH // len(once)))[:LENGTH]


@pytest.fixture(scope="module")
def speech() -> Samples:
    return voice("en/quick_brown_fox", "en/counting")


@pytest.fixture(scope="module")
def other_speech() -> Samples:
    return voice("fr/pangrama", "es/conteo")


def music(speech: Samples, times: float, seed: int = 0) -> Samples:
    """Chords that fade, so many times as loud as the speech."""
    chords = ((220, 277, 330), (196, 247, 294), (175, 220, 262), (247, 311, 370))
    time_s = np.arange(SAMPLE_RATE_HZ // 2) / SAMPLE_RATE_HZ
    bars = [
        sum(
            np.sin(2 * np.pi * hertz * overtone * time_s) / overtone * np.exp(-3 * time_s)
            for hertz in chords[(bar + seed) % 4]
            for overtone in range(1, 6)
        )
        for bar in range(60)
    ]
    played = np.roll(np.concatenate(bars), 3_000 * seed)
    return (times * level(speech) / level(played) * played).astype(np.float32)


def level(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))


def likeness(chosen: Samples, source: Samples) -> float:
    """How much of what was chosen is the source: 1 for the source alone, in either phase."""
    return abs(float(np.corrcoef(chosen, source)[0, 1]))


def choose(*channels: np.ndarray, names: tuple[str, ...] = STEREO) -> Samples:
    return ChannelChoice(names).choose(np.stack(channels).astype(np.float32))


@pytest.mark.parametrize("right", [-1.0, -0.9, -1.1])
def test_a_voice_in_opposite_phase_is_taken_from_one_channel(speech: Samples, right: float) -> None:
    assert likeness(choose(speech, right * speech), speech) > 0.99


@pytest.mark.parametrize("times", [0.5, 1.0, 3.0])
def test_a_voice_in_opposite_phase_is_taken_out_of_music_in_phase(speech: Samples, times: float) -> None:
    played = music(speech, times)
    assert likeness(choose(speech + played, played - speech), speech) > (0.99 if times >= 1 else 0.85)


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("times", [1.0, 3.0])
def test_a_voice_on_one_channel_is_taken_without_the_music_on_the_other(
    speech: Samples, times: float, swap: bool
) -> None:
    channels = [speech, music(speech, times)]
    assert likeness(choose(*(reversed(channels) if swap else channels)), speech) > 0.99


def test_a_voice_on_one_channel_is_taken_without_the_noise_on_the_other(speech: Samples) -> None:
    assert likeness(choose(speech, sounds.noise(30, 2 * level(speech))), speech) > 0.99


def test_a_voice_that_changes_its_phase_for_a_while_is_heard_all_the_time(speech: Samples) -> None:
    right = speech.copy()
    right[10 * SAMPLE_RATE_HZ : 16 * SAMPLE_RATE_HZ] *= -1
    assert likeness(choose(speech, right), speech) > 0.99


def test_a_voice_in_the_centre_of_six_channels_is_taken_out_of_the_music_around_it(speech: Samples) -> None:
    around = [music(speech, 3.0, seed) for seed in range(4)]
    channels = (around[0], around[1], speech, 0 * speech, around[2], around[3])
    assert likeness(choose(*channels, names=("FL", "FR", "FC", "LFE", "BL", "BR")), speech) > 0.99


def test_a_voice_on_one_of_eight_microphones_is_found(speech: Samples) -> None:
    channels = [sounds.noise(30, level(speech)) * (seed + 1) for seed in range(8)]
    channels[5] = speech
    assert likeness(choose(*channels, names=tuple(f"C{number}" for number in range(8))), speech) > 0.99


def test_two_people_on_two_channels_are_mixed(speech: Samples, other_speech: Samples) -> None:
    turn = (np.arange(LENGTH) // (4 * SAMPLE_RATE_HZ)) % 2
    for bleed in (0.0, 0.1, 0.3):
        left, right = speech * turn, other_speech * (1 - turn)
        channels = left + bleed * np.roll(right, 60), right + bleed * np.roll(left, 60)
        assert np.allclose(choose(*channels), (channels[0] + channels[1]) / 2, atol=1e-6)


def test_a_second_person_who_says_little_is_not_left_out(speech: Samples, other_speech: Samples) -> None:
    left, right = speech.copy(), np.zeros_like(speech)
    left[25 * SAMPLE_RATE_HZ :], right[26 * SAMPLE_RATE_HZ :] = 0, other_speech[: 4 * SAMPLE_RATE_HZ]
    assert np.allclose(choose(left, right), (left + right) / 2, atol=1e-6)


def test_of_two_programs_at_once_the_first_is_taken(speech: Samples, other_speech: Samples) -> None:
    choice = ChannelChoice(STEREO)
    assert np.allclose(choice.choose(np.stack([speech, other_speech])), speech)
    assert choice.is_dual


def test_an_ordinary_recording_is_mixed(speech: Samples) -> None:
    """A voice in the centre, music around it, or the same on both: also with channels that are a little apart."""
    ordinary = {
        "the same": (speech, speech),
        "one is silent": (speech, 0 * speech),
        "with music around it": (speech + music(speech, 0.5), speech + music(speech, 0.5, 1)),
        "with noise": (speech + sounds.noise(30, 0.01), speech + sounds.noise(30, 0.01)[::-1]),
        "one is late": (speech, np.roll(speech, 8)),
        "music alone": (music(speech, 1.0), music(speech, 1.0, 1)),
        "nothing": (0 * speech, 0 * speech),
    }
    for name, (left, right) in ordinary.items():
        choice = ChannelChoice(STEREO)
        mixed = choice.choose(np.stack([left, right]).astype(np.float32))
        assert np.allclose(mixed, (left + right) / 2, atol=1e-6), name
        assert not choice.is_dual, name


def test_the_choice_goes_back_to_the_mix_when_the_phase_is_right_again(speech: Samples) -> None:
    choice = ChannelChoice(STEREO)
    assert likeness(choice.choose(np.stack([speech, -speech])), speech) > 0.99
    later = np.stack([speech, 0.5 * speech])
    assert np.allclose(choice.choose(later), later.mean(axis=0), atol=1e-6)


def test_an_ordinary_recording_is_hardly_listened_to(speech: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a minute in which the channels hardly differ costs no look of the detector, a wide one six seconds."""
    listened: list[int] = []
    detect = channel_choice.detect_speech

    def count(samples: Samples) -> VoiceActivity:
        listened.append(len(samples))
        return detect(samples)

    monkeypatch.setattr(channel_choice, "detect_speech", count)
    choose(speech, 0.9 * speech)
    assert listened == []
    choose(speech + music(speech, 0.5), speech + music(speech, 0.5, 1))
    assert sum(listened) <= 6.1 * SAMPLE_RATE_HZ


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.2, 1.0])
def test_the_shortest_sounds_are_chosen_from_too(seconds: float) -> None:
    left = sounds.tone(seconds)
    assert len(choose(left, -left)) == len(left)
