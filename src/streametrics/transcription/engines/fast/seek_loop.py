"""The seek loop: windows of speech become segments, several windows in one pass of the model.

A pass says what it heard of a window up to its last whole segment; what lies behind that is heard in the next
pass, until no voice is left. This, the checks of an answer and the ladder of temperatures are openai-whisper's
(`whisper.transcribe`), with two changes: sound in which the voice detector found nobody is not worth a pass, and an
answer that repeats itself but ends by itself stands. What is not to be believed is decided elsewhere
(`transcription/hallucination_filter.py`), by the evidence that segments carry.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import whisper
from whisper.audio import FRAMES_PER_SECOND, N_FFT, N_FRAMES
from whisper.tokenizer import Tokenizer
from whisper.utils import compression_ratio

from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from streametrics.domain.transcript import Evidence, Segment
from streametrics.transcription.audio_context import frames_to_encode, needs_all_silence
from streametrics.transcription.engines.fast.sampling import Said, Sampler
from streametrics.transcription.hallucination_filter import LEAST_LOGPROB, MOST_SILENT, is_worth_another_try

#: openai-whisper's own ladder.
TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
#: Seconds in a timestamp's step, and spectrogram frames in one.
STEP_S, STEP_FRAMES = 0.02, 2
#: Silence that is encoded behind the sound, in spectrogram frames.
SILENCE_FRAMES = 300
#: Voice that is shorter than a word is no reason for another pass, in seconds.
SHORTEST_VOICE_S = 0.2


@dataclass(slots=True)
class Window:
    """One window on its way: its spectrogram, how far it is heard, and what was said in it.

    features: of its present piece, shape (positions, state), None until that is encoded. is_whole: the piece is filled
    up to 30 s. rung: the piece's place on the ladder of temperatures.
    """

    mel: torch.Tensor
    frames: int
    voiced_frames: int
    tokenizer: Tokenizer
    seek: int = 0
    rung: int = 0
    is_whole: bool = False
    features: torch.Tensor | None = None
    segments: list[Segment] = field(default_factory=list)

    @property
    def is_heard(self) -> bool:
        return self.seek >= self.frames or self.seek + SHORTEST_VOICE_S * FRAMES_PER_SECOND > self.voiced_frames

    def piece(self) -> torch.Tensor:
        """From where it is heard up to, 30 s at most, with some silence behind it, shape (mels, frames)."""
        sound = self.mel[:, self.seek : self.seek + self.length]
        heard: torch.Tensor = whisper.pad_or_trim(sound, N_FRAMES if self.is_whole else self._frames_to_encode)
        return heard

    @property
    def could_be_longer(self) -> bool:
        return not self.is_whole and self._frames_to_encode < int(N_FRAMES)

    @property
    def _frames_to_encode(self) -> int:
        return frames_to_encode(self.length, SILENCE_FRAMES)

    @property
    def length(self) -> int:
        """Frames of sound in the piece."""
        return min(int(N_FRAMES), self.frames - self.seek)


def spectrogram(samples: Samples, mels: int) -> torch.Tensor:
    """Of a whole window, shape (mels, frames), as the reference makes it: the last frame reaches into silence."""
    made: torch.Tensor = whisper.log_mel_spectrogram(samples, mels, padding=N_FFT)
    return made


def frames_of(samples: Samples) -> int:
    """Spectrogram frames that hold sound."""
    return len(samples) * int(FRAMES_PER_SECOND) // SAMPLE_RATE_HZ


def without_doubts(windows: Sequence[Window]) -> list[Window]:
    """Those that were tried least: nobody waits while a neighbour's doubtful piece is tried again and again."""
    least = min(window.rung for window in windows)
    return [window for window in windows if window.rung == least]


def say(sampler: Sampler, windows: Sequence[Window]) -> None:
    """Try each window's piece once, all at one rung: greedily, and warmer where the answers before failed their checks.

    An answer that passes them is taken, and the last one in any case. Before it gets warmer, the piece is filled up.
    """
    (rung,) = {window.rung for window in windows}
    features = [window.features for window in windows if window.features is not None]
    prompts = [list(window.tokenizer.sot_sequence) for window in windows]
    for window, said in zip(windows, sampler.say(features, prompts, TEMPERATURES[rung]), strict=True):
        if window.could_be_longer and _needs_all_silence(said, window.tokenizer):
            window.is_whole, window.features = True, None
        elif rung + 1 < len(TEMPERATURES) and _fails(said, window.tokenizer):
            window.rung += 1
        else:
            take(window, said)
            window.rung, window.is_whole, window.features = 0, False, None


def _fails(said: Said, tokenizer: Tokenizer) -> bool:
    return is_worth_another_try(_evidence(said, tokenizer))


def _needs_all_silence(said: Said, tokenizer: Tokenizer) -> bool:
    return needs_all_silence(_evidence(said, tokenizer), said.tokens, timestamp_begin=tokenizer.timestamp_begin)


def _evidence(said: Said, tokenizer: Tokenizer) -> Evidence:
    text = tokenizer.decode(said.tokens).strip()
    compression = float(compression_ratio(text)) if text else 0.0
    return Evidence(said.average_logprob, said.no_speech, compression, said.temperature, said.ended)


def take(window: Window, said: Said) -> None:
    """Add what was said to a window, and move its position behind it."""
    offset_s, length = window.seek / FRAMES_PER_SECOND, window.length
    begin = window.tokenizer.timestamp_begin
    pieces, heard_steps = _cut(said.tokens, begin)
    evidence = _evidence(said, window.tokenizer)
    silent = said.no_speech > MOST_SILENT and said.average_logprob <= LEAST_LOGPROB
    window.seek += length if silent or heard_steps is None else max(min(heard_steps * STEP_FRAMES, length), 1)
    for start, end, tokens in pieces:
        end_s = length / FRAMES_PER_SECOND if end is None else end * STEP_S
        text = window.tokenizer.decode([token for token in tokens if token < window.tokenizer.eot]).strip()
        if text and end_s > start * STEP_S:
            window.segments.append(Segment(offset_s + start * STEP_S, offset_s + end_s, text, evidence))


def _cut(tokens: list[int], begin: int) -> tuple[list[tuple[int, int | None, list[int]]], int | None]:
    """Segments as (start step, end step, tokens), and the step up to which the piece is heard, None for all.

    An end step of None is the end of the piece.
    """
    is_time = [token >= begin for token in tokens]
    borders = [at for at in range(1, len(tokens)) if is_time[at] and is_time[at - 1]]
    ends_once = is_time[-2:] == [False, True]
    if not borders:
        times = [token - begin for token in tokens if token >= begin]
        end = times[-1] if times and times[-1] > 0 else None
        return [(0, end, tokens)], None
    if ends_once:
        borders.append(len(tokens))
    pieces: list[tuple[int, int | None, list[int]]] = []
    for start, stop in zip([0, *borders], borders, strict=False):
        piece = tokens[start:stop]
        pieces.append((piece[0] - begin, piece[-1] - begin, piece))
    return pieces, None if ends_once else tokens[borders[-1] - 1] - begin
