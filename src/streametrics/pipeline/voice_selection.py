"""Chooses the sound that holds the voice: of the channels of a track, and of the tracks of a recording.

A mix loses a voice that is in opposite phase in two channels, or that stands beside loud music in another one; and the
first track of a recording may be the game, not the microphone. Decisions are made for a window of half a minute at a
time, so memory stays small and a recording may change in its middle. Sound in one channel passes through at no cost.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streametrics.audio.pcm import SAMPLE_RATE_HZ, Pcm, Samples, to_float32, to_int16
from streametrics.audio.tracks import AUTO, MIX, Track
from streametrics.pipeline.channel_choice import ChannelChoice
from streametrics.transcription.vad import HOP_SAMPLES, detect_speech

#: A window ends at the quietest moment between these lengths, in seconds.
SHORTEST_WINDOW_S, LONGEST_WINDOW_S = 20, 40
_QUIET_S = 0.3
#: Another track is taken where it holds so many times the voice of the present one, and so many seconds more.
TRACK_GAIN, TRACK_GAIN_S = 1.25, 1.0


class Channels(Protocol):
    """Blocks of the shape (samples,) or (channels, samples), and whose these are, right from the first block on."""

    @property
    def tracks(self) -> tuple[Track, ...]: ...

    def __iter__(self) -> Iterator[Pcm]: ...


@dataclass(frozen=True, slots=True)
class _Channels:
    """Which channels of a block are whose."""

    track: Track
    first: int

    def of(self, samples: Pcm) -> Pcm:
        return samples[self.first : self.first + len(self.track.channels)]


class VoiceSelection:
    """Iterates over a recording in blocks of the shape (samples,), chosen from its channels.

    channels: an `audio.decoder.Decoding`. wanted: as `audio.tracks.parse_track` says. `used` are the numbers of the
    tracks that were taken at any time.
    """

    def __init__(self, channels: Channels, wanted: str) -> None:
        self._channels, self._wanted = channels, wanted
        self._choices: dict[int, ChannelChoice] = {}
        self._present: int | None = None
        self.used: set[int] = set()

    @property
    def is_dual(self) -> bool:
        """Tell whether one channel of two was left out although somebody else speaks there."""
        return any(choice.is_dual for number, choice in self._choices.items() if number in self.used)

    @property
    def is_mixed(self) -> bool:
        """Tell whether all tracks are mixed, as was asked for."""
        return self._wanted == MIX

    @property
    def taken(self) -> list[int]:
        """The numbers of the tracks that were taken; where there was nothing to choose, of those decoded."""
        return sorted(self.used or {track.number for track in self._channels.tracks if track.channels})

    @property
    def left_out(self) -> tuple[Track, ...]:
        """The tracks that nobody asked to leave out, and that were never taken."""
        if self._wanted not in (AUTO, MIX):
            return ()
        return tuple(track for track in self._channels.tracks if track.number not in self.taken)

    def __iter__(self) -> Iterator[Pcm]:
        waiting: list[Pcm] = []
        for block in self._channels:
            if block.ndim == 1:
                yield block
                continue
            if self.is_mixed:
                yield np.rint(block.mean(axis=0)).astype(np.int16)
                continue
            waiting.append(block)
            if sum(each.shape[1] for each in waiting) >= LONGEST_WINDOW_S * SAMPLE_RATE_HZ:
                window = np.concatenate(waiting, axis=1)
                cut = _quietest(window)
                yield from self._chosen(window[:, :cut])
                waiting = [window[:, cut:]]
        if waiting:
            yield from self._chosen(np.concatenate(waiting, axis=1))

    def _chosen(self, window: Pcm) -> Iterator[Pcm]:
        decoded, first = list[_Channels](), 0
        for track in self._channels.tracks:
            if track.channels:
                decoded.append(_Channels(track, first))
                first += len(track.channels)
        heard = [self._heard(channels.track, to_float32(channels.of(window))) for channels in decoded]
        numbers = [channels.track.number for channels in decoded]
        place = 0
        if len(decoded) > 1:
            default = next((track.number for track in self._channels.tracks if track.is_default), numbers[0])
            place = self._best_track(numbers, [_voice_s(samples) for samples in heard], default)
        self.used.add(numbers[place])
        chosen = to_int16(heard[place])
        for start in range(0, len(chosen), SAMPLE_RATE_HZ):
            yield chosen[start : start + SAMPLE_RATE_HZ]

    def _heard(self, track: Track, channels: Samples) -> Samples:
        if len(channels) == 1:
            return channels.reshape(-1)
        choice = self._choices.setdefault(track.number, ChannelChoice(track.channels))
        return choice.choose(channels)

    def _best_track(self, numbers: list[int], voice_s: list[float], default: int) -> int:
        """Stay with the present track unless another one holds clearly more of a voice; begin with the default."""
        present = self._present if self._present in numbers else default if default in numbers else numbers[0]
        place = numbers.index(present)
        best = int(np.argmax(voice_s))
        if voice_s[best] > TRACK_GAIN * voice_s[place] + TRACK_GAIN_S:
            place = best
        self._present = numbers[place]
        return place


def _voice_s(samples: Samples) -> float:
    """Estimate for how many seconds a voice is heard, each hop counted by its probability."""
    return float(detect_speech(samples).probabilities.sum()) * HOP_SAMPLES / SAMPLE_RATE_HZ


def _quietest(window: Pcm) -> int:
    """Find the quietest moment of a window behind its shortest length, in samples."""
    step = SAMPLE_RATE_HZ // 50
    start = SHORTEST_WINDOW_S * SAMPLE_RATE_HZ
    steps = (window.shape[1] - start) // step
    sound = window[:, start : start + steps * step].astype(np.float32)
    energies: NDArray[np.float32] = (sound * sound).sum(axis=0).reshape(steps, step).sum(axis=1)
    width = round(_QUIET_S * 50)
    around = np.convolve(energies, np.ones(width, np.float32), "valid")
    return start + (int(np.argmin(around)) + width // 2) * step
