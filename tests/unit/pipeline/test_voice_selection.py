"""Which track is taken, window by window."""

from collections.abc import Iterator

import numpy as np
import pytest

from streametrics.audio.pcm import SAMPLE_RATE_HZ, Pcm, to_int16
from streametrics.audio.tracks import Track
from streametrics.pipeline.voice_selection import LONGEST_WINDOW_S, VoiceSelection
from tests.support import sounds


class Channels:
    """Gives blocks of a second of these channels, shape (channels, samples), and notes how much is out of its hands."""

    def __init__(self, tracks: tuple[Track, ...], samples: Pcm) -> None:
        self.tracks = tracks
        self.given = 0
        self._samples = samples

    def __iter__(self) -> Iterator[Pcm]:
        while self.given < self._samples.shape[-1]:
            block = self._samples[..., self.given : self.given + SAMPLE_RATE_HZ]
            self.given += block.shape[-1]
            yield block


def tracks(*channels: tuple[str, ...], default: int = 1) -> tuple[Track, ...]:
    return tuple(
        Track(number, "aac", names, is_default=number == default) for number, names in enumerate(channels, start=1)
    )


MONO = ("mix",)


@pytest.fixture(scope="module")
def speech() -> Pcm:
    """A minute."""
    return to_int16(sounds.speech(60))


@pytest.fixture(scope="module")
def silence(speech: Pcm) -> Pcm:
    return np.zeros_like(speech)


def select(channels: Channels, wanted: str = "auto") -> tuple[Pcm, VoiceSelection]:
    selection = VoiceSelection(channels, wanted)
    blocks = list(selection)
    assert all(block.ndim == 1 and 0 < block.size <= SAMPLE_RATE_HZ for block in blocks)
    return np.concatenate(blocks), selection


def test_sound_in_one_channel_passes_as_it_comes(speech: Pcm) -> None:
    channels = Channels(tracks(MONO), speech)
    coming = iter(VoiceSelection(channels, "auto"))
    assert next(coming) is not None
    assert channels.given == SAMPLE_RATE_HZ
    assert np.concatenate([speech[:SAMPLE_RATE_HZ], *coming]).tolist() == speech.tolist()


@pytest.mark.parametrize("times", [0.0, 1.0])
def test_the_track_with_a_voice_is_taken(speech: Pcm, times: float) -> None:
    game = to_int16(times * sounds.tone(60, 300))
    heard, selection = select(Channels(tracks(MONO, MONO), np.stack([game, speech])))
    assert (heard == speech).all()
    assert selection.used == {2}
    assert [track.number for track in selection.left_out] == [1]


def test_of_two_tracks_with_a_voice_the_one_that_a_player_takes_is_taken(speech: Pcm) -> None:
    other = np.roll(speech, 40_000)
    for default, expected in ((1, speech), (2, other)):
        heard, selection = select(Channels(tracks(MONO, MONO, default=default), np.stack([speech, other])))
        assert (heard == expected).all()
        assert selection.used == {default}


def test_a_track_without_a_voice_at_all_is_the_one_that_a_player_takes(silence: Pcm) -> None:
    heard, selection = select(Channels(tracks(MONO, MONO, default=2), np.stack([silence + 5, silence])))
    assert not heard.any()
    assert selection.used == {2}


def test_a_voice_that_changes_its_track_is_followed(speech: Pcm, silence: Pcm) -> None:
    channels = np.stack([np.concatenate([speech, silence]), np.concatenate([silence, speech])])
    heard, selection = select(Channels(tracks(MONO, MONO), channels))
    assert heard.size == 2 * speech.size
    assert (heard[: speech.size - SAMPLE_RATE_HZ] == speech[:-SAMPLE_RATE_HZ]).all()
    assert (heard[-speech.size // 2 :] == speech[-speech.size // 2 :]).all()
    assert selection.used == {1, 2}
    assert selection.left_out == ()


def test_a_voice_in_opposite_phase_in_the_second_track_is_found(speech: Pcm, silence: Pcm) -> None:
    channels = np.stack([silence, silence, speech, -speech])
    heard, _ = select(Channels(tracks(("FL", "FR"), ("FL", "FR")), channels))
    assert (heard == speech).all()


def test_all_tracks_are_mixed_where_that_is_asked_for(speech: Pcm, silence: Pcm) -> None:
    heard, selection = select(Channels(tracks(MONO, MONO), np.stack([speech, silence])), "mix")
    assert np.allclose(heard, speech / 2, atol=1)
    assert selection.left_out == ()


def test_tracks_that_are_not_decoded_are_left_out_unless_one_was_asked_for(speech: Pcm) -> None:
    channels = tracks(MONO, ())
    assert [track.number for track in select(Channels(channels, speech))[1].left_out] == [2]
    assert select(Channels(channels, speech), "1")[1].left_out == ()


def test_memory_holds_one_window_of_a_long_recording(speech: Pcm) -> None:
    long = np.tile(np.stack([speech, speech]), 10)
    channels, selection_given = Channels(tracks(("FL", "FR")), long), 0
    for block in VoiceSelection(channels, "auto"):
        selection_given += block.size
        assert channels.given - selection_given <= LONGEST_WINDOW_S * SAMPLE_RATE_HZ
    assert selection_given == long.shape[1]


def test_where_one_track_can_be_decoded_it_is_the_one_that_was_taken(speech: Pcm) -> None:
    """Given a second track in a format that is not read, the first one passes as it comes."""
    _, selection = select(Channels(tracks(MONO, ()), speech[:SAMPLE_RATE_HZ]))

    assert selection.taken == [1]
    assert [track.number for track in selection.left_out] == [2]


def test_mixed_tracks_were_all_taken(speech: Pcm) -> None:
    _, selection = select(Channels(tracks(MONO, MONO, ()), np.stack([speech[:SAMPLE_RATE_HZ]] * 2)), "mix")

    assert selection.is_mixed
    assert selection.taken == [1, 2]
    assert [track.number for track in selection.left_out] == [3]
