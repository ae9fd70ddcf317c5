"""The libraries as they come, each in a process of its own, with as many threads as the service gives its engine.

    python -m benchmarks.plain PEER WARM.npy FILE.npy...     # one line of JSON: `Measured`

Each file holds samples (16 kHz mono, float32), so that decoding a container is not paid for here.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks import memory
from streametrics import weights
from streametrics.settings import Settings
from streametrics.transcriber import Samples
from streametrics.transcribers import available_cores

Peer = Literal["openai-whisper", "faster-whisper", "faster-whisper-batched"]
#: Windows that the batched pipeline decodes together: its own default.
BATCH = 8


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds for each file after a warm-up, the words heard in each, and memory before and at the peak."""

    seconds: list[float]
    words: list[int]
    loaded_mb: float
    peak_mb: float


def measure(peer: Peer, warm: Samples, sounds: list[Samples], **environment: str | None) -> Measured:
    """Time a peer on these samples in a new process. `environment`: variables to set, or with None to unset."""
    unset = {name for name, value in environment.items() if value is None}
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, samples in enumerate([warm, *sounds]):
            files.append(str(Path(folder) / f"{number}.npy"))
            np.save(files[-1], samples)
        said = subprocess.run(
            [sys.executable, "-m", "benchmarks.plain", peer, *files],
            env={**kept, **{name: value for name, value in environment.items() if value is not None}},
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
    return Measured(**json.loads(said.splitlines()[-1]))


def _load(peer: Peer) -> Callable[[Samples], str]:
    """The peer's model, as a function from samples to text: greedy, English, no text of before."""
    settings, cores = Settings(_env_file=None), available_cores()
    if peer == "openai-whisper":
        import torch
        import whisper

        torch.set_num_threads(cores)
        openai = whisper.load_model(str(weights.ensure("base", "openai", settings.model_dir)), device="cpu")

        def hear(samples: Samples) -> str:
            return str(
                openai.transcribe(
                    samples, language="en", temperature=0.0, condition_on_previous_text=False, fp16=False
                )["text"]
            )

        return hear
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    folder = weights.ensure("base", "ctranslate2", settings.model_dir)
    model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=cores)
    options = {"language": "en", "beam_size": 1, "temperature": 0.0, "condition_on_previous_text": False}
    if peer == "faster-whisper":
        return lambda samples: "".join(segment.text for segment in model.transcribe(samples, **options)[0])
    batched = BatchedInferencePipeline(model)
    return lambda samples: "".join(
        segment.text for segment in batched.transcribe(samples, batch_size=BATCH, **options)[0]
    )


def main() -> None:
    peer, warm, *files = sys.argv[1:]
    hear = _load(peer)  # type: ignore[arg-type]
    hear(np.load(warm))
    loaded_mb = memory.resident_mb()
    memory.reset_peak()
    seconds, words = [], []
    for file in files:
        samples = np.load(file)
        started = time.perf_counter()
        text = hear(samples)
        seconds.append(time.perf_counter() - started)
        words.append(len(text.split()))
    print(json.dumps(asdict(Measured(seconds, words, loaded_mb, memory.peak_mb()))))


if __name__ == "__main__":
    main()
