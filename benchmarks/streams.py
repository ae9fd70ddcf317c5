"""How many live streams the whole service holds: each sends a chunk every 30 s and loses what is not done by then."""

import math
import statistics
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import recordings
from streametrics.start.processes import SUMMARISE_THREADS
from streametrics.transcriber import Samples
from tests.model_server import ModelServer, Reply, states
from tests.stack import Stack, stack

#: How often a stream sends, and how long its chunk may take, in seconds.
EVERY_S = 30.0
#: How often the extension asks for a job's status.
POLL_S = 1.0
#: What the model server takes for an answer; it needs no processor for it.
ANSWER_S = 1.0
#: A queue that grows from round to round overflows later than anybody wants to measure: more than this is growth.
GROWTH_S = 1.0


@dataclass
class Round:
    """What a number of streams saw: seconds per chunk in the order sent, and what went wrong."""

    streams: int
    seconds: dict[int, float] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def growth_s(self) -> float:
        """How much longer a chunk takes at the end than at the beginning: medians of a chunk per stream."""
        in_order = [self.seconds[number] for number in sorted(self.seconds)]
        return statistics.median(in_order[-self.streams :]) - statistics.median(in_order[: self.streams])

    @property
    def slowest_s(self) -> float:
        return max(self.seconds.values(), default=math.inf)

    @property
    def held(self) -> bool:
        return not self.problems and self.slowest_s <= EVERY_S and self.growth_s <= GROWTH_S

    def describe(self) -> str:
        if not self.seconds:
            return f"{self.streams} not held (nothing done: {self.problems[0]})"
        verdict = "held" if self.held else "not held"
        chunk = f"median {statistics.median(self.seconds.values()):.1f} s, slowest {self.slowest_s:.1f} s"
        trouble = f", {len(self.problems)} lost ({self.problems[0]})" if self.problems else ""
        return f"{self.streams} {verdict} ({chunk}, growth {self.growth_s:+.1f} s{trouble})"


def slow_answer(reply: Reply) -> None:
    """A model server elsewhere: time passes here, and no work is done."""
    time.sleep(ANSWER_S)
    states.ok(reply)


def most(engine: str, estimate: int, chunks: list[Samples], *, probes: int, for_s: float) -> list[Round]:
    """Rounds around an estimate, one stream more or fewer each time, until the edge is found or `probes` are used."""
    uploads = [recordings.upload(samples) for samples in chunks]
    rounds: list[Round] = []
    with (
        ModelServer(slow_answer) as model,
        tempfile.TemporaryDirectory() as folder,
        stack(
            Path(folder),
            WHISPER_ENGINE=engine,
            SUMMARIZER="openai_compatible",
            OPENAI_BASE_URL=f"{model.url}/v1",
            OPENAI_MODEL="mistral:latest",
            SUMMARIZER_CONCURRENCY="8",
        ) as service,
    ):
        service.start_api()
        service.start_worker(name="transcribe")
        service.start_worker(name="summarise", queues="summarise", pool="threads", concurrency=SUMMARISE_THREADS)
        service.finished(service.submit(uploads[0]))
        tried: dict[int, bool] = {}
        streams = max(1, estimate)
        while streams >= 1 and streams not in tried and len(rounds) < probes:
            rounds.append(_send(service, streams, uploads, for_s))
            print(rounds[-1].describe(), flush=True)
            tried[streams] = rounds[-1].held
            streams += 1 if rounds[-1].held else -1
    return rounds


def _send(service: Stack, streams: int, uploads: list[bytes], for_s: float) -> Round:
    """Streams that began evenly spread over 30 s send for so long; returns when all is answered."""
    found, lock = Round(streams), threading.Lock()
    began = time.monotonic()

    def chunk(number: int) -> None:
        started = time.monotonic()
        try:
            status = _until_done(
                service, service.submit(uploads[number % len(uploads)], streamer=f"s{number % streams}")
            )
            problem = _problem(status)
        except Exception as error:  # noqa: BLE001 - whatever a stream meets has lost its chunk
            problem = repr(error)
        with lock:
            if problem is None:
                found.seconds[number] = time.monotonic() - started
            else:
                found.problems.append(problem)

    threads = []
    for number in range(math.ceil(for_s / EVERY_S * streams)):
        time.sleep(max(0.0, began + number * EVERY_S / streams - time.monotonic()))
        threads.append(threading.Thread(target=chunk, args=(number,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    return found


def _until_done(service: Stack, task_id: str) -> dict[str, object]:
    deadline = time.monotonic() + 2 * EVERY_S
    while time.monotonic() < deadline:
        time.sleep(POLL_S)
        status = service.status(task_id)
        if status["status"] in ("done", "error"):
            return status
    return {"status": "error", "error": "not done in a minute"}


def _problem(status: dict[str, object]) -> str | None:
    """Why this chunk counts as lost; None where it does not."""
    result = status.get("result")
    if status["status"] != "done" or not isinstance(result, dict):
        return str(status.get("error"))
    if not result["text"]:
        return "no words"
    return None if result["summary_source"] == "openai_compatible" else f"summary by {result['summary_source']}"
