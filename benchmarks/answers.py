"""Keeps transcripts that were made once, outside the repository: an interrupted benchmark goes on where it stopped.

An answer's name is a hash of all that it depends on: which engine, with which weights, code and versions, on which
machine (for its seconds), and what.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path

from benchmarks import report
from streametrics.audio.pcm import Samples

FOLDER = Path("~/.cache/streametrics/benchmark-answers").expanduser()
SOURCE = Path(__file__).parent.parent / "src" / "streametrics"
#: What an engine's answer depends on, in our code and in others'.
CODE = ("audio", "transcription", "domain")
PACKAGES = ("openai-whisper", "faster-whisper", "ctranslate2", "torch", "onnxruntime")


@dataclass(frozen=True, slots=True)
class Answer:
    """The text of a sound, how long that took, and the words left out as invented, by reason."""

    text: str
    seconds: float
    left_out: dict[str, int] = field(default_factory=dict)


def kept(
    engine: str,
    weights: str,
    samples: Samples,
    language: str | None,
    transcribe: Callable[[], Answer],
    *,
    is_ours: bool,
) -> Answer:
    """The answer of before, or `transcribe()`'s, which is kept then.

    weights: their hash. is_ours: our code transcribes, and not a library by itself.
    """
    sound = hashlib.sha256(samples.tobytes()).hexdigest()
    code = _versions() + (_our_code() if is_ours else "")
    named = json.dumps([engine, weights, code, report.machine(), sound, language])
    file = FOLDER / f"{hashlib.sha256(named.encode()).hexdigest()}.json"
    try:
        return Answer(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        answer = transcribe()
    FOLDER.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(answer), ensure_ascii=False), encoding="utf-8")
    partial.replace(file)
    return answer


@cache
def _versions() -> str:
    return hashlib.sha256(" ".join(version(package) for package in PACKAGES).encode()).hexdigest()


@cache
def _our_code() -> str:
    digest = hashlib.sha256()
    for name in CODE:
        files = [SOURCE / name] if name.endswith(".py") else sorted((SOURCE / name).rglob("*.py"))
        for file in files:
            digest.update(f"{file.relative_to(SOURCE)}\0".encode() + file.read_bytes())
    return digest.hexdigest()
