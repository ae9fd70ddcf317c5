"""What `WHISPER_ENGINE=auto` found out about this machine, kept by processor and versions. No engine is loaded here."""

import json
import logging
from importlib import metadata
from pathlib import Path

from streametrics.settings import ENGINE_ALIASES
from streametrics.transcription import cpu

logger = logging.getLogger(__name__)

_FILE = "fastest-engine.json"
#: Instruction sets that decide which engine wins; a machine that moves to another processor is measured again.
_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile")
#: Raised when an engine of ours has become faster or slower, so that every machine measures once more.
_REVISION = 5
_PACKAGES = ("ctranslate2", "faster-whisper", "openai-whisper", "torch")


def machine(cores: int) -> str:
    """Names the processor, the cores in use and the versions that a measurement holds for."""
    sets = [flag for flag in _FLAGS if flag in cpu.flags()]
    versions = [f"{name} {_version(name)}" for name in _PACKAGES]
    return "; ".join([cpu.name(), *sets, f"{cores} cores", *versions, f"revision {_REVISION}"])


def keep(model_dir: Path, machine: str, seconds: dict[str, float]) -> None:
    """Write down how long each engine took for the same sound."""
    model_dir.mkdir(parents=True, exist_ok=True)
    partial = model_dir / f"{_FILE}.partial"
    partial.write_text(json.dumps({"machine": machine, "seconds": seconds}, indent=2))
    partial.replace(model_dir / _FILE)


def kept(model_dir: Path, machine: str) -> dict[str, float]:
    """What was measured on this very machine; empty where nothing was."""
    try:
        found = json.loads((model_dir / _FILE).read_text())
        if found["machine"] != machine:
            return {}
        return {ENGINE_ALIASES.get(name, name): float(value) for name, value in found["seconds"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # missing or torn: it is measured again
        return {}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"
