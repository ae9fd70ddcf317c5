"""How many live streams the whole service holds: each sends a chunk every 30 s and loses what is not done by then."""

import contextlib
import math
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import requests

from benchmarks import recordings
from streametrics.audio.pcm import Samples
from streametrics.supervisor.commands import SUMMARIZE_THREADS
from tests.support import ollama_server
from tests.support.model_server import ModelServer, Reply, states
from tests.support.stack import Stack, stack

ModelServerKind = Literal["stub", "real"]

#: How often a stream sends, and how long its chunk may take, in seconds.
EVERY_S = 30.0
#: A poll is answered when something changes, or after this; so a chunk's end is known to the millisecond.
WAIT_S = 25.0
#: What the model server takes for an answer; it needs no processor for it.
ANSWER_S = 1.0
#: A queue that grows from round to round overflows later than anybody wants to measure. More than this in a round of
#: 30 s is growth, in seconds: work that takes 1.7 % longer than there is time for it.
GROWTH_S = 0.5


@dataclass
class Round:
    """What a number of streams saw: seconds per chunk in the order sent, what went wrong, and who summarized."""

    streams: int
    seconds: dict[int, float] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    sources: Counter[str] = field(default_factory=Counter)

    @property
    def growth_s(self) -> float:
        """How much longer a chunk takes from one round of the streams to the next; 0 where there are not two.

        Medians of a round at the beginning and one at the end. With three rounds and more the first is left out:
        its chunks came to an empty queue.
        """
        in_order = [self.seconds[number] for number in sorted(self.seconds)]
        if len(in_order) < 2 * self.streams:
            return 0.0
        if len(in_order) >= 3 * self.streams:
            in_order = in_order[self.streams :]
        grown_s = statistics.median(in_order[-self.streams :]) - statistics.median(in_order[: self.streams])
        return grown_s / (len(in_order) / self.streams - 1) if len(in_order) > self.streams else 0.0

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
        written = ", ".join(f"{count} by {source}" for source, count in self.sources.most_common())
        written = f", summaries {written}" if len(self.sources) > 1 else ""
        return f"{self.streams} {verdict} ({chunk}, growth {self.growth_s:+.2f} s a round{written}{trouble})"


def slow_answer(reply: Reply) -> None:
    """A model server elsewhere: time passes here, and no work is done."""
    time.sleep(ANSWER_S)
    states.ok(reply)


@contextlib.contextmanager
def _model_server(kind: ModelServerKind, folder: Path) -> Iterator[dict[str, str]]:
    """The settings of a service that uses it: a stub that needs no processor, or a real Ollama on the same cores."""
    if kind == "stub":
        with ModelServer(slow_answer) as model:
            yield {
                "SUMMARIZER": "openai_compatible",
                "OPENAI_BASE_URL": f"{model.url}/v1",
                "OPENAI_MODEL": "mistral:latest",
                "SUMMARIZER_CONCURRENCY": "8",
            }
        return
    with ollama_server.started(folder / "ollama.log") as (url, _):
        yield {"SUMMARIZER": "ollama", "OLLAMA_URL": url}


def most(
    engine: str,
    estimate: int,
    chunks: list[Samples],
    *,
    probes: int,
    for_s: float,
    model_server: ModelServerKind = "stub",
) -> list[Round]:
    """Rounds around an estimate, until the edge is found or `probes` are used."""
    uploads = [recordings.upload(samples) for samples in chunks]
    rounds: list[Round] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        _model_server(model_server, Path(folder)) as settings,
        stack(Path(folder), WHISPER_ENGINE=engine, **settings) as service,
    ):
        service.start_api()
        service.start_worker(name="transcribe")
        service.start_worker(name="summarise", queues="summarise", pool="threads", concurrency=SUMMARIZE_THREADS)
        # A real model is loaded for the first of them.
        service.finished(service.submit(uploads[0]), within_s=300)

        def is_held(streams: int) -> bool:
            rounds.append(_send(service, streams, uploads, for_s, strict=model_server == "stub"))
            print(rounds[-1].describe(), flush=True)
            return rounds[-1].held

        find_edge(is_held, estimate, probes)
    return rounds


def find_edge(is_held: Callable[[int], bool], first: int, probes: int) -> None:
    """Try numbers of streams, in steps and then halves, until one is held and the next is not."""
    step = max(1, first // 8)
    best, least_lost = 0, math.inf
    streams = max(1, first)
    for _ in range(probes):
        if is_held(streams):
            best = max(best, streams)
        else:
            least_lost = min(least_lost, streams)
        if least_lost - best <= 1:
            return
        if math.isinf(least_lost):
            streams = best + step
        elif best == 0:
            streams = max(1, int(least_lost) - step)
        else:
            streams = (best + int(least_lost)) // 2


def _send(service: Stack, streams: int, uploads: list[bytes], for_s: float, *, strict: bool) -> Round:
    """Streams that began evenly spread over 30 s send for so long; returns when all is answered."""
    found, lock = Round(streams), threading.Lock()
    began = time.monotonic()

    def chunk(number: int) -> None:
        started = time.monotonic()
        try:
            status = _until_done(
                service, service.submit(uploads[number % len(uploads)], streamer=f"s{number % streams}")
            )
            ended = time.monotonic()
            problem = _problem(status, strict=strict)
        except Exception as error:  # noqa: BLE001 - whatever a stream meets has lost its chunk
            problem = repr(error)
        with lock:
            if problem is None:
                found.seconds[number] = ended - started
                found.sources[status["result"]["summary_source"]] += 1
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


def _until_done(service: Stack, task_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + 2 * EVERY_S
    while time.monotonic() < deadline:
        answer = requests.get(f"{service.url}/summarize/status/{task_id}", params={"wait": WAIT_S}, timeout=2 * WAIT_S)
        status: dict[str, Any] = answer.json()
        if status["status"] in ("done", "error"):
            return status
    return {"status": "error", "error": "not done in a minute"}


def _problem(status: dict[str, Any], *, strict: bool) -> str | None:
    """Why this chunk counts as lost; None where it does not. strict: so does one that the model did not summarise."""
    if status["status"] != "done":
        return str(status.get("error"))
    if not status["result"]["text"]:
        return "no words"
    source = status["result"]["summary_source"]
    return f"summary by {source}" if strict and source == "extractive" else None
