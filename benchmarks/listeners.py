"""Loads what the accuracy benchmarks compare: the engines behind the service's contract, and the plain libraries."""

import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import whisper

from benchmarks import answers
from benchmarks.answers import Answer
from benchmarks.engines import ENGINES
from streametrics.audio.pcm import Samples
from streametrics.domain.transcript import Transcript
from streametrics.settings import Settings
from streametrics.transcription import cpu
from streametrics.transcription import factory as transcriber_factory
from streametrics.weights import cache as weights_cache
from streametrics.weights.download import file_hash

#: What the others are compared with, and the other library as it comes: both greedy, on their own ladders.
PLAIN = "plain openai-whisper"
PLAIN_FASTER = "plain faster-whisper"

#: Hears samples in a language, None to detect it; the seconds that it took are not in the answer yet.
Hear = Callable[[Samples, str | None], Answer]


def asked(name: str) -> Hear:
    """A way of listening by its name; what it heard before is not heard again, and loaded is what has to hear."""
    loaded, hashed = cache(lambda: load(name)), file_hash(_weights(name))

    def answer(samples: Samples, language: str | None) -> Answer:
        def heard() -> Answer:
            hear, began = loaded(), time.perf_counter()
            found = hear(samples, language)
            return Answer(found.text, time.perf_counter() - began, found.left_out, found.spans, found.unheard)

        return answers.kept(name, hashed, samples, language, heard, is_ours=name in ENGINES)

    return answer


def load(name: str) -> Hear:
    """Load a way of listening by its name."""
    match name:
        case "plain openai-whisper":
            return _plain_openai()
        case "plain faster-whisper":
            return _plain_faster()
    engine = transcriber_factory.create(Settings.model_validate({"whisper_engine": name, "whisper_model": "base"}))
    return lambda samples, language: answered(engine.transcribe(samples, speech_language=language))


def answered(transcript: Transcript) -> Answer:
    """What the benchmarks keep of a transcript of ours."""
    return Answer(
        transcript.text,
        0.0,
        {str(reason): words for reason, words in transcript.left_out.items()},
        [[timed.start, timed.end] for segment in transcript.segments for timed in segment.words or (segment,)],
        [[span.start_s, span.end_s] for span in transcript.unheard],
    )


def _plain_openai() -> Hear:
    model = whisper.load_model(str(_weights(PLAIN)), device="cpu")

    def hear(samples: Samples, language: str | None) -> Answer:
        said = model.transcribe(samples, language=language, condition_on_previous_text=False, fp16=False)
        spans = [[float(each["start"]), float(each["end"])] for each in said["segments"] if each["text"].strip()]
        return Answer(str(said["text"]), 0.0, spans=spans)

    return hear


def _plain_faster() -> Hear:
    from faster_whisper import WhisperModel

    folder = _weights(PLAIN_FASTER).parent
    model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=cpu.available_cores())

    def hear(samples: Samples, language: str | None) -> Answer:
        found, _ = model.transcribe(samples, language=language, beam_size=1, condition_on_previous_text=False)
        segments = list(found)
        return Answer("".join(each.text for each in segments), 0.0, spans=[[each.start, each.end] for each in segments])

    return hear


def _weights(name: str) -> Path:
    """The file that a way of listening reads."""
    if name in (PLAIN_FASTER, "faster-whisper"):
        return weights_cache.ensure("base", "ctranslate2", Settings().model_dir) / "model.bin"
    return weights_cache.ensure("base", "openai", Settings().model_dir)
