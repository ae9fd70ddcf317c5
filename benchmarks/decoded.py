"""Decodes sounds with one engine and tells every segment that it says, before any is filtered.

Runs as a process of its own (`decode`), because an arithmetic is chosen when the libraries are loaded.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import arithmetics
from benchmarks.arithmetics import Arithmetic
from streametrics.audio.pcm import Samples
from streametrics.domain.transcript import DecodingStatistics, Segment
from streametrics.settings import Settings
from streametrics.transcription import factory
from streametrics.transcription.batching import request
from streametrics.transcription.hallucination_filter import HallucinationFilter

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Said:
    """A segment as an engine said it, its times in the whole sound, and the text that the filter let pass."""

    segment: Segment
    kept: str


def decode(
    engine: str, arithmetic: Arithmetic, sounds: Sequence[tuple[Samples, str | None]], *, limit_s: float = 3600
) -> list[list[Said]]:
    """Decodes each sound, its language given or detected, in a process with this arithmetic."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "sounds.npz")
        np.savez(file, *[samples for samples, _ in sounds])
        asked = {"engine": engine, "file": str(file), "languages": [language for _, language in sounds]}
        finished = subprocess.run(
            [sys.executable, "-m", "benchmarks.decoded"],
            input=json.dumps(asked),
            env={**os.environ, **arithmetic.environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=limit_s,
        )
    if finished.returncode != 0:
        raise RuntimeError(f"{engine} with {arithmetic.name}: {finished.stderr[-2000:]}")
    return [[_read(each) for each in said] for said in json.loads(finished.stdout.splitlines()[-1])]


def _read(told: dict[str, Any]) -> Said:
    statistics = DecodingStatistics(**told.pop("statistics"))
    kept = told.pop("kept")
    return Said(Segment(**told, statistics=statistics), kept)


class _Recorder(HallucinationFilter):
    """Keeps what it is asked about; all of it passes, so that a filter can be tried on it later."""

    said: list[Said] = []  # noqa: RUF012 - one for the process: the engine makes a filter for each sound

    def apply(self, segment: Segment, *, offset_s: float = 0.0) -> Segment | None:
        kept = super().apply(segment, offset_s=offset_s)
        placed = Segment(segment.start + offset_s, segment.end + offset_s, segment.text, segment.statistics)
        self.said.append(Said(placed, kept.text.strip() if kept else ""))
        return segment


def main() -> None:
    asked = json.loads(sys.stdin.read())
    arithmetics.use(os.environ)
    request.HallucinationFilter = _Recorder  # type: ignore[misc]
    engine = factory.create(Settings(_env_file=None, whisper_engine=asked["engine"], whisper_model="base"))
    told = []
    with np.load(asked["file"]) as sounds:
        for name, language in zip(sounds.files, asked["languages"], strict=True):
            _Recorder.said.clear()
            engine.transcribe(sounds[name], speech_language=language)
            told.append([asdict(each.segment) | {"kept": each.kept} for each in _Recorder.said])
    print(json.dumps(told))


if __name__ == "__main__":
    main()
