"""Chooses the Whisper engine; each one's library is imported inside its case, and nowhere else."""

import importlib.util
import os
from pathlib import Path
from typing import Literal, assert_never

from streametrics.errors import TranscriptionFailed
from streametrics.settings import Settings
from streametrics.transcription import benchmark_cache
from streametrics.transcription.base import Transcriber
from streametrics.transcription.cpu import available_cores, has_nvidia_gpu
from streametrics.weights import cache as weights_cache
from streametrics.weights import verification

ResolvedEngineName = Literal["openai-whisper", "openai-whisper-fast", "faster-whisper", "fake"]

#: What each engine stands on; `auto` takes the first that is here unless a measurement says otherwise.
_PACKAGES: dict[ResolvedEngineName, str] = {"faster-whisper": "faster_whisper", "openai-whisper-fast": "whisper"}


def create(settings: Settings, *, progress: bool = False) -> Transcriber:
    """Load the model of the settings, fetching missing weights first (`progress`: with a bar).

    Raises WeightsUnavailable, WeightsCorrupt, TranscriptionFailed (the model cannot be loaded).
    """
    name = settings.whisper_model
    engine = resolve_engine(settings)
    match engine:
        case "faster-whisper":
            from streametrics.transcription.engines.faster_whisper import FasterWhisper

            folder = weights_cache.ensure(name, "ctranslate2", settings.model_dir, progress=progress)
            return FasterWhisper(folder, model=name, cpu_threads=available_cores())
        case "openai-whisper":
            _let_threads_sleep()
            from streametrics.transcription.engines.openai_whisper import OpenAIWhisper

            file = weights_cache.ensure(name, "openai", settings.model_dir, progress=progress)
            return OpenAIWhisper(file, model=name, cpu_threads=available_cores())
        case "openai-whisper-fast":
            _let_threads_sleep()
            from streametrics.transcription.engines.openai_whisper_fast import OpenAIWhisperFast

            file = weights_cache.ensure(name, "openai", settings.model_dir, progress=progress)
            return OpenAIWhisperFast(file, model=name, cpu_threads=available_cores())
        case "fake":
            from streametrics.transcription.engines.fake import FakeTranscriber

            return FakeTranscriber()
        case _:
            assert_never(engine)


def _let_threads_sleep() -> None:
    """Let torch's threads sleep instead of spin while they wait for each other; to be called before torch is loaded.

    On cores that another process uses too, a chunk then takes ten times as long.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def resolve_engine(settings: Settings) -> ResolvedEngineName:
    """Resolve `auto` by the libraries and measurements that are here, without importing an engine.

    Raises TranscriptionFailed where no engine is installed.
    """
    if settings.whisper_engine != "auto":
        return settings.whisper_engine
    here = candidates(settings)
    if not here:
        raise TranscriptionFailed("No Whisper engine is installed: run 'pip install -r requirements.txt'")
    return next((engine for engine in measured(settings) if engine in here), here[0])


def candidates(settings: Settings) -> list[ResolvedEngineName]:
    """List the engines that `auto` may take, the one to take without a measurement first."""
    here = [name for name, package in _PACKAGES.items() if importlib.util.find_spec(package) is not None]
    if has_nvidia_gpu():  # both libraries use it; our own path is for CPUs
        plain: dict[ResolvedEngineName, ResolvedEngineName] = {"openai-whisper-fast": "openai-whisper"}
        here = [plain.get(engine, engine) for engine in here]
    if settings.whisper_model.endswith(".pt"):  # faster-whisper does not read such a file
        return [engine for engine in here if engine != "faster-whisper"]
    if has_nvidia_gpu():
        return here[:1]
    if Path(settings.whisper_model).expanduser().is_dir():  # and a folder only it reads
        return [engine for engine in here if engine == "faster-whisper"]
    return here


def measured(settings: Settings) -> list[ResolvedEngineName]:
    """List the engines that were measured on this machine, fastest first; empty where none was."""
    seconds = benchmark_cache.load(settings.model_dir, benchmark_cache.machine_fingerprint(available_cores()))
    return sorted((engine for engine in _PACKAGES if engine in seconds), key=seconds.__getitem__)


def weights_format(engine: ResolvedEngineName) -> verification.Format | None:
    """Tell the format of an engine's weights; None for the fake, which has none."""
    match engine:
        case "faster-whisper":
            return "ctranslate2"
        case "openai-whisper" | "openai-whisper-fast":
            return "openai"
        case "fake":
            return None
        case _:
            assert_never(engine)
