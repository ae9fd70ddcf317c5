"""The libraries as they come, each in a process of its own, with as many threads as the service gives its engine.

    python -m benchmarks.plain PEER     # for each FILE.npy on a line of its input, a line of JSON: `PeerRun`

The first one warms up. Each file holds samples (16 kHz mono, float32): decoding a container is not paid for here.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks import memory
from streametrics.audio.pcm import Samples
from streametrics.settings import Settings
from streametrics.transcription.cpu import available_cores
from streametrics.weights import cache as weights_cache

Peer = Literal["openai-whisper", "faster-whisper", "faster-whisper-batched"]
#: Windows that the batched pipeline decodes together: its own default.
BATCH = 8


@dataclass(frozen=True, slots=True)
class PeerRun:
    """What one sound took: seconds, how many words came out, and the process's memory before all and at the peak."""

    seconds: float
    words: int
    loaded_mb: float
    peak_mb: float


#: Lets the peer transcribe samples.
Transcribe = Callable[[Samples], PeerRun]


@contextmanager
def peer_process(peer: Peer, warm: Samples, **environment: str | None) -> Iterator[Transcribe]:
    """Start a peer in a new process, warmed up, that transcribes one sound after the other, when it is asked to.

    So it can take turns with what it is compared with, on a machine whose speed drifts. `environment`: variables to
    set, or with None to unset.
    """
    unset = {name for name, value in environment.items() if value is None}
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.plain", peer],
        env={**kept, **{name: value for name, value in environment.items() if value is not None}},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    commands, answers = process.stdin, process.stdout
    with tempfile.TemporaryDirectory() as folder, process:
        file = Path(folder) / "samples.npy"

        def transcribe(samples: Samples) -> PeerRun:
            np.save(file, samples)
            commands.write(f"{file}\n")
            commands.flush()
            return PeerRun(**json.loads(answers.readline()))

        transcribe(warm)
        yield transcribe
        commands.close()


def measure(peer: Peer, warm: Samples, sounds: list[Samples], **environment: str | None) -> list[PeerRun]:
    """Let a peer in a new process transcribe these sounds, one after the other."""
    with peer_process(peer, warm, **environment) as transcribe:
        return [transcribe(samples) for samples in sounds]


def _load(peer: Peer) -> Callable[[Samples], str]:
    """The peer's model, as a function from samples to text: greedy, English, no text of before."""
    settings, cores = Settings(_env_file=None), available_cores()
    if peer == "openai-whisper":
        import torch
        import whisper

        torch.set_num_threads(cores)
        openai = whisper.load_model(str(weights_cache.ensure("base", "openai", settings.model_dir)), device="cpu")

        def transcribe(samples: Samples) -> str:
            return str(
                openai.transcribe(
                    samples, language="en", temperature=0.0, condition_on_previous_text=False, fp16=False
                )["text"]
            )

        return transcribe
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    folder = weights_cache.ensure("base", "ctranslate2", settings.model_dir)
    model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=cores)
    options = {"language": "en", "beam_size": 1, "temperature": 0.0, "condition_on_previous_text": False}
    if peer == "faster-whisper":
        return lambda samples: "".join(segment.text for segment in model.transcribe(samples, **options)[0])
    batched = BatchedInferencePipeline(model)
    return lambda samples: "".join(
        segment.text for segment in batched.transcribe(samples, batch_size=BATCH, **options)[0]
    )


def main() -> None:
    transcribe = _load(sys.argv[1])  # type: ignore[arg-type]
    loaded_mb = None
    for line in sys.stdin:
        samples = np.load(line.strip())
        started = time.perf_counter()
        words = len(transcribe(samples).split())
        seconds = time.perf_counter() - started
        if loaded_mb is None:  # the first sound warms up
            loaded_mb = memory.resident_mb()
            memory.reset_peak()
        print(json.dumps(asdict(PeerRun(seconds, words, loaded_mb, memory.peak_mb()))), flush=True)


if __name__ == "__main__":
    main()
