"""Passes of one model over windows of speech, one at a time; several lanes share its weights."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import torch
import whisper
from whisper.tokenizer import LANGUAGES, Tokenizer, get_tokenizer

from streametrics.domain.transcript import Segment
from streametrics.errors import TranscriptionFailed
from streametrics.transcription.engine import SpeechWindow
from streametrics.transcription.engines.fast import seek_loop as listening
from streametrics.transcription.engines.fast.decoder import are_equal
from streametrics.transcription.engines.fast.encoder import Encoder
from streametrics.transcription.engines.fast.sampling import Sampler
from streametrics.transcription.engines.fast.seek_loop import Window
from streametrics.transcription.engines.fast.thread_budget import Cores

#: Threads that say tokens, at most. With two, keys, values and vocabulary are read faster than one core can read
#: (measured); a token's products are small, so that waking more costs more than they carry.
SAYING_THREADS = 2


class Tokenizers:
    """A model's, by language. languages: that it knows."""

    def __init__(self, *, multilingual: bool, languages: int) -> None:
        self.is_multilingual, self._count = multilingual, languages

    def of(self, language: str) -> Tokenizer:
        return _tokenizer(self.is_multilingual, self._count, language if self.is_multilingual else "en")


class Lane:
    """See `engine.Lane`. mels: bands of a spectrogram."""

    def __init__(self, encoder: Encoder, sampler: Sampler, tokenizers: Tokenizers, cores: Cores, *, mels: int) -> None:
        self._encoder, self._sampler, self._tokenizers, self._cores = encoder, sampler, tokenizers, cores
        self._mels = mels
        self._encoded: tuple[list[torch.Tensor], list[torch.Tensor]] = [], []

    def detect_languages(self, heard: Sequence[SpeechWindow]) -> list[tuple[str, float]]:
        """See `engine.Lane`."""
        if not self._tokenizers.is_multilingual:
            return [("en", 1.0)] * len(heard)
        tokenizer = self._tokenizers.of("en")
        with self._computing("The spoken language could not be detected"):
            features = self._encode([window.piece() for window in self._windows(heard, ["en"] * len(heard))])
            with self._cores.taken(SAYING_THREADS):
                scores = self._sampler.after_first(features, tokenizer.sot)
            shares = torch.softmax(scores[:, list(tokenizer.all_language_tokens)], dim=-1)
        best = shares.max(dim=-1)
        return [
            (tokenizer.all_language_codes[index], float(share))
            for index, share in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ]

    def decode(self, heard: Sequence[SpeechWindow], languages: Sequence[str]) -> Iterator[tuple[int, Segment | None]]:
        """See `engine.Lane`. A window that is heard to its end is told before the others are tried again."""
        with self._computing("The spectrogram could not be made"):
            waiting = list(enumerate(self._windows(heard, languages)))
        while waiting:
            if unheard := [window for _, window in waiting if not window.is_heard]:
                self._try(listening.without_doubts(unheard))
            for number, window in waiting:
                if window.is_heard:
                    yield from ((number, segment) for segment in window.segments)
                    yield number, None
            waiting = [(number, window) for number, window in waiting if not window.is_heard]

    def _try(self, windows: Sequence[Window]) -> None:
        with self._computing("The model could not transcribe this audio"):
            if fresh := [window for window in windows if window.features is None]:
                features = self._encode([window.piece() for window in fresh])
                for window, row in zip(fresh, features, strict=True):
                    window.features = row
            with self._cores.taken(SAYING_THREADS):
                listening.say(self._sampler, windows)

    @contextmanager
    def _computing(self, sentence: str) -> Iterator[None]:
        """Beside the other lanes; whatever torch says becomes an error of ours, its cause kept."""
        with self._cores.shared(), torch.inference_mode():
            try:
                yield
            except RuntimeError as error:
                raise TranscriptionFailed(f"{sentence}: {error}") from error

    def _windows(self, heard: Sequence[SpeechWindow], languages: Sequence[str]) -> list[Window]:
        return [
            Window(
                mel=listening.spectrogram(each.samples, self._mels),
                frames=listening.frames_of(each.samples),
                voiced_frames=int(each.voiced_until_s * whisper.audio.FRAMES_PER_SECOND),
                tokenizer=self._tokenizers.of(language),
            )
            for each, language in zip(heard, languages, strict=True)
        ]

    def _encode(self, pieces: list[torch.Tensor]) -> list[torch.Tensor]:
        """Features of each piece. Detecting the language and decoding ask for the same: one encoding serves both.

        One by one, as each has its own length: the encoder gains nothing by taking several at once.
        """
        if not are_equal(self._encoded[0], pieces):
            self._encoded = pieces, [self._encode_one(piece) for piece in pieces]
        return self._encoded[1]

    def _encode_one(self, piece: torch.Tensor) -> torch.Tensor:
        with self._cores.taken():
            features: torch.Tensor = self._encoder(piece[None])[0]
        return features


@cache
def _tokenizer(multilingual: bool, languages: int, language: str) -> Tokenizer:
    assert language in LANGUAGES
    return get_tokenizer(multilingual, num_languages=languages, language=language, task="transcribe")
