"""The web side: polls beside a bare route, a thousand pollers, and a large upload.

    .venv/bin/python -m benchmarks.api [--quick]

One API process, a real queue and database, no workers: their work is measured elsewhere.
`--quick` ends within two minutes.
"""

import argparse
import contextlib
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import redis
import requests

from benchmarks import bare_route, memory, polling, report
from benchmarks.polling import Polls
from streametrics.domain.job import JobKind, JobRequest, JobState, Snapshot, Stage
from streametrics.domain.status import JobResult
from streametrics.domain.transcript import Segment, Transcript
from streametrics.settings import Settings
from tests.support.jobs import Jobs
from tests.support.media import plain_wav, tone
from tests.support.ports import free_port
from tests.support.stack import FIELDS, Stack, stack, until

CONNECTIONS, POLLERS, ROUNDS = 32, 1000, 3
STATUS = "/summarize/status/"
Row = tuple[str, str, str]
#: Longer than a run, and below the time limit of a task, in seconds.
LEASE_S = 590.0


@dataclass(frozen=True, slots=True)
class Scale:
    """How long each part takes, in seconds, and how much is sent, in MB."""

    polls_s: float
    pollers_s: float
    upload_mb: int


FULL, QUICK = Scale(10.0, 30.0, 1000), Scale(2.0, 8.0, 300)


def make_jobs(jobs: Jobs) -> dict[str, str]:
    """A task in each state, by the state's name; its words are those of half a minute."""
    segments = (Segment(3.0 * n, 3.0 * n + 2.9, "So that is what I meant, and now look.") for n in range(10))
    transcript = Transcript(tuple(segments), "en")
    words = transcript.text
    request = JobRequest(streamer="me", language="en", game="Chess", time="00:01:30", title="A title")

    def accept() -> str:
        return jobs.service.accept(
            request, kind=JobKind.LIVE, audio_key=jobs.connections.audio.writer().commit(), container="wav"
        )

    queued, processing, done = accept(), accept(), accept()
    claim = jobs.claim(processing, Stage.TRANSCRIBE, "benchmark")
    assert claim is not None
    jobs.lifecycle.publish(claim, Snapshot(JobState.TRANSCRIBING, progress=30, transcription=words, eta_s=1.5))
    claim = jobs.claim(done, Stage.TRANSCRIBE, "benchmark")
    assert claim is not None
    jobs.lifecycle.store_transcript(claim, transcript, audio_s=30.0, warnings=())
    claim = jobs.claim(done, Stage.SUMMARIZE, "benchmark")
    assert claim is not None
    jobs.lifecycle.finish(claim, JobResult(transcript, words, "extractive"))
    return {"queued": queued, "processing": processing, "done": done}


@contextlib.contextmanager
def bare(service: Stack, tasks: dict[str, str]) -> Iterator[int]:
    """The bare route's port; it answers with the very bytes that the service answers with."""
    with redis.Redis.from_url(service.redis_url) as client:
        for task_id in tasks.values():
            client.set(bare_route.PREFIX + task_id, requests.get(service.url + STATUS + task_id, timeout=10).content)
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.bare_route", str(port), service.redis_url]
    process = subprocess.Popen(command)

    def answers() -> bool:
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(f"http://127.0.0.1:{port}/docs", timeout=5).ok
        return False

    try:
        until(answers, within_s=30, what="the bare route answers")
        yield port
    finally:
        process.terminate()
        process.wait(timeout=10)


def poll_rows(service: Stack, tasks: dict[str, str], scale: Scale) -> list[Row]:
    """Each state beside the bare route, in turns."""
    rows = []
    with bare(service, tasks) as bare_port:
        for state, task_id in tasks.items():
            found: dict[int, list[Polls]] = {service.port: [], bare_port: []}
            for _ in range(ROUNDS):
                for port, polls in found.items():
                    options = {"connections": CONNECTIONS, "seconds": scale.polls_s}
                    polls.append(polling.run(port, [STATUS + task_id], **options))  # type: ignore[arg-type]
            ours, theirs = (_middle(polls) for polls in found.values())
            ratio = statistics.median(
                mine.per_second / other.per_second for mine, other in zip(*found.values(), strict=True)
            )
            rows.append(
                (
                    f"polls of a {state} job, {CONNECTIONS} connections",
                    f"{ours.per_second:,.0f} a second ({ratio:.2f} of the bare route)",
                    f"median of {ROUNDS} in turns; p50 {ours.p50_ms:.1f} ms, p99 {ours.p99_ms:.1f} ms; bare route "
                    f"{theirs.per_second:,.0f} a second, p50 {theirs.p50_ms:.1f} ms, p99 {theirs.p99_ms:.1f} ms; "
                    f"{sum(polls.errors for polls in found[service.port])} errors",
                )
            )
            print(rows[-1], flush=True)
    return rows


def _middle(polls: list[Polls]) -> Polls:
    return sorted(polls, key=lambda each: each.per_second)[len(polls) // 2]


def pollers_row(service: Stack, tasks: dict[str, str], scale: Scale) -> Row:
    """A thousand clients that each ask once a second."""
    paths = [STATUS + task_id for task_id in tasks.values()]
    found = polling.run(service.port, paths, connections=POLLERS, seconds=scale.pollers_s, every_s=1.0)
    return (
        f"{POLLERS:,} pollers, one poll a second each",
        f"p99 {found.p99_ms:.1f} ms, {found.errors} errors",
        f"{found.counted:,} polls in {scale.pollers_s:.0f} s, from when each was due; p50 {found.p50_ms:.1f} ms, "
        f"worst {found.worst_ms:.1f} ms",
    )


def upload_row(service: Stack, pid: int, scale: Scale) -> Row:
    """One large recording, and what the API process takes for it."""
    before_mb = memory.resident_mb(pid)
    memory.reset_peak(pid)
    began = time.monotonic()
    size_mb = _upload(service.port, scale.upload_mb)
    seconds = time.monotonic() - began
    growth_mib = (memory.peak_mb(pid) - before_mb) * 1e6 / 2**20
    return (
        f"upload of {scale.upload_mb:,} MB",
        f"{size_mb / seconds:,.0f} MB/s, memory grows by {growth_mib:.1f} MiB",
        f"one connection, from the first byte to the task's id ({seconds:.1f} s); {before_mb:.0f} MB before it",
    )


def _upload(port: int, size_mb: int) -> float:
    """Send a recording of so many MB; returns how many it were with the form."""
    boundary = "benchmark"
    fields = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in FIELDS.items()
    )
    file = f'--{boundary}\r\nContent-Disposition: form-data; name="audio"; filename="a.wav"\r\n\r\n'
    head = (fields + file).encode() + plain_wav(tone(1.0, 8_000), 8_000)
    tail = f"\r\n--{boundary}--\r\n".encode()
    piece = bytes(1_000_000)
    length = len(head) + size_mb * len(piece) + len(tail)

    def body() -> Iterator[bytes]:
        yield head
        for _ in range(size_mb):
            yield piece
        yield tail

    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Content-Length": str(length)}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    connection.request("POST", "/summarize/", body(), headers)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    assert response.status == 200, answer
    return length / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="shorter rounds, a smaller upload")
    options = parser.parse_args()
    scale = QUICK if options.quick else FULL
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # Nobody works on the jobs, and nobody shall find out before all is measured.
        with stack(folder, MAX_UPLOAD_MB="1100", LEASE_S=str(LEASE_S), RESEND_AFTER_S="3600") as service:
            api = service.start_api()
            jobs = Jobs(
                Settings(
                    data_dir=folder / "data",
                    redis_url=service.redis_url,
                    database_url=service.database_url,
                    lease_s=LEASE_S,
                    _env_file=None,
                )
            )
            tasks = make_jobs(jobs)
            jobs.close()
            rows = [*poll_rows(service, tasks, scale), pollers_row(service, tasks, scale)]
            rows.append(upload_row(service, api.pid, scale))
    report.write(
        "api-quick" if options.quick else "api",
        "Polls and uploads, one API process",
        rows,
        ("fastapi", "uvicorn", "uvloop", "httptools", "redis"),
    )


if __name__ == "__main__":
    main()
