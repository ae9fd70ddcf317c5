"""openai-whisper: the reference, on torch. float32 on a CPU, float16 on a GPU."""

import pickle
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import torch
import whisper
from torch.nn import functional
from whisper.audio import FRAMES_PER_SECOND, HOP_LENGTH, N_FRAMES, N_SAMPLES
from whisper.decoding import DecodingOptions, DecodingResult
from whisper.model import AudioEncoder
from whisper.tokenizer import Tokenizer, get_tokenizer
from whisper.utils import compression_ratio

from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from streametrics.domain.transcript import DecodingStatistics, Segment, SpeechTask
from streametrics.errors import TranscriptionFailed
from streametrics.transcription.engines.base import SingleWindowContext, SingleWindowEngine
from streametrics.transcription.engines.openai_whisper_attention import CrossAttention
from streametrics.transcription.hallucination_filter import COMPRESSION_RATIO_THRESHOLD, should_retry
from streametrics.transcription.word_alignment import words_of_segment


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
        self._decoded: list[DecodingResult] = []
        self._attention = CrossAttention(self._whisper)
        self._whisper.decode = _without_needless_retries(
            self._whisper.decode, self._decoded, limit=self._whisper.dims.n_text_ctx // 2
        )
        with warnings.catch_warnings():
            # The library forgets to close its vocabulary, once; where warnings are errors, that is one.
            warnings.simplefilter("ignore", ResourceWarning)
            self.known_languages = _languages(self._whisper)
        # The first decoding prepares memory; `base.warm` does not get here, as a tone is no speech.
        list(self._decode(np.zeros(SAMPLE_RATE_HZ, dtype=np.float32), "en", "transcribe"))

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

    def _decode(self, samples: Samples, language: str, task: SpeechTask) -> Iterator[Segment]:
        """Decode one window, 30 s at a time, because the library returns segments when all are ready.

        Where nobody paused for so long, the cut goes through a word: the last segment is then dropped, and decoded
        again from its beginning.
        """
        position = 0
        while position < len(samples):
            piece = samples[position : position + N_SAMPLES]
            segments = self._decode_piece(piece, language, task)
            step = len(piece)
            if position + step < len(samples) and len(segments) > 1:
                step = int(segments.pop().start * SAMPLE_RATE_HZ)
            offset_s = position / SAMPLE_RATE_HZ
            for segment in segments:
                yield segment.moved(offset_s)
            position += max(step, SAMPLE_RATE_HZ)

    def _decode_piece(self, samples: Samples, language: str, task: SpeechTask) -> list[Segment]:
        """Decode greedily first; at the library's rising temperatures where that fails the checks.

        Sampling draws from torch's generator, so it is seeded: the same audio gives the same words every time.
        """
        torch.manual_seed(0)
        self._decoded.clear()
        try:
            with warnings.catch_warnings():
                # Said where torch sees a GPU after the model went to the CPU; `precision` tells it.
                warnings.filterwarnings("ignore", message="Performing inference on CPU")
                result: dict[str, Any] = self._whisper.transcribe(
                    samples,
                    language=language,
                    task=task,
                    condition_on_previous_text=False,
                    fp16=self._on_gpu,
                    verbose=None,
                )
            return list(self._segments(result["segments"], len(samples) / SAMPLE_RATE_HZ, language, task))
        except (RuntimeError, ValueError) as error:
            raise TranscriptionFailed(f"openai-whisper could not transcribe this audio: {error}") from error

    def _segments(
        self, found: list[dict[str, Any]], audio_s: float, language: str, task: SpeechTask
    ) -> Iterator[Segment]:
        """Yield the library's segments with words, each window's from the last result of its decoding.

        Those of a translation have none, so nothing is aligned.
        """
        tokenizer = _tokenizer(self._whisper, language)
        decoded = iter(self._decoded)
        spoken = (each for each in found if str(each["text"]).strip())
        for seek, group in groupby(spoken, key=itemgetter("seek")):
            segments = list(group)
            of_these = (each for each in decoded if _find(segments[0]["tokens"], each.tokens, 0) is not None)
            result = next(of_these, None) if task == "transcribe" else None
            text = "".join(str(each["text"]) for each in segments)
            times = self._token_times(result, seek / FRAMES_PER_SECOND, audio_s, tokenizer) if result else []
            at = 0
            for each in segments:
                segment = Segment(float(each["start"]), float(each["end"]), str(each["text"]), _statistics(each, text))
                found_at = _find(each["tokens"], result.tokens, at) if result else None
                if found_at is None:
                    yield segment
                else:
                    yield words_of_segment(segment, each["tokens"], times[found_at:], tokenizer)
                    at = found_at + len(each["tokens"])

    def _token_times(
        self, decoded: DecodingResult, offset_s: float, audio_s: float, tokenizer: Tokenizer
    ) -> list[tuple[float, float]]:
        """Return when each token of a window begins and ends, where the window begins at `offset_s`."""
        times = self._attention.token_times(
            tokenizer.sot_sequence, decoded.tokens, decoded.audio_features, audio_s=audio_s - offset_s
        )
        return [(offset_s + start, offset_s + end) for start, end in times]


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


def _without_needless_retries(decode: _Decode, kept: list[DecodingResult], *, limit: int) -> _Decode:
    """Wrap a model's `decode` so that a text which passes our checks reports no repetition: the library would retry it.

    kept: takes the last result of each window. limit: tokens after which the library stops a text that does not end by
    itself.
    """

    def decoded(mel: torch.Tensor, options: DecodingOptions) -> DecodingResult:
        result = decode(mel, options)
        if options.temperature > 0 and kept:
            kept.pop()  # the window is decoded once more
        kept.append(result)
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


def _find(tokens: list[int], within: list[int], at: int) -> int | None:
    """Return where tokens stand among others, from `at` on."""
    return next((start for start in range(at, len(within)) if within[start : start + len(tokens)] == tokens), None)


def _tokenizer(model: whisper.Whisper, language: str) -> Tokenizer:
    return get_tokenizer(model.is_multilingual, num_languages=model.num_languages, language=language, task="transcribe")


def _languages(model: whisper.Whisper) -> tuple[str, ...]:
    tokenizer = get_tokenizer(model.is_multilingual, num_languages=model.num_languages)
    return tuple(tokenizer.all_language_codes) if model.is_multilingual else ("en",)
