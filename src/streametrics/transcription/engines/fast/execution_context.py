"""Decodes batches of speech windows, one at a time; several contexts share a model's weights."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import torch
import whisper
from whisper.audio import N_FRAMES
from whisper.tokenizer import LANGUAGES, Tokenizer, get_tokenizer

from streametrics.audio.pcm import Samples
from streametrics.domain.transcript import Segment, SpeechTask
from streametrics.errors import TranscriptionFailed
from streametrics.transcription.engine import SpeechWindow
from streametrics.transcription.engines.fast import seek_loop
from streametrics.transcription.engines.fast.encoder import SpectrogramEncoder
from streametrics.transcription.engines.fast.sampling import Sampler
from streametrics.transcription.engines.fast.seek_loop import WindowProgress
from streametrics.transcription.engines.fast.thread_budget import ThreadBudget

#: The most threads that sample tokens. Two read keys, values and vocabulary faster than one core can (measured); a
#: token's products are so small that waking more threads costs more than it gains.
SAMPLING_THREADS = 2


class Tokenizers:
    """The tokenizers of a model, by language. languages: how many it knows."""

    def __init__(self, *, multilingual: bool, languages: int) -> None:
        self.is_multilingual, self._count = multilingual, languages

    def of(self, language: str, task: SpeechTask = "transcribe") -> Tokenizer:
        return _tokenizer(self.is_multilingual, self._count, language if self.is_multilingual else "en", task)


class FastExecutionContext:
    """See `engine.ExecutionContext`. mels: bands of a spectrogram."""

    def __init__(
        self, encoder: SpectrogramEncoder, sampler: Sampler, tokenizers: Tokenizers, budget: ThreadBudget, *, mels: int
    ) -> None:
        self._encoder, self._sampler, self._tokenizers, self._budget = encoder, sampler, tokenizers, budget
        self._mels = mels
        self._encoded: tuple[list[torch.Tensor], list[torch.Tensor]] = [], []

    def detect_languages(self, windows: Sequence[SpeechWindow]) -> list[tuple[str, float]]:
        """See `engine.ExecutionContext`."""
        if not self._tokenizers.is_multilingual:
            return [("en", 1.0)] * len(windows)
        with self._computing("The spoken language could not be detected"):
            pieces = [window.piece() for window in self._windows(windows, ["en"] * len(windows))]
            return self._languages_of(self._encode(pieces), keep=True)

    def probe_languages(self, stretches: Sequence[Samples]) -> list[tuple[str, float]]:
        """See `engine.ExecutionContext`. Without the silence that decoding wants, a language is detected as well."""
        if not self._tokenizers.is_multilingual:
            return [("en", 1.0)] * len(stretches)
        with self._computing("The spoken language could not be detected"):
            spectrograms = [seek_loop.spectrogram_of(samples, self._mels) for samples in stretches]
            return self._languages_of([self._encode_one(mel[:, :N_FRAMES]) for mel in spectrograms], keep=False)

    def _languages_of(self, features: Sequence[torch.Tensor], *, keep: bool) -> list[tuple[str, float]]:
        tokenizer = self._tokenizers.of("en")
        with self._budget.threads(SAMPLING_THREADS):
            scores = self._sampler.scores_after(features, tokenizer.sot, keep=keep)
        shares = torch.softmax(scores[:, list(tokenizer.all_language_tokens)], dim=-1)
        best = shares.max(dim=-1)
        return [
            (tokenizer.all_language_codes[index], float(share))
            for index, share in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ]

    def decode(self, windows: Sequence[SpeechWindow], languages: Sequence[str]) -> Iterator[tuple[int, Segment | None]]:
        """See `engine.ExecutionContext`. A finished window is yielded before the others are tried again."""
        with self._computing("The spectrogram could not be made"):
            waiting = list(enumerate(self._windows(windows, languages)))
        while waiting:
            if unfinished := [window for _, window in waiting if not window.is_decoded]:
                self._try(seek_loop.least_retried(unfinished))
            for number, window in waiting:
                if window.is_decoded:
                    yield from ((number, segment) for segment in window.segments)
                    yield number, None
            waiting = [(number, window) for number, window in waiting if not window.is_decoded]

    def _try(self, windows: Sequence[WindowProgress]) -> None:
        with self._computing("The model could not transcribe this audio"):
            if fresh := [window for window in windows if window.features is None]:
                features = self._encode([window.piece() for window in fresh])
                for window, row in zip(fresh, features, strict=True):
                    window.features = row
            with self._budget.threads(SAMPLING_THREADS):
                seek_loop.decode_once(self._sampler, windows)

    @contextmanager
    def _computing(self, sentence: str) -> Iterator[None]:
        """Share the cores with the other contexts, and turn torch's errors into TranscriptionFailed."""
        with self._budget.computing(), torch.inference_mode():
            try:
                yield
            except RuntimeError as error:
                raise TranscriptionFailed(f"{sentence}: {error}") from error

    def _windows(self, windows: Sequence[SpeechWindow], languages: Sequence[str]) -> list[WindowProgress]:
        return [
            WindowProgress(
                mel=seek_loop.spectrogram_of(window.samples, self._mels),
                frames=seek_loop.audio_frames(window.samples),
                voiced_frames=int(window.voiced_until_s * whisper.audio.FRAMES_PER_SECOND),
                tokenizer=self._tokenizers.of(language, window.task),
            )
            for window, language in zip(windows, languages, strict=True)
        ]

    def _encode(self, pieces: list[torch.Tensor]) -> list[torch.Tensor]:
        """Encode each piece. Decoding asks for pieces whose languages were detected: one encoding serves both.

        One by one, as each has its own length: the encoder gains nothing by taking several at once.
        """
        before = list(zip(*self._encoded, strict=True))
        made: list[torch.Tensor] = []
        for piece in pieces:
            known = next((features for other, features in before if torch.equal(other, piece)), None)
            made.append(self._encode_one(piece) if known is None else known)
        self._encoded = pieces, made
        return made

    def _encode_one(self, piece: torch.Tensor) -> torch.Tensor:
        with self._budget.threads():
            features: torch.Tensor = self._encoder(piece[None])[0]
        return features


@cache
def _tokenizer(multilingual: bool, languages: int, language: str, task: SpeechTask) -> Tokenizer:
    assert language in LANGUAGES
    return get_tokenizer(multilingual, num_languages=languages, language=language, task=task)
