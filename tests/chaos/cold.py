"""Row 12: a model that is not in memory, and takes minutes to get there: nobody loses anything by it."""

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.chaos import journal
from tests.chaos.figures import Figure, all_of, none_of, worst_time
from tests.chaos.form import Form
from tests.chaos.ledger import Ledger
from tests.chaos.load import status, submit
from tests.chaos.service import REAL, Service, service
from tests.chaos.sounds import sound
from tests.support.model_server import ModelServer, Reply

#: How long the model takes to load, in seconds: the 300 that are promised, less what asking for it takes.
LOAD_S = 295.0
#: A live chunk has its summary by then, from the model or not.
LIVE_DEADLINE_S = 25.0
#: Workers and API remember their looks at the model server for 10 s and 5 s.
SEEN_AFTER_S = 20.0
LOOK_S = 0.5


@dataclass(slots=True)
class Watched:
    """What polls and looks at readiness found.

    ended: each job's last answer, and the seconds until it came. ready: what readiness said while the model loaded.
    """

    ended: dict[str, tuple[dict[str, Any], float]] = field(default_factory=dict)
    ready: list[str] = field(default_factory=list)

    def source(self, task_id: str) -> str:
        """Who wrote a job's summary."""
        body, _ = self.ended.get(task_id, ({}, 0.0))
        return str((body.get("result") or {}).get("summary_source"))

    def seconds(self, task_id: str) -> float:
        return self.ended.get(task_id, ({}, float("inf")))[1]


def run(form: Form, folder: Path) -> list[Figure]:
    loading = threading.Event()

    def load(reply: Reply) -> None:
        loading.set()
        reply.hold(LOAD_S)
        loading.clear()
        server.loaded = True
        reply.json(200, {"done": True, "done_reason": "load"})

    settings = {"SUMMARIZER": "ollama", "LIVE_MAX_S": "3", "LIVE_DEADLINE_S": str(LIVE_DEADLINE_S)}
    with (
        ModelServer(loaded=False) as server,
        service(folder, OLLAMA_URL=server.url, **settings) as running,
        Ledger(folder / "ledger.jsonl") as ledger,
    ):
        server.on_load = load
        running.add_api()
        running.add_worker("listener", "solo", "live,long", app=REAL)
        running.add_worker("writer", "threads", "summarise", app=REAL, concurrency=4)
        running.wait_until_ready()
        live, recording = submit(running, ledger, sound(2)), submit(running, ledger, sound(8))
        seen = _watch(form, running, ledger, [live, recording], loading)
        verdict = ledger.judge(journal.read(running.database))
    by_model = seen.source(recording) == "ollama"
    warming = sum(answer == "warming" for answer in seen.ready)
    harm = verdict.lost + verdict.twice + verdict.changed + verdict.wrong
    return [
        all_of("12", f"recordings with the model's summary though it loads for {LOAD_S:.0f} s", int(by_model), 1),
        all_of("12", "looks at readiness that say warming while it loads", warming, len(seen.ready)),
        worst_time(
            "12",
            "a live chunk is done while it loads",
            [seen.seconds(live)],
            LIVE_DEADLINE_S,
            quick=form.quick,
            note=f"summary: {seen.source(live)}",
        ),
        none_of("12", "jobs lost, changed, doubled or failed by it", len(harm), 2),
    ]


def _watch(form: Form, running: Service, ledger: Ledger, asked: list[str], loading: threading.Event) -> Watched:
    """Until all have ended, or should have."""
    seen, began = Watched(), time.monotonic()
    while len(seen.ended) < len(asked) and time.monotonic() - began < LOAD_S + 60:
        since_s = time.monotonic() - began
        for task_id in asked:
            body = status(running, ledger, task_id)
            if task_id not in seen.ended and body["status"] in ("done", "error"):
                seen.ended[task_id] = (body, since_s)
        answer = str(requests.get(f"{running.url}/health/ready", timeout=30).json().get("status"))
        if since_s > SEEN_AFTER_S and loading.is_set():
            seen.ready.append(answer)
        form.progress(f"{since_s:.0f} s: readiness says {answer}, {len(seen.ended)} of {len(asked)} done")
        time.sleep(LOOK_S)
    return seen
