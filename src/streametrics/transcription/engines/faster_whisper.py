"""faster-whisper: CTranslate2's kernels. int8 on a CPU, float16 on a GPU."""

import logging
from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.audio import pad_or_trim
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import TranscriptionOptions
from numpy.typing import NDArray

from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from streametrics.domain.transcript import DecodingStatistics, Segment, SpeechTask
from streametrics.errors import TranscriptionFailed
from streametrics.transcription.audio_context import FRAMES_PER_SECOND, frames_to_encode, needs_full_padding
from streametrics.transcription.engines.base import MAX_EXECUTION_CONTEXTS, SingleWindowContext, SingleWindowEngine
from streametrics.transcription.hallucination_filter import should_retry
from streametrics.transcription.word_alignment import FILTER_WIDTH, times_of_positions, words_of_segment

log = logging.getLogger(__name__)

#: Silence that is encoded after the audio, in frames: with 3 s, one chunk was decoded twice.
SILENCE_FRAMES = 500
#: Frames of the spectrogram in a position of the encoding.
FRAMES_PER_POSITION = 2


class FasterWhisper(SingleWindowEngine):
    """Transcribes with a model from a CTranslate2 folder. `cpu_threads`: cores to compute with."""

    engine = "faster-whisper"

    def __init__(self, folder: Path, *, model: str, cpu_threads: int) -> None:
        self.model = model
        loaded, execution_contexts, self.precision = _load(folder, cpu_threads)
        self.known_languages = tuple(loaded.supported_languages)
        # Each context caches its own encoding; they share one model, which has a worker for each.
        made = [_FasterWhisperContext(copy(loaded)) for _ in range(execution_contexts)]
        for context in made:
            context.warm()
        self.execution_contexts = made


class _FasterWhisperContext(SingleWindowContext):
    def __init__(self, whisper: "_FasterWhisperModel") -> None:
        self._whisper = whisper

    def warm(self) -> None:
        """Decode a second of silence: the first time makes kernels and memory."""
        list(self._decode(np.zeros(SAMPLE_RATE_HZ, dtype=np.float32), "en", "transcribe"))

    def _detect_language(self, samples: Samples) -> tuple[str, float]:
        if not self._whisper.model.is_multilingual:
            return "en", 1.0
        try:
            features = self._whisper.feature_extractor(samples)
            # The last frame is left out as the library does when it decodes: so the encoder is paid for once.
            frames = min(features.shape[-1] - 1, self._whisper.feature_extractor.nb_max_frames)
            return self._language_of(self._whisper.encode(pad_or_trim(features[:, :frames])))
        except (RuntimeError, ValueError) as error:
            raise TranscriptionFailed(f"The spoken language could not be detected: {error}") from error

    def _probe_language(self, samples: Samples) -> tuple[str, float]:
        if not self._whisper.model.is_multilingual:
            return "en", 1.0
        try:
            features = self._whisper.feature_extractor(samples, padding=0)
            frames = min(features.shape[-1], self._whisper.feature_extractor.nb_max_frames)
            return self._language_of(self._whisper.encode_once(features[:, :frames]))
        except (RuntimeError, ValueError) as error:
            raise TranscriptionFailed(f"The spoken language could not be detected: {error}") from error

    def _language_of(self, encoded: Any) -> tuple[str, float]:  # noqa: ANN401 - CTranslate2's storage, without types
        token, probability = self._whisper.model.detect_language(encoded)[0][0]
        return str(token).strip("<|>"), float(probability)

    def _decode(self, samples: Samples, language: str, task: SpeechTask) -> Iterator[Segment]:
        """Decode greedily first; at the library's rising temperatures where that fails the checks."""
        try:
            found, _ = self._whisper.transcribe(
                samples, language=language, task=task, beam_size=1, best_of=1, condition_on_previous_text=False
            )
            for each in found:
                segment = Segment(each.start, each.end, each.text, self._whisper.statistics)
                yield self._whisper.with_words(segment, each.tokens, offset_s=each.seek / FRAMES_PER_SECOND)
        except (RuntimeError, ValueError) as error:
            raise TranscriptionFailed(f"faster-whisper could not transcribe this audio: {error}") from error


#: The library's: CTranslate2's result, mean log probability, temperature, compression ratio.
_DecodingResult = tuple[Any, float, float, float]


class _FasterWhisperModel(WhisperModel):  # type: ignore[misc]  # the library has no types
    """The library's model, without work that is done twice or in vain. statistics: of the last text decoded.

    Words' times are not the library's `word_timestamps`, which also moves segments and where the next window begins.
    """

    statistics: DecodingStatistics | None = None
    #: The last text's tokens that no segment took yet, when each begins and ends in its window, and their tokenizer.
    _decoded: tuple[list[int], list[tuple[float, float]], Tokenizer] | None = None
    _last: tuple[NDArray[np.float32], Any] | None = None

    def encode(self, features: NDArray[np.float32]) -> Any:  # noqa: ANN401 - CTranslate2's storage, without types
        """Encode a window, or reuse the last encoding: detecting the language and decoding ask for the same.

        Of the silence with which the library pads a window, only a part is encoded.
        """
        if self._last is None or not np.array_equal(self._last[0], features):
            self._last = (features, super().encode(_without_excess_padding(features)))
        return self._last[1]

    def encode_once(self, features: NDArray[np.float32]) -> Any:  # noqa: ANN401 - as above
        """Encode as much as there is, and leave the last window's encoding where it is."""
        return super().encode(features)

    def generate_with_fallback(
        self,
        encoder_output: Any,  # noqa: ANN401 - as above
        prompt: list[int],
        tokenizer: Tokenizer,
        options: TranscriptionOptions,
    ) -> _DecodingResult:
        """Decode greedily, and at the library's rising temperatures only where that fails the checks.

        A doubtful text is first decoded again from the fully padded window. A confident text stands however often it
        repeats itself: at higher temperatures, a sentence that was truly said three times took six times as long and
        was lost in one of four runs. Sampling is random, and CTranslate2 takes no seed within a process.
        """
        greedy = replace(options, temperatures=options.temperatures[:1], compression_ratio_threshold=None)
        decoded: _DecodingResult = super().generate_with_fallback(encoder_output, prompt, tokenizer, greedy)
        assert self._last is not None
        window, tokens, begin = self._last[0], decoded[0].sequences_ids[0], tokenizer.timestamp_begin
        is_doubtful = needs_full_padding(self._statistics(decoded, prompt), tokens, timestamp_begin=begin)
        if is_doubtful and _without_excess_padding(window).shape != window.shape:
            encoder_output = super().encode(window)
            decoded = super().generate_with_fallback(encoder_output, prompt, tokenizer, greedy)
        if should_retry(self._statistics(decoded, prompt)):
            decoded = super().generate_with_fallback(encoder_output, prompt, tokenizer, options)
        self.statistics = self._statistics(decoded, prompt)
        tokens = decoded[0].sequences_ids[0]
        if tokenizer.task is not None and tokenizer.task == tokenizer.translate:
            self._decoded = None  # no sound is a translated word's alone
        else:
            self._decoded = tokens, self._token_times(encoder_output, tokens, tokenizer), tokenizer
        return decoded

    def _token_times(
        self,
        encoder_output: Any,  # noqa: ANN401 - as above
        tokens: list[int],
        tokenizer: Tokenizer,
    ) -> list[tuple[float, float]]:
        """Align tokens with the encoding that they were decoded from; of timestamps the times mean nothing."""
        assert self._last is not None
        spoken = [token for token in tokens if token < tokenizer.eot]
        frames = _audio_frames(self._last[0])
        if not spoken or frames < FRAMES_PER_POSITION:
            return [(0.0, 0.0)] * len(tokens)
        (found,) = self.model.align(
            encoder_output, tokenizer.sot_sequence, [spoken], frames, median_filter_width=FILTER_WIDTH
        )
        starts: dict[int, int] = {}
        for number, position in found.alignments:
            starts.setdefault(number, position)
        end = starts.get(len(spoken), frames // FRAMES_PER_POSITION)
        times = iter(times_of_positions([starts.get(number, end) for number in range(len(spoken))], end))
        return [next(times) if token < tokenizer.eot else (0.0, 0.0) for token in tokens]

    def with_words(self, segment: Segment, tokens: list[int], *, offset_s: float) -> Segment:
        """Return a segment of the last text with its words. offset_s: where the text's window begins."""
        if self._decoded is None:
            return segment
        decoded, times, tokenizer = self._decoded
        at = next((at for at in range(len(decoded)) if decoded[at : at + len(tokens)] == tokens), None)
        if at is None:
            return segment
        end = at + len(tokens)
        self._decoded = decoded[end:], times[end:], tokenizer
        moved = [(offset_s + start, offset_s + end) for start, end in times[at:end]]
        return words_of_segment(segment, tokens, moved, tokenizer)

    def _statistics(self, decoded: _DecodingResult, prompt: list[int]) -> DecodingStatistics:
        result, average_logprob, temperature, compression_ratio = decoded
        # CTranslate2 stops after half of this in any case, or where the prompt leaves less.
        limit = min(self.max_length // 2, self.max_length - len(prompt))
        has_ended = bool(len(result.sequences_ids[0]) < limit)
        return DecodingStatistics(average_logprob, result.no_speech_prob, compression_ratio, temperature, has_ended)


def _without_excess_padding(window: NDArray[np.float32]) -> NDArray[np.float32]:
    return window[:, : frames_to_encode(_audio_frames(window), SILENCE_FRAMES)]


def _audio_frames(features: NDArray[np.float32]) -> int:
    """Count the frames before the zeros that pad a window; neither sound nor silence is zero in all bands at once."""
    return int(np.flatnonzero(features.any(axis=0)).max(initial=-1)) + 1


def _load(folder: Path, cpu_threads: int) -> tuple[_FasterWhisperModel, int, str]:
    """Load the model; returns it, its number of execution contexts, and its precision."""
    if _has_usable_gpu():
        try:
            return _FasterWhisperModel(str(folder), device="cuda", compute_type="float16"), 1, "float16 on gpu"
        except (RuntimeError, ValueError) as error:
            # Seen where CUDA's libraries are missing or the card knows no float16.
            log.warning("the GPU cannot be used, so the CPU is: %s", error)
    execution_contexts = min(cpu_threads, MAX_EXECUTION_CONTEXTS)
    # Twice as many threads as cores where all contexts run; a context alone has half of the cores at least.
    threads = min(cpu_threads, 2 * cpu_threads // execution_contexts)
    try:
        loaded = _FasterWhisperModel(
            str(folder), device="cpu", compute_type="int8", cpu_threads=threads, num_workers=execution_contexts
        )
    except (RuntimeError, ValueError) as error:
        raise TranscriptionFailed(f"The Whisper model in {folder} cannot be loaded: {error}") from error
    return loaded, execution_contexts, "int8 on cpu"


def _has_usable_gpu() -> bool:
    try:
        return int(ctranslate2.get_cuda_device_count()) > 0
    except RuntimeError:  # a driver that is there but does not work
        return False
