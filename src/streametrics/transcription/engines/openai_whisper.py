"""openai-whisper: the reference, on torch. float32 on a CPU, float16 on a GPU."""

import pickle
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import whisper
from whisper.audio import HOP_LENGTH, N_FRAMES, N_SAMPLES
from whisper.decoding import DecodingOptions, DecodingResult
from whisper.tokenizer import get_tokenizer

from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from streametrics.domain.transcript import Evidence, Segment
from streametrics.errors import TranscriptionFailed
from streametrics.transcription.engines.base import OneWindowEngine, OneWindowLane
from streametrics.transcription.hallucination_filter import MOST_COMPRESSED, is_worth_another_try


class OpenAIWhisper(OneWindowEngine, OneWindowLane):
    """A model that was loaded from a `.pt` file, and its only lane. `cpu_threads`: cores to compute with."""

    engine = "openai-whisper"

    def __init__(self, file: Path, *, model: str, cpu_threads: int) -> None:
        self.model, self.lanes = model, [self]
        self._on_gpu = torch.cuda.is_available()
        self.precision = "float16 on gpu" if self._on_gpu else "float32 on cpu"
        torch.set_num_threads(cpu_threads)
        try:
            self._whisper = whisper.load_model(str(file), device="cuda" if self._on_gpu else "cpu")
        except (RuntimeError, KeyError, TypeError, pickle.UnpicklingError) as error:
            raise TranscriptionFailed(f"The Whisper model in {file} cannot be loaded: {error}") from error
        self._whisper.encoder = _EncodeOnce(self._whisper.encoder)
        self._whisper.decode = _without_needless_tries(self._whisper.decode, limit=self._whisper.dims.n_text_ctx // 2)
        with warnings.catch_warnings():
            # The library forgets to close its vocabulary, once; where warnings are errors, that is one.
            warnings.simplefilter("ignore", ResourceWarning)
            self.known_languages = _languages(self._whisper)
        # The first pass prepares memory; `base.warm` does not get here, as a tone is no voice.
        list(self._decode(np.zeros(SAMPLE_RATE_HZ, dtype=np.float32), "en"))

    def _detect_language(self, samples: Samples) -> tuple[str, float]:
        if not self._whisper.is_multilingual:
            return "en", 1.0
        try:
            mel = whisper.log_mel_spectrogram(samples, self._whisper.dims.n_mels, padding=N_SAMPLES)
            # Cut and padded as the library does when it decodes, so that the encoder is paid for once.
            frames = min(len(samples) // HOP_LENGTH, N_FRAMES)
            heard = whisper.pad_or_trim(mel[:, :frames], N_FRAMES).to(self._whisper.device)
            _, probabilities = self._whisper.detect_language(heard.half() if self._on_gpu else heard)
        except (RuntimeError, ValueError) as error:
            raise TranscriptionFailed(f"The spoken language could not be detected: {error}") from error
        code = max(probabilities, key=probabilities.__getitem__)
        return str(code), float(probabilities[code])

    def _decode(self, samples: Samples, language: str) -> Iterator[Segment]:
        """Segments of one window.

        The library tells of its segments when all are ready, so it hears 30 s at a time. Where nobody paused
        for so long, the cut goes through a word: the last segment is then dropped, and heard again from its
        beginning.
        """
        position = 0
        while position < len(samples):
            piece = samples[position : position + N_SAMPLES]
            segments = self._decode_piece(piece, language)
            step = len(piece)
            if position + step < len(samples) and len(segments) > 1:
                step = int(segments.pop().start * SAMPLE_RATE_HZ)
            offset_s = position / SAMPLE_RATE_HZ
            for segment in segments:
                yield Segment(offset_s + segment.start, offset_s + segment.end, segment.text, segment.evidence)
            position += max(step, SAMPLE_RATE_HZ)

    def _decode_piece(self, samples: Samples, language: str) -> list[Segment]:
        """Greedy first; the library's ladder of temperatures when that fails.

        It draws from torch's own numbers, so they begin anew: the same sound has the same words every time.
        """
        torch.manual_seed(0)
        try:
            with warnings.catch_warnings():
                # Said where torch sees a GPU after the model went to the CPU; `precision` tells it.
                warnings.filterwarnings("ignore", message="Performing inference on CPU")
                result: dict[str, Any] = self._whisper.transcribe(
                    samples,
                    language=language,
                    condition_on_previous_text=False,
                    fp16=self._on_gpu,
                    verbose=None,
                )
        except (RuntimeError, ValueError) as error:
            raise TranscriptionFailed(f"openai-whisper could not transcribe this audio: {error}") from error
        return [
            Segment(float(found["start"]), float(found["end"]), str(found["text"]), _evidence(found))
            for found in result["segments"]
            if str(found["text"]).strip()
        ]


def _evidence(found: dict[str, Any]) -> Evidence:
    return Evidence(
        average_logprob=float(found["avg_logprob"]),
        no_speech=float(found["no_speech_prob"]),
        compression_ratio=float(found["compression_ratio"]),
        temperature=float(found["temperature"]),
    )


_Decode = Callable[[torch.Tensor, DecodingOptions], DecodingResult]


def _without_needless_tries(decode: _Decode, *, limit: int) -> _Decode:
    """`decode` of a library's model, whose answers tell of no repetition where they stand: its ladder would climb.

    limit: tokens after which the library stops an answer that does not end by itself.
    """

    def decoded(mel: torch.Tensor, options: DecodingOptions) -> DecodingResult:
        said = decode(mel, options)
        has_ended = len(said.tokens) < limit
        answer = Evidence(said.avg_logprob, said.no_speech_prob, said.compression_ratio, said.temperature, has_ended)
        if is_worth_another_try(answer):
            return said
        return replace(said, compression_ratio=min(said.compression_ratio, MOST_COMPRESSED))

    return decoded


class _EncodeOnce(torch.nn.Module):
    """Keeps the last window's encoding: detecting the language and every temperature would each pay for one."""

    def __init__(self, encoder: torch.nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self._last: tuple[torch.Tensor, torch.Tensor] | None = None

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        # Shapes differ by a leading axis of one between the library's two ways of calling.
        heard = mel.reshape(-1, *mel.shape[-2:])
        if self._last is None or not torch.equal(self._last[0], heard):
            self._last = (heard.clone(), self.encoder(mel))
        return self._last[1]


def _languages(model: whisper.Whisper) -> tuple[str, ...]:
    tokenizer = get_tokenizer(model.is_multilingual, num_languages=model.num_languages)
    return tuple(tokenizer.all_language_codes) if model.is_multilingual else ("en",)
