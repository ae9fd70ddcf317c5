"""Chooses the Whisper engine; each one's library is imported inside its case, and nowhere else."""

import importlib.util
import math
import os
import sys
from pathlib import Path, PurePosixPath
from typing import Literal, assert_never

from streametrics import weights
from streametrics.errors import TranscriptionFailed
from streametrics.settings import Settings
from streametrics.transcriber import Transcriber

Engine = Literal["openai-whisper", "faster-whisper", "fake"]


def create(settings: Settings, *, progress: bool = False) -> Transcriber:
    """Load the model of the settings, fetching missing weights first (`progress`: with a bar).

    Raises WeightsUnavailable, WeightsCorrupt, TranscriptionFailed (the model cannot be loaded).
    """
    name = settings.whisper_model
    engine = resolve_engine(settings)
    match engine:
        case "faster-whisper":
            from streametrics.transcribers.faster_whisper import FasterWhisper

            folder = weights.ensure(name, "ctranslate2", settings.model_dir, progress=progress)
            return FasterWhisper(folder, model=name, cpu_threads=available_cores())
        case "openai-whisper":
            # Before torch is loaded: its threads otherwise spin while they wait for each other, and on cores that
            # another process uses too, a chunk takes ten times as long.
            os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
            from streametrics.transcribers.openai_whisper import OpenAIWhisper

            file = weights.ensure(name, "openai", settings.model_dir, progress=progress)
            return OpenAIWhisper(file, model=name, cpu_threads=available_cores())
        case "fake":
            from streametrics.transcribers.fake import FakeTranscriber

            return FakeTranscriber()
        case _:
            assert_never(engine)


def resolve_engine(settings: Settings) -> Engine:
    """What `auto` stands for here; looks for libraries without importing them.

    Raises TranscriptionFailed where no engine is installed.
    """
    if settings.whisper_engine != "auto":
        return settings.whisper_engine
    candidates: list[tuple[Engine, str]] = [
        ("faster-whisper", "faster_whisper"),
        ("openai-whisper", "whisper"),
    ]
    if settings.whisper_model.endswith(".pt"):  # only openai-whisper reads such a file
        candidates.reverse()
    for engine, package in candidates:
        if importlib.util.find_spec(package) is not None:
            return engine
    raise TranscriptionFailed("No Whisper engine is installed: run 'pip install -r requirements.txt'")


def weights_format(engine: Engine) -> weights.Format | None:
    """The form in which an engine wants its weights; None for the fake, which has none."""
    match engine:
        case "faster-whisper":
            return "ctranslate2"
        case "openai-whisper":
            return "openai"
        case "fake":
            return None
        case _:
            assert_never(engine)


def available_cores() -> int:
    """Cores that this process may really use: a container's share may be far below what the machine has."""
    if sys.platform != "linux":
        return os.cpu_count() or 1
    cores = len(os.sched_getaffinity(0))
    quota = cgroup_quota(Path("/sys/fs/cgroup"), Path("/proc/self/cgroup"))
    return cores if quota is None else min(cores, max(1, math.ceil(quota)))


def cgroup_quota(root: Path, membership: Path) -> float | None:
    """The tightest CPU limit of this process's control group and its parents, in cores; None without one."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        lines = []
    own = [PurePosixPath(line.removeprefix("0::").strip("/")) for line in lines if line.startswith("0::")]
    folders = {PurePosixPath(), *own, *(parent for path in own for parent in path.parents)}
    limits = [_limit(root / folder / "cpu.max") for folder in folders]
    # The first version of control groups, still found in older containers.
    limits.append(_limit(root / "cpu/cpu.cfs_quota_us", root / "cpu/cpu.cfs_period_us"))
    return min((limit for limit in limits if limit is not None), default=None)


def _limit(*files: Path) -> float | None:
    try:
        words = " ".join(file.read_text() for file in files).split()
        quota, period = (float(word) for word in words)
    except (OSError, ValueError):  # no such group, or "max": no limit
        return None
    return quota / period if quota > 0 and period > 0 else None
