"""openai-whisper's weights and rules on a CPU, several times as fast: bfloat16 or int8 encoder, float16 decoder, and
a vocabulary that is searched in int8.

Why it is fast, and what was tried, is in docs/decisions/0012.
"""

import pickle
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch
import whisper
from whisper.tokenizer import LANGUAGES, Tokenizer, get_tokenizer

from streametrics.audio.hearing import transcribe_speech, transcribe_together
from streametrics.audio.voice import SpeechWindow
from streametrics.errors import TranscriptionFailed
from streametrics.transcriber import (
    SAMPLE_RATE_HZ,
    OnSegment,
    Outcome,
    Samples,
    Segment,
    Sound,
    Transcript,
)
from streametrics.transcribers import processor
from streametrics.transcribers.int8 import windows as listening
from streametrics.transcribers.int8.decoder import Decoder, are_equal
from streametrics.transcribers.int8.encoder import Encoder
from streametrics.transcribers.int8.linear import has_float16
from streametrics.transcribers.int8.narrow import name_of
from streametrics.transcribers.int8.rules import Rules
from streametrics.transcribers.int8.sampling import Sampler
from streametrics.transcribers.int8.windows import Window

#: Threads that say tokens. With two, keys, values and vocabulary are read faster than one core can read (measured).
SAYING_THREADS = 2


class Int8Whisper:
    """A model that was loaded from a `.pt` file. `cpu_threads`: cores to compute with."""

    engine = "openai-whisper-int8"
    #: More windows in a pass gain little: the encoder shares nothing, and the decoder's weights are shared by then.
    windows_at_once = 4
    gains_by_halves = True
    #: What is heard makes room for the next, so more sounds may wait than a pass holds.
    sounds_at_once = 8

    def __init__(self, file: Path, *, model: str, cpu_threads: int) -> None:
        self.model = model
        self._threads = cpu_threads
        torch.set_num_threads(cpu_threads)
        dtype = torch.bfloat16 if processor.multiplies_bfloat16() else torch.float32
        self.precision = _precision(dtype)
        try:
            loaded = whisper.load_model(str(file), device="cpu")
        except (RuntimeError, KeyError, TypeError, pickle.UnpicklingError) as error:
            raise TranscriptionFailed(f"The Whisper model in {file} cannot be loaded: {error}") from error
        self._is_multilingual, self._count = loaded.is_multilingual, loaded.num_languages
        self._mels = loaded.dims.n_mels
        with warnings.catch_warnings():
            # The library forgets to close its vocabulary, once; where warnings are errors, that is one.
            warnings.simplefilter("ignore", ResourceWarning)
            tokenizer = self._tokenizer("en")
        with torch.inference_mode():
            self._encoder = Encoder(loaded.encoder, dtype)
            self._decoder = Decoder(loaded.decoder, dtype, words=tokenizer.eot, cpu_threads=cpu_threads)
        assert tokenizer.no_speech is not None
        self.known_languages: Sequence[str] = tuple(tokenizer.all_language_codes) if self._is_multilingual else ("en",)
        rules = Rules(tokenizer, loaded.dims.n_vocab)
        self._sampler = Sampler(self._decoder, rules, no_speech_token=tokenizer.no_speech)
        self._encoded: tuple[list[torch.Tensor], list[torch.Tensor]] = [], []
        # The first pass prepares memory; `transcriber.warm` does not get here, as a tone is no voice.
        list(self.decode([SpeechWindow(torch.zeros(SAMPLE_RATE_HZ).numpy(), 1.0)], ["en"]))

    def transcribe(
        self, samples: Samples, *, speech_language: str | None = None, on_segment: OnSegment | None = None
    ) -> Transcript:
        return transcribe_speech(self, samples, speech_language=speech_language, on_segment=on_segment)

    def transcribe_together(self, sounds: Iterable[Sound]) -> Iterator[tuple[int, Outcome]]:
        return transcribe_together(self, sounds)

    def detect_languages(self, heard: Sequence[SpeechWindow]) -> list[tuple[str, float]]:
        """See `voice.Engine`."""
        if not self._is_multilingual:
            return [("en", 1.0)] * len(heard)
        tokenizer = self._tokenizer("en")
        with torch.inference_mode(), _translated("The spoken language could not be detected"):
            features = self._encode([window.piece() for window in self._windows(heard, ["en"] * len(heard))])
            with self._few_threads():
                memory = self._decoder.listen(features, 1, again=True)
                scores = self._decoder.step(torch.full((len(heard), 1), tokenizer.sot), memory)[:, -1]
            shares = torch.softmax(scores[:, list(tokenizer.all_language_tokens)], dim=-1)
        best = shares.max(dim=-1)
        return [
            (self.known_languages[index], float(share))
            for index, share in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ]

    def decode(self, heard: Sequence[SpeechWindow], languages: Sequence[str]) -> Iterator[tuple[int, Segment | None]]:
        """See `voice.Engine`. A window that is heard to its end is told before the others are tried again."""
        with torch.inference_mode(), _translated("The spectrogram could not be made"):
            waiting = list(enumerate(self._windows(heard, languages)))
        while waiting:
            if unheard := [window for _, window in waiting if not window.is_heard]:
                self._pass(listening.without_doubts(unheard))
            for number, window in waiting:
                if window.is_heard:
                    yield from ((number, segment) for segment in window.segments)
                    yield number, None
            waiting = [(number, window) for number, window in waiting if not window.is_heard]

    def _pass(self, windows: Sequence[Window]) -> None:
        with torch.inference_mode(), _translated("The model could not transcribe this audio"):
            if fresh := [window for window in windows if window.features is None]:
                features = self._encode([window.piece() for window in fresh])
                for window, row in zip(fresh, features, strict=True):
                    window.features = row
            with self._few_threads():
                listening.say(self._sampler, windows)

    def _windows(self, heard: Sequence[SpeechWindow], languages: Sequence[str]) -> list[Window]:
        return [
            Window(
                mel=listening.spectrogram(each.samples, self._mels),
                frames=listening.frames_of(each.samples),
                voiced_frames=int(each.voiced_until_s * whisper.audio.FRAMES_PER_SECOND),
                tokenizer=self._tokenizer(language),
            )
            for each, language in zip(heard, languages, strict=True)
        ]

    def _encode(self, pieces: list[torch.Tensor]) -> list[torch.Tensor]:
        """Features of each piece. Detecting the language and decoding ask for the same: one encoding serves both.

        One by one, as each has its own length: the encoder gains nothing by taking several at once.
        """
        if not are_equal(self._encoded[0], pieces):
            self._encoded = pieces, [self._encoder(piece[None])[0] for piece in pieces]
        return self._encoded[1]

    @contextmanager
    def _few_threads(self) -> Iterator[None]:
        """For the decoder: a token's products are small, so that waking many threads costs more than they carry."""
        torch.set_num_threads(min(SAYING_THREADS, self._threads))
        try:
            yield
        finally:
            torch.set_num_threads(self._threads)

    def _tokenizer(self, language: str) -> Tokenizer:
        return _tokenizer(self._is_multilingual, self._count, language if self._is_multilingual else "en")


@cache
def _tokenizer(multilingual: bool, languages: int, language: str) -> Tokenizer:
    assert language in LANGUAGES
    return get_tokenizer(multilingual, num_languages=languages, language=language, task="transcribe")


@contextmanager
def _translated(sentence: str) -> Iterator[None]:
    """Whatever torch says becomes an error of ours, its cause kept."""
    try:
        yield
    except RuntimeError as error:
        raise TranscriptionFailed(f"{sentence}: {error}") from error


def _precision(encoder: torch.dtype) -> str:
    """For people to read: what encoder and decoder multiply here."""
    said = "float16" if has_float16() else "float32"
    return f"{name_of(encoder)} encoder and {said} decoder on cpu"
