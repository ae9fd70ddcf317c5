"""Decodes windows of speech to segments in a seek loop, several windows in one batch.

A step decodes a window up to its last whole segment; the next step goes on from there, until no speech is left. This,
the checks and the rising temperatures are openai-whisper's (`whisper.transcribe`), with two changes: audio in which the
voice detector found nobody is not decoded, and a text that repeats itself but ended by itself stands. Hallucinations
are removed elsewhere (`transcription/hallucination_filter.py`), by the statistics that segments carry.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
import whisper
from whisper.audio import FRAMES_PER_SECOND, N_FFT, N_FRAMES
from whisper.tokenizer import Tokenizer
from whisper.utils import compression_ratio

from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from streametrics.domain.transcript import DecodingStatistics, Segment
from streametrics.transcription.audio_context import frames_to_encode, needs_full_padding
from streametrics.transcription.engines.fast.sampling import DecodedTokens, Sampler
from streametrics.transcription.hallucination_filter import LOGPROB_THRESHOLD, NO_SPEECH_THRESHOLD, should_retry
from streametrics.transcription.word_alignment import token_times, words_of_segment

#: openai-whisper's own, tried one after another.
TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
#: Seconds in a timestamp's step, and spectrogram frames in one.
STEP_S, STEP_FRAMES = 0.02, 2
#: Silence that is encoded after the audio, in spectrogram frames.
SILENCE_FRAMES = 300
#: Speech that is shorter than a word is no reason for another step, in seconds.
MIN_VOICE_S = 0.2


@dataclass(slots=True)
class WindowProgress:
    """Tracks one window: its spectrogram, how far it is decoded, and its segments so far.

    features: of its present piece, shape (positions, state), None until that is encoded. is_whole: the piece is padded
    to 30 s. rung: index of the piece's temperature.
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
    def is_decoded(self) -> bool:
        return self.seek >= self.frames or self.seek + MIN_VOICE_S * FRAMES_PER_SECOND > self.voiced_frames

    def piece(self) -> torch.Tensor:
        """Return the next piece, 30 s at most, with some silence after it, shape (mels, frames)."""
        audio = self.mel[:, self.seek : self.seek + self.length]
        padded: torch.Tensor = whisper.pad_or_trim(audio, N_FRAMES if self.is_whole else self._frames_to_encode)
        return padded

    @property
    def can_be_padded(self) -> bool:
        return not self.is_whole and self._frames_to_encode < int(N_FRAMES)

    @property
    def _frames_to_encode(self) -> int:
        return frames_to_encode(self.length, SILENCE_FRAMES)

    @property
    def length(self) -> int:
        """Frames of audio in the piece."""
        return min(int(N_FRAMES), self.frames - self.seek)


def spectrogram_of(samples: Samples, mels: int) -> torch.Tensor:
    """Compute a window's spectrogram, shape (mels, frames), like the reference: the last frame reaches into silence."""
    made: torch.Tensor = whisper.log_mel_spectrogram(samples, mels, padding=N_FFT)
    return made


def audio_frames(samples: Samples) -> int:
    """Count the spectrogram frames that hold audio."""
    return len(samples) * int(FRAMES_PER_SECOND) // SAMPLE_RATE_HZ


def least_retried(windows: Sequence[WindowProgress]) -> list[WindowProgress]:
    """Choose the windows that were retried least: none waits while a neighbor's doubtful piece is retried."""
    least = min(window.rung for window in windows)
    return [window for window in windows if window.rung == least]


def decode_once(sampler: Sampler, windows: Sequence[WindowProgress]) -> None:
    """Decode each window's piece once, all at one temperature: the next one where the last text failed the checks.

    A text that passes them is accepted, and the last one in any case. Before it rises, the piece is padded.
    """
    (rung,) = {window.rung for window in windows}
    features = [window.features for window in windows if window.features is not None]
    prompts = [list(window.tokenizer.sot_sequence) for window in windows]
    for window, decoded in zip(windows, sampler.sample(features, prompts, TEMPERATURES[rung]), strict=True):
        if window.can_be_padded and _needs_full_padding(decoded, window.tokenizer):
            window.is_whole, window.features = True, None
        elif rung + 1 < len(TEMPERATURES) and _fails(decoded, window.tokenizer):
            window.rung += 1
        else:
            accept(window, decoded)
            window.rung, window.is_whole, window.features = 0, False, None


def _fails(decoded: DecodedTokens, tokenizer: Tokenizer) -> bool:
    return should_retry(_statistics(decoded, tokenizer))


def _needs_full_padding(decoded: DecodedTokens, tokenizer: Tokenizer) -> bool:
    return needs_full_padding(
        _statistics(decoded, tokenizer), decoded.tokens, timestamp_begin=tokenizer.timestamp_begin
    )


def _statistics(decoded: DecodedTokens, tokenizer: Tokenizer) -> DecodingStatistics:
    text = tokenizer.decode(decoded.tokens).strip()
    compression = float(compression_ratio(text)) if text else 0.0
    return DecodingStatistics(
        decoded.average_logprob, decoded.no_speech, compression, decoded.temperature, decoded.ended
    )


def accept(window: WindowProgress, decoded: DecodedTokens) -> None:
    """Add decoded tokens to a window as segments, and move its position past them."""
    offset_s, length = window.seek / FRAMES_PER_SECOND, window.length
    begin = window.tokenizer.timestamp_begin
    pieces, decoded_steps = _split_segments(decoded.tokens, begin)
    # No sound is a translated word's alone.
    times = [] if window.tokenizer.task == "translate" else _token_times(decoded, offset_s, length)
    at = 0
    statistics = _statistics(decoded, window.tokenizer)
    silent = decoded.no_speech > NO_SPEECH_THRESHOLD and decoded.average_logprob <= LOGPROB_THRESHOLD
    window.seek += length if silent or decoded_steps is None else max(min(decoded_steps * STEP_FRAMES, length), 1)
    for start, end, tokens in pieces:
        end_s = length / FRAMES_PER_SECOND if end is None else end * STEP_S
        text = window.tokenizer.decode([token for token in tokens if token < window.tokenizer.eot]).strip()
        if text and end_s > start * STEP_S:
            own = replace(statistics, segment_logprob=_mean(decoded.logprobs[at : at + len(tokens)]))
            segment = Segment(offset_s + start * STEP_S, offset_s + end_s, text, own)
            window.segments.append(words_of_segment(segment, tokens, times[at : at + len(tokens)], window.tokenizer))
        at += len(tokens)


def _mean(logprobs: Sequence[float]) -> float | None:
    return sum(logprobs) / len(logprobs) if logprobs else None


def _token_times(decoded: DecodedTokens, offset_s: float, length: int) -> list[tuple[float, float]]:
    """Return when each token begins and ends; nothing where no attention was kept. length: frames of audio."""
    if not decoded.attention:
        return []
    attention = torch.stack(decoded.attention)[..., : -(-length // STEP_FRAMES)]
    return [(offset_s + begin, offset_s + end) for begin, end in token_times(attention.numpy())]


def _split_segments(tokens: list[int], begin: int) -> tuple[list[tuple[int, int | None, list[int]]], int | None]:
    """Split tokens into (start step, end step, tokens), and find the step that is decoded up to, None for all.

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
