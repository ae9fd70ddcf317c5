"""A long recording through the whole service: how many times faster than it plays, and in how much memory.

    .venv/bin/python -m benchmarks.vod [--quick | --full] [--engine NAME]

Real queue, API and worker, which cuts the recording at its silences; the plain libraries transcribe 10 minutes of it.
`--full` adds 180 minutes, and 60 for plain openai-whisper, and keeps results of its own; `--quick` ends within two
minutes.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import memory, plain, plots, recordings, report
from benchmarks.live import ENGINES
from streametrics.audio.pcm import SAMPLE_RATE_HZ, Samples
from streametrics.redis.client import RedisClient
from streametrics.redis.worker_registry import WorkerRegistry
from tests.support.media import plain_wav
from tests.support.stack import Stack, stack

#: Rarely, so that the polls take nothing from the engine.
POLL_S = 1.0
Row = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording's way: seconds from the upload's start, words transcribed, and the worker's memory.

    memory_mb: what was resident, once a second.
    """

    minutes: int
    accepted_s: float
    first_text_s: float
    transcript_s: float
    words: int
    model_mb: float
    peak_mb: float
    memory_mb: list[plots.Point]

    @property
    def speed(self) -> float:
        """How many times faster than it plays."""
        return self.minutes * 60 / self.transcript_s

    def row(self, engine: str) -> Row:
        return (
            f"{self.minutes} min through the service, {engine}",
            f"{self.speed:.1f} times real time ({self.transcript_s:.0f} s)",
            f"first text after {self.first_text_s:.1f} s (upload {self.accepted_s:.1f} s); {self.words} words; "
            f"memory {self.model_mb:.0f} MB with the model, {self.peak_mb - self.model_mb:+.0f} MB at the peak",
        )


def through_service(engine: str, minutes: int) -> Recording:
    """Upload a WAV of 16 kHz to a service that has just started, and wait for all words."""
    audio = plain_wav(recordings.recording(minutes), SAMPLE_RATE_HZ)
    with (
        tempfile.TemporaryDirectory() as folder,
        stack(
            Path(folder), WHISPER_ENGINE=engine, SUMMARIZER="extractive", SUMMARIZE_WHILE_TRANSCRIBING="false"
        ) as service,
    ):
        service.start_all()
        # The process that holds the model, and its decoder. The sum of their peaks is no less than the peak.
        family = memory.family(_transcribing_process(service))
        model_mb = sum(memory.resident_mb(pid) for pid in family)
        for pid in family:
            memory.reset_peak(pid)
        started = time.monotonic()
        task_id = service.submit(audio)
        accepted_s = time.monotonic() - started
        memory_mb: list[plots.Point] = []
        first_text_s, text = _transcribed(service, task_id, started, family, memory_mb)
        transcript_s = time.monotonic() - started
        peak_mb = sum(memory.peak_mb(pid) for pid in family)
        words = len(text.split())
        return Recording(minutes, accepted_s, first_text_s, transcript_s, words, model_mb, peak_mb, memory_mb)


def _transcribing_process(service: Stack) -> int:
    client = RedisClient(service.redis_url)
    try:
        [worker] = [each for each in WorkerRegistry(client).workers() if each.stage == "transcribe" and each.ready]
    finally:
        client.close()
    return int(worker.name.rpartition(":")[2])


def _transcribed(
    service: Stack, task_id: str, started: float, family: list[int], memory_mb: list[plots.Point]
) -> tuple[float, str]:
    """Seconds until the first words are shown, and all words once they are there; meanwhile, memory is read."""
    first_text_s = 0.0
    while True:
        memory_mb.append((time.monotonic() - started, sum(memory.resident_mb(pid) for pid in family)))
        status = service.status(task_id)
        assert status["status"] != "error", status
        done = status["status"] == "done"
        text = str(status["result"]["text"] if done else status.get("transcription") or "")
        if text and not first_text_s:
            first_text_s = time.monotonic() - started
        if done or status.get("current_step") in ("transcription_complete", "summarizing"):
            return first_text_s, text
        time.sleep(POLL_S)


def peer_row(peer: plain.Peer, minutes: int, sound: Samples, warm: Samples) -> Row:
    """A library alone, on samples in memory."""
    # How its threads wait made no difference to plain openai-whisper on a machine of its own.
    [found] = plain.measure(peer, warm, [sound], OMP_WAIT_POLICY="PASSIVE" if peer == "openai-whisper" else None)
    return (
        f"{minutes} min, plain {peer}",
        f"{minutes * 60 / found.seconds:.1f} times real time ({found.seconds:.0f} s)",
        f"greedy, samples in memory; {found.words} words; memory {found.loaded_mb:.0f} MB with the model, "
        f"{found.peak_mb - found.loaded_mb:+.0f} MB at the peak",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="one and two minutes only")
    size.add_argument("--full", action="store_true", help="180 minutes too")
    parser.add_argument(
        "--engine", default="openai-whisper-fast", choices=ENGINES, help="the service's (default: %(default)s)"
    )
    options = parser.parse_args()
    lengths = (1, 2) if options.quick else (1, 10, 60, 180) if options.full else (1, 10, 60)
    beside = 1 if options.quick else 10
    [warm], rows, resident = recordings.chunks(1), [], {}
    for minutes in lengths:
        found = through_service(options.engine, minutes)
        resident[f"{minutes} min of sound"] = found.memory_mb
        rows.append(found.row(options.engine))
        print(rows[-1], flush=True)
    peers: list[tuple[plain.Peer, int]] = [
        ("openai-whisper", beside),
        ("faster-whisper", beside),
        ("faster-whisper-batched", beside),
    ]
    if options.full:
        peers.append(("openai-whisper", 60))
    for peer, minutes in peers:
        rows.append(peer_row(peer, minutes, recordings.recording(minutes), warm))
        print(rows[-1], flush=True)
    name = "vod-quick" if options.quick else "vod-full" if options.full else "vod"
    axes = "seconds since the upload", "MB resident, model included"
    plots.lines(name, f"Memory of a worker with {options.engine} while it transcribes", axes, resident)
    report.write(
        name,
        "Long recordings, base model",
        rows,
        ("openai-whisper", "faster-whisper", "ctranslate2", "torch"),
    )


if __name__ == "__main__":
    main()
