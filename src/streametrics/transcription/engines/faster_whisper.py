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
from streametrics.domain.transcript import Evidence, Segment
from streametrics.errors import TranscriptionFailed
from streametrics.transcription.audio_context import frames_to_encode, needs_all_silence
from streametrics.transcription.engines.base import MOST_LANES, OneWindowEngine, OneWindowLane
from streametrics.transcription.hallucination_filter import is_worth_another_try

log = logging.getLogger(__name__)

#: Silence that is encoded behind the sound, in frames: with 3 s, one chunk was walked through twice.
SILENCE_FRAMES = 500


class FasterWhisper(OneWindowEngine):
    """A model that was loaded from a CTranslate2 folder. `cpu_threads`: cores to compute with."""

    engine = "faster-whisper"

    def __init__(self, folder: Path, *, model: str, cpu_threads: int) -> None:
        self.model = model
        loaded, lanes, self.precision = _load(folder, cpu_threads)
        self.known_languages = tuple(loaded.supported_languages)
        # Each lane keeps what it has encoded; the model itself is the same, and of as many workers as lanes.
        made = [_Lane(copy(loaded)) for _ in range(lanes)]
        for lane in made:
            lane.prepare()
        self.lanes = made


class _Lane(OneWindowLane):
    def __init__(self, whisper: "_Model") -> None:
        self._whisper = whisper

    def prepare(self) -> None:
        """Hear nothing for a second: the first pass makes kernels and memory."""
        list(self._decode(np.zeros(SAMPLE_RATE_HZ, dtype=np.float32), "en"))

    def _detect_language(self, samples: Samples) -> tuple[str, float]:
        if not self._whisper.model.is_multilingual:
            return "en", 1.0
        try:
            features = self._whisper.feature_extractor(samples)
            # The last frame is left out as the library does when it decodes: so the encoder is paid for once.
            frames = min(features.shape[-1] - 1, self._whisper.feature_extractor.nb_max_frames)
            encoded = self._whisper.encode(pad_or_trim(features[:, :frames]))
            token, probability = self._whisper.model.detect_language(encoded)[0][0]
        except (RuntimeError, ValueError) as error:
            raise TranscriptionFailed(f"The spoken language could not be detected: {error}") from error
        return str(token).strip("<|>"), float(probability)

    def _decode(self, samples: Samples, language: str) -> Iterator[Segment]:
        """Greedy first; the library's ladder of temperatures when that does not stand."""
        try:
            found, _ = self._whisper.transcribe(
                samples, language=language, beam_size=1, best_of=1, condition_on_previous_text=False
            )
            for segment in found:
                yield Segment(segment.start, segment.end, segment.text, self._whisper.evidence)
        except (RuntimeError, ValueError) as error:
            raise TranscriptionFailed(f"faster-whisper could not transcribe this audio: {error}") from error


#: The library's: CTranslate2's result, mean log probability, temperature, compression ratio.
_Answer = tuple[Any, float, float, float]


class _Model(WhisperModel):  # type: ignore[misc]  # the library has no types
    """The library's, without work that is done twice or in vain. evidence: of its last answer."""

    evidence: Evidence | None = None
    _last: tuple[NDArray[np.float32], Any] | None = None

    def encode(self, features: NDArray[np.float32]) -> Any:  # noqa: ANN401 - CTranslate2's storage, without types
        """Keeps the last window's: detecting the language and decoding would each pay for their own.

        Of the silence with which the library fills a window up, only what is worth it is encoded.
        """
        if self._last is None or not np.array_equal(self._last[0], features):
            self._last = (features, super().encode(_shortened(features)))
        return self._last[1]

    def generate_with_fallback(
        self,
        encoder_output: Any,  # noqa: ANN401 - as above
        prompt: list[int],
        tokenizer: Tokenizer,
        options: TranscriptionOptions,
    ) -> _Answer:
        """The greedy answer where it stands, however often it repeats itself; the library's ladder elsewhere.

        Where it is doubtful, the window is heard with all of its silence first.

        Warmer, a sentence that was truly said three times took six times as long and was lost in one of four runs:
        the ladder draws lots, and CTranslate2 lets nobody choose them within a process.
        """
        greedy = replace(options, temperatures=options.temperatures[:1], compression_ratio_threshold=None)
        answer: _Answer = super().generate_with_fallback(encoder_output, prompt, tokenizer, greedy)
        assert self._last is not None
        window, tokens, begin = self._last[0], answer[0].sequences_ids[0], tokenizer.timestamp_begin
        is_doubtful = needs_all_silence(self._evidence(answer, prompt), tokens, timestamp_begin=begin)
        if is_doubtful and _shortened(window).shape != window.shape:
            encoder_output = super().encode(window)
            answer = super().generate_with_fallback(encoder_output, prompt, tokenizer, greedy)
        if is_worth_another_try(self._evidence(answer, prompt)):
            answer = super().generate_with_fallback(encoder_output, prompt, tokenizer, options)
        self.evidence = self._evidence(answer, prompt)
        return answer

    def _evidence(self, answer: _Answer, prompt: list[int]) -> Evidence:
        result, average_logprob, temperature, compression_ratio = answer
        # CTranslate2 stops after half of this in any case, or where the prompt leaves less.
        limit = min(self.max_length // 2, self.max_length - len(prompt))
        has_ended = bool(len(result.sequences_ids[0]) < limit)
        return Evidence(average_logprob, result.no_speech_prob, compression_ratio, temperature, has_ended)


def _shortened(window: NDArray[np.float32]) -> NDArray[np.float32]:
    return window[:, : frames_to_encode(_frames_of_sound(window), SILENCE_FRAMES)]


def _frames_of_sound(features: NDArray[np.float32]) -> int:
    """Up to the zeros that fill a window up; sound has none in all bands at once, silence neither."""
    return int(np.flatnonzero(features.any(axis=0)).max(initial=-1)) + 1


def _load(folder: Path, cpu_threads: int) -> tuple[_Model, int, str]:
    """The model, how many lanes it has, and its precision."""
    if _gpu_present():
        try:
            return _Model(str(folder), device="cuda", compute_type="float16"), 1, "float16 on gpu"
        except (RuntimeError, ValueError) as error:
            # Seen where CUDA's libraries are missing or the card knows no float16.
            log.warning("the GPU cannot be used, so the CPU is: %s", error)
    lanes = min(cpu_threads, MOST_LANES)
    # Twice as many threads as cores where all lanes are at work; a lane that is alone has half of the cores at least.
    threads = min(cpu_threads, 2 * cpu_threads // lanes)
    try:
        loaded = _Model(str(folder), device="cpu", compute_type="int8", cpu_threads=threads, num_workers=lanes)
    except (RuntimeError, ValueError) as error:
        raise TranscriptionFailed(f"The Whisper model in {folder} cannot be loaded: {error}") from error
    return loaded, lanes, "int8 on cpu"


def _gpu_present() -> bool:
    try:
        return int(ctranslate2.get_cuda_device_count()) > 0
    except RuntimeError:  # a driver that is there but does not work
        return False
