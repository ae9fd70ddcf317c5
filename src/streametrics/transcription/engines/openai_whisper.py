"""openai-whisper: the reference, on torch. float32 on a CPU, float16 on a GPU."""

import pickle
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import whisper
from torch.nn import functional
from whisper.audio import HOP_LENGTH, N_FRAMES, N_SAMPLES
from whisper.decoding import DecodingOptions, DecodingResult
from whisper.model import AudioEncoder
from whisper.tokenizer import get_tokenizer
from whisper.utils import compression_ratio

from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from streametrics.domain.transcript import DecodingStatistics, Segment
from streametrics.errors import TranscriptionFailed
from streametrics.transcription.engines.base import SingleWindowContext, SingleWindowEngine
from streametrics.transcription.hallucination_filter import COMPRESSION_RATIO_THRESHOLD, should_retry


class OpenAIWhisper(SingleWindowEngine, SingleWindowContext):
    """Transcribes with a model from a `.pt` file, being its own only context. `cpu_threads`: cores to compute with."""

    engine = "openai-whisper"

    def __init__(self, file: Path, *, model: str, cpu_threads: int) -> None:
        self.model, self.execution_contexts = model, [self]
        self._on_gpu = torch.cuda.is_available()
        self.precision = "float16 on gpu" if self._on_gpu else "float32 on cpu"
        torch.set_num_threads(cpu_threads)
        try:
            self._whisper = whisper.load_model(str(file), device="cuda" if self._on_gpu else "cpu")
        except (RuntimeError, KeyError, TypeError, pickle.UnpicklingError) as error:
            raise TranscriptionFailed(f"The Whisper model in {file} cannot be loaded: {error}") from error
        self._whisper.encoder = _CachingEncoder(self._whisper.encoder)
        self._whisper.decode = _without_needless_retries(self._whisper.decode, limit=self._whisper.dims.n_text_ctx // 2)
        with warnings.catch_warnings():
            # The library forgets to close its vocabulary, once; where warnings are errors, that is one.
            warnings.simplefilter("ignore", ResourceWarning)
            self.known_languages = _languages(self._whisper)
        # The first decoding prepares memory; `base.warm` does not get here, as a tone is no speech.
        list(self._decode(np.zeros(SAMPLE_RATE_HZ, dtype=np.float32), "en"))

    def _detect_language(self, samples: Samples) -> tuple[str, float]:
        if not self._whisper.is_multilingual:
            return "en", 1.0
        try:
            mel = whisper.log_mel_spectrogram(samples, self._whisper.dims.n_mels, padding=N_SAMPLES)
            # Cut and padded as the library does when it decodes, so that the window is encoded once.
            frames = min(len(samples) // HOP_LENGTH, N_FRAMES)
            window_mel = whisper.pad_or_trim(mel[:, :frames], N_FRAMES).to(self._whisper.device)
            _, probabilities = self._whisper.detect_language(window_mel.half() if self._on_gpu else window_mel)
        except (RuntimeError, ValueError) as error:
            raise TranscriptionFailed(f"The spoken language could not be detected: {error}") from error
        code = max(probabilities, key=probabilities.__getitem__)
        return str(code), float(probabilities[code])

    def _probe_language(self, samples: Samples) -> tuple[str, float]:
        if not self._whisper.is_multilingual:
            return "en", 1.0
        try:
            mel = whisper.log_mel_spectrogram(samples, self._whisper.dims.n_mels)[:, :N_FRAMES].to(self._whisper.device)
            tokenizer = get_tokenizer(multilingual=True, num_languages=self._whisper.num_languages)
            start = torch.tensor([[tokenizer.sot]], device=self._whisper.device)
            with torch.inference_mode():
                features = self._whisper.encoder.encode_unpadded((mel.half() if self._on_gpu else mel)[None])
                scores = self._whisper.logits(start, features)[0, -1, list(tokenizer.all_language_tokens)]
        except (RuntimeError, ValueError) as error:
            raise TranscriptionFailed(f"The spoken language could not be detected: {error}") from error
        best = torch.softmax(scores.float(), dim=-1).max(dim=-1)
        return str(tokenizer.all_language_codes[int(best.indices)]), float(best.values)

    def _decode(self, samples: Samples, language: str) -> Iterator[Segment]:
        """Decode one window, 30 s at a time, because the library returns segments when all are ready.

        Where nobody paused for so long, the cut goes through a word: the last segment is then dropped, and decoded
        again from its beginning.
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
                yield Segment(offset_s + segment.start, offset_s + segment.end, segment.text, segment.statistics)
            position += max(step, SAMPLE_RATE_HZ)

    def _decode_piece(self, samples: Samples, language: str) -> list[Segment]:
        """Decode greedily first; at the library's rising temperatures where that fails the checks.

        Sampling draws from torch's generator, so it is seeded: the same audio gives the same words every time.
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
        texts: dict[int, str] = defaultdict(str)
        for found in result["segments"]:
            texts[found["seek"]] += str(found["text"])
        return [
            Segment(
                float(found["start"]), float(found["end"]), str(found["text"]), _statistics(found, texts[found["seek"]])
            )
            for found in result["segments"]
            if str(found["text"]).strip()
        ]


def _statistics(found: dict[str, Any], decoded: str) -> DecodingStatistics:
    """Read a segment's statistics. decoded: all that was decoded at once with it, whose segments have one `seek`.

    The library's compression ratio is not used, because `_without_needless_retries` bounds it.
    """
    bounded, ratio = float(found["compression_ratio"]), float(compression_ratio(decoded.strip()))
    return DecodingStatistics(
        average_logprob=float(found["avg_logprob"]),
        no_speech=float(found["no_speech_prob"]),
        compression_ratio=ratio,
        temperature=float(found["temperature"]),
        # A repetition that was let pass has ended by itself; of anything else the library does not tell.
        ended=True if bounded <= COMPRESSION_RATIO_THRESHOLD < ratio else None,
    )


_Decode = Callable[[torch.Tensor, DecodingOptions], DecodingResult]


def _without_needless_retries(decode: _Decode, *, limit: int) -> _Decode:
    """Wrap a model's `decode` so that a text which passes our checks reports no repetition: the library would retry it.

    limit: tokens after which the library stops a text that does not end by itself.
    """

    def decoded(mel: torch.Tensor, options: DecodingOptions) -> DecodingResult:
        result = decode(mel, options)
        has_ended = len(result.tokens) < limit
        statistics = DecodingStatistics(
            result.avg_logprob, result.no_speech_prob, result.compression_ratio, result.temperature, has_ended
        )
        if should_retry(statistics):
            return result
        return replace(result, compression_ratio=min(result.compression_ratio, COMPRESSION_RATIO_THRESHOLD))

    return decoded


class _CachingEncoder(torch.nn.Module):
    """Caches the last window's encoding: detecting the language and every temperature ask for the same."""

    def __init__(self, encoder: AudioEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        self._last: tuple[torch.Tensor, torch.Tensor] | None = None

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        # Shapes differ by a leading axis of one between the library's two ways of calling.
        window_mel = mel.reshape(-1, *mel.shape[-2:])
        if self._last is None or not torch.equal(self._last[0], window_mel):
            self._last = (window_mel.clone(), self.encoder(mel))
        return self._last[1]

    def encode_unpadded(self, mel: torch.Tensor) -> torch.Tensor:
        """Encode spectrograms of any length up to 30 s, shape (1, mels, frames); the library insists on 30 s."""
        encoder = self.encoder
        x = functional.gelu(encoder.conv1(mel))
        x = functional.gelu(encoder.conv2(x)).transpose(1, 2)
        x = (x + encoder.positional_embedding[: x.shape[1]]).to(x.dtype)
        for block in encoder.blocks:
            x = block(x)
        features: torch.Tensor = encoder.ln_post(x)
        return features


def _languages(model: whisper.Whisper) -> tuple[str, ...]:
    tokenizer = get_tokenizer(model.is_multilingual, num_languages=model.num_languages)
    return tuple(tokenizer.all_language_codes) if model.is_multilingual else ("en",)
