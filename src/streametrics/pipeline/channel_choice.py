"""Chooses, of the channels of one track, the one or the mix that holds the voice."""

import numpy as np
from numpy.typing import NDArray

from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from streametrics.transcription.vad import HOP_SAMPLES, MIN_SOUND_S, NOISE_FLOOR, detect_speech

#: Another channel is taken where it holds so many times the voice of the mix, and so many seconds more.
GAIN, GAIN_S = 1.2, 0.4
#: Or where a voice is heard for so many seconds more, by hops of which half a second differs by so much.
_HEARD_S, _OVER_S, _DIFFERENCE = 0.5, 0.5, 0.4
#: Or where the voice stands out by so much more.
_CLEANER_DB = 6.0
#: So much weaker than in one channel is a voice in the mix that cancels it (half of it stands in one channel: -6 dB).
_CANCELLED_DB = -9.0
#: Below this share of the mix, what differs between left and right is no voice that is worth a look.
_WIDE_DB = -18.0
#: So long it has to differ, and is listened to for a first impression, in seconds.
_WIDE_S, _LOOK_S = 0.5, 1.2
#: Two programs at once: they overlap for this share of the time, and neither waves nor loudness go together.
_OVERLAP, _SAME_WAVE, _SAME_LOUDNESS, _SAME_NEARER = 0.5, 0.2, 0.6, 0.8
#: How much a channel counts in the mix, by FFmpeg's names, as in FFmpeg's own; 0.7071 for those not listed.
_WEIGHTS = {"FC": 1.0, "LFE": 0.0, "BL": 0.5, "BR": 0.5, "SL": 0.5, "SR": 0.5, "BC": 0.5}
_STEP = SAMPLE_RATE_HZ // 10

MIX, SIDE = "mix", "side"


class ChannelChoice:
    """Chooses in one window after another; the last choice stays where none is clearly better.

    channels: the names of the channels. `is_dual`: two programs were found in two channels, and the first one taken.
    """

    def __init__(self, channels: tuple[str, ...]) -> None:
        self._channels = channels
        self._present = MIX
        self.is_dual = False

    def choose(self, channels: Samples) -> Samples:
        """Return the sound in which the voice is, shape (samples,), of channels of the shape (channels, samples)."""
        mix = _mixed(channels, self._channels)
        if channels.shape[1] < MIN_SOUND_S * SAMPLE_RATE_HZ:
            return mix
        if self._present == MIX and not self._is_worth_listening(channels, mix):
            return mix
        candidates = self._candidates(channels, mix)
        hops = {name: _probabilities(samples) for name, samples in candidates.items()}
        self._present = self._best(candidates, hops)
        if self._present == MIX and len(channels) == 2 and _is_dual(channels, *(hops[name] for name in self._channels)):
            self.is_dual = True
            return candidates[self._channels[0]]
        return candidates[self._present]

    def _candidates(self, channels: Samples, mix: Samples) -> dict[str, Samples]:
        candidates = {MIX: mix} | dict(zip(self._channels, channels, strict=True))
        if len(channels) == 2:
            candidates[SIDE] = (channels[0] - channels[1]) / 2
        return candidates

    def _is_worth_listening(self, channels: Samples, mix: Samples) -> bool:
        """Look at what costs next to nothing, then listen to the stretches that are most suspicious."""
        energies, mixed = np.stack([_energies(channel) for channel in channels]), _energies(mix)
        differing = _energies((channels[0] - channels[1]) / 2) if len(channels) == 2 else energies.max(axis=0)
        loud = energies.max(axis=0) > NOISE_FLOOR**2
        wide = loud & (differing > 10 ** (_WIDE_DB / 10) * mixed)
        if wide.sum() * _STEP < _WIDE_S * SAMPLE_RATE_HZ:
            return False
        candidates = self._candidates(channels, mix)
        places: dict[tuple[str, ...], NDArray[np.float32]]
        if len(channels) > 2:
            places = {(MIX, name): np.where(wide, each, 0) for name, each in zip(self._channels, energies, strict=True)}
        else:
            # What cancels shows where the difference is strongest; what is drowned, where both channels are loud.
            ratio = np.log1p(differing / np.maximum(mixed, NOISE_FLOOR**2))
            places = {
                (MIX, SIDE): np.where(wide, ratio, 0),
                (MIX, *self._channels): np.where(wide, energies.min(axis=0), 0),
            }
        for names, values in places.items():
            start = _strongest(values)
            look = slice(start, start + round(_LOOK_S * SAMPLE_RATE_HZ))
            if self._differs({name: candidates[name][look] for name in names}):
                return True
        return False

    def _differs(self, candidates: dict[str, Samples]) -> bool:
        """Tell whether a voice is heard in a channel that is not heard in the mix, or two at once."""
        hops = {name: _probabilities(samples) for name, samples in candidates.items()}
        if self._best(candidates, hops, gain_s=0.1) != MIX:
            return True
        if len(self._channels) != 2 or self._channels[0] not in hops:
            return False
        channels = np.stack([candidates[name] for name in self._channels])
        chances = [hops[name] for name in self._channels]
        voiced, other = sorted((0, 1), key=lambda channel: float(-chances[channel].sum()))
        if chances[other].sum() < 0.3 * chances[voiced].sum():
            # Nobody speaks beside the voice, but it may be loud there.
            return bool(np.mean(channels[other] ** 2) > 0.25 * np.mean(channels[voiced] ** 2))
        return _is_dual(channels, *chances)

    def _best(
        self, candidates: dict[str, Samples], hops: dict[str, NDArray[np.float32]], *, gain_s: float = GAIN_S
    ) -> str:
        """Name the candidate to take: the present one unless another holds clearly more of a voice."""
        scores = {name: float(each.sum()) * HOP_SAMPLES / SAMPLE_RATE_HZ for name, each in hops.items()}
        # Of about equal ones the first: a channel before what differs between them.
        best = next(name for name in scores if scores[name] >= 0.95 * max(scores.values()))
        if scores[best] > GAIN * scores[self._present] + gain_s or _heard_more(hops[best], hops[self._present]):
            return best
        cleaner = max(hops, key=lambda name: _contrast_db(candidates[name], hops[name]) - (name == self._present))
        if scores[cleaner] >= 0.8 * scores[self._present] and not _heard_more(hops[self._present], hops[cleaner]):
            least_db = _contrast_db(candidates[self._present], hops[cleaner]) + _CLEANER_DB
            if _contrast_db(candidates[cleaner], hops[cleaner]) > least_db:
                return cleaner
        if self._present == MIX:
            voiced = hops[best] >= 0.5
            channel = max(hops, key=lambda name: _level(candidates[name], voiced))
            level = _level(candidates[channel], voiced)
            if level > NOISE_FLOOR**2 and _level(candidates[MIX], voiced) < 10 ** (_CANCELLED_DB / 10) * level:
                return best if best != MIX else channel
        elif scores[MIX] >= 0.95 * scores[best]:
            return self._back_to_mix(candidates, hops)
        return self._present

    def _back_to_mix(self, candidates: dict[str, Samples], hops: dict[str, NDArray[np.float32]]) -> str:
        voiced = hops[MIX] >= 0.5
        level = max(_level(candidates[name], voiced) for name in self._channels)
        is_whole = _level(candidates[MIX], voiced) >= 10 ** (_CANCELLED_DB / 10) * level
        return MIX if is_whole else self._present


def _mixed(channels: Samples, names: tuple[str, ...]) -> Samples:
    weights = np.array([_WEIGHTS.get(name, 0.7071) for name in names], np.float32)
    if len(channels) == 2:
        halves: Samples = (channels[0] + channels[1]) / np.float32(2)
        return halves
    if not weights.sum():
        weights = np.ones(len(channels), np.float32)
    mix: Samples = np.tensordot(weights / weights.sum(), channels, axes=1).astype(np.float32)
    return mix


def _probabilities(samples: Samples) -> NDArray[np.float32]:
    """Compute the probability of speech for each hop, zero where there is no sound at all."""
    probabilities = detect_speech(samples).probabilities
    hops = -(-len(samples) // HOP_SAMPLES)
    return np.pad(probabilities[:hops], (0, hops - min(hops, len(probabilities))))


def _energies(samples: Samples) -> NDArray[np.float32]:
    """Compute the mean square of each step of 0.1 s; a shorter rest is left out."""
    steps = max(1, len(samples) // _STEP)
    return _mean_squares(samples[: steps * _STEP].reshape(steps, -1))


def _strongest(values: NDArray[np.float32]) -> int:
    """Find where the stretch of `_LOOK_S` with the highest sum of these values begins, one a step; in samples."""
    width = min(len(values), round(_LOOK_S * SAMPLE_RATE_HZ / _STEP))
    return int(np.argmax(np.convolve(values, np.ones(width), "valid"))) * _STEP


def _hop_energies(samples: Samples) -> NDArray[np.float32]:
    hops = -(-len(samples) // HOP_SAMPLES)
    return _mean_squares(np.pad(samples, (0, hops * HOP_SAMPLES - len(samples))).reshape(hops, HOP_SAMPLES))


def _mean_squares(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute the mean square of each row."""
    energies: NDArray[np.float32] = np.einsum("ij,ij->i", rows, rows) / rows.shape[1]
    return energies


def _heard_more(probabilities: NDArray[np.float32], than: NDArray[np.float32]) -> bool:
    """Tell whether a voice is heard where it is not heard in the other one, and hardly the other way around."""
    width = round(_OVER_S * SAMPLE_RATE_HZ / HOP_SAMPLES)
    difference = np.convolve(probabilities - than, np.full(width, 1 / width), "same")
    gained = int((difference > _DIFFERENCE).sum()) - int((difference < -_DIFFERENCE).sum())
    return gained * HOP_SAMPLES >= _HEARD_S * SAMPLE_RATE_HZ


def _level(samples: Samples, voiced: NDArray[np.bool_]) -> float:
    """Compute the mean square where a voice is."""
    return float(_hop_energies(samples)[voiced].mean()) if voiced.any() else 0.0


def _contrast_db(samples: Samples, chances: NDArray[np.float32]) -> float:
    """Compute how much louder it is where a voice is than where none is; 0 where there is no telling."""
    voiced, unvoiced = chances >= 0.5, chances < 0.2
    if min(voiced.sum(), unvoiced.sum()) * HOP_SAMPLES < _HEARD_S * SAMPLE_RATE_HZ:
        return 0.0
    floor = NOISE_FLOOR**2
    return float(10 * np.log10((_level(samples, voiced) + floor) / (_level(samples, unvoiced) + floor)))


def _is_dual(channels: Samples, left: NDArray[np.float32], right: NDArray[np.float32]) -> bool:
    """Tell whether different people speak in two channels at the same time, as in a broadcast in two languages."""
    both, least = (left >= 0.5) & (right >= 0.5), min((left >= 0.5).sum(), (right >= 0.5).sum())
    if not least or both.sum() < _OVERLAP * least or both.sum() * HOP_SAMPLES < 0.5 * SAMPLE_RATE_HZ:
        return False
    return _correlation(channels[0], channels[1]) < _SAME_WAVE and not _is_same_loudness(
        channels, (left >= 0.5) | (right >= 0.5)
    )


def _is_same_loudness(channels: Samples, voiced: NDArray[np.bool_]) -> bool:
    """Tell whether two channels grow louder and quieter together, always or while one of them is the louder one."""
    first, second = (10 * np.log10(_hop_energies(channel)[voiced] + NOISE_FLOOR**2) for channel in channels)
    nearer = [(first, second), (first[first > second + 3], second[first > second + 3])]
    nearer.append((first[second > first + 3], second[second > first + 3]))
    all_of_it, *of_each = (_correlation(*levels) if len(levels[0]) > 10 else 0.0 for levels in nearer)
    return all_of_it > _SAME_LOUDNESS or min(of_each) > _SAME_NEARER


def _correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Compute the absolute correlation; 1 where one of them never changes."""
    first, second = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((first * first).sum() * (second * second).sum()))
    return abs(float((first * second).sum())) / scale if scale > 0 else 1.0
