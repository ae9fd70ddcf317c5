"""Row 7: the queue is away, or there and mute: uploads are refused in time and leave nothing, polls are answered."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import requests

from tests.chaos import journal
from tests.chaos.figures import Figure, all_of, none_of, worst_time
from tests.chaos.form import Form
from tests.chaos.load import FIELDS
from tests.chaos.service import Service, service
from tests.chaos.sounds import sound

POST_S, POLL_S = 5.0, 3.0


def run(form: Form, folder: Path) -> list[Figure]:
    tries = 3 if form.quick else 10
    posts: list[tuple[requests.Response, float]] = []
    polls: list[tuple[requests.Response, float]] = []
    with service(folder, MAINTENANCE_INTERVAL_S="0.5") as running:
        running.add_api()
        running.wait_until_ready()
        # A poll of a waiting job asks the row alone; one of a job in work asks the queue's server too.
        in_work = _post(running).json()["task_id"]
        journal.pretend_in_work(running.database, in_work)
        files, rows = len(running.audio_files), len(journal.unfinished(running.database))
        for away, back in _absences(running):
            away()
            for _ in range(tries):
                posts.append(_timed(lambda: _post(running)))
                polls.append(_timed(lambda: _poll(running, in_work)))
            back()
            form.progress(f"{len(posts)} uploads refused")
        left = len(running.audio_files) - files + len(journal.unfinished(running.database)) - rows
        accepted, accepted_after_s = _timed(lambda: _post_until_accepted(running))
    refused = [answer for answer, _ in posts if answer.status_code == 503 and answer.headers.get("Retry-After")]
    told = [answer for answer, _ in polls if answer.status_code == 200 and answer.json()["status"] == "processing"]
    return [
        all_of("7", "uploads answered 503 with Retry-After while the queue is away or mute", len(refused), len(posts)),
        worst_time("7", "that answer", [taken for _, taken in posts], POST_S, quick=form.quick),
        none_of("7", "rows and files left behind", left, len(posts)),
        all_of("7", "polls answered 200 from the row", len(told), len(polls)),
        worst_time("7", "that answer to a poll", [taken for _, taken in polls], POLL_S, quick=form.quick),
        all_of("7", "uploads accepted after its return", int(accepted.status_code == 200), 1),
        worst_time("7", "until one is accepted again", [accepted_after_s], POST_S, quick=form.quick),
    ]


def _absences(running: Service) -> list[tuple[Callable[[], None], Callable[[], None]]]:
    """How it goes away, and how it comes back."""
    queue = running.queue
    return [
        (queue.stop, queue.start),
        (lambda: os.kill(queue.pid, signal.SIGSTOP), lambda: os.kill(queue.pid, signal.SIGCONT)),
    ]


def _post(running: Service) -> requests.Response:
    files = {"audio": ("chunk.wav", sound())}
    return requests.post(f"{running.url}/summarize/", data=FIELDS, files=files, timeout=60)


def _post_until_accepted(running: Service) -> requests.Response:
    """Ask again and again, as nothing is sent in the first second after an outage."""
    give_up = time.monotonic() + 30
    while (answer := _post(running)).status_code == 503 and time.monotonic() < give_up:
        time.sleep(0.1)
    return answer


def _poll(running: Service, task_id: str) -> requests.Response:
    return requests.get(f"{running.url}/summarize/status/{task_id}", timeout=60)


def _timed(ask: Callable[[], requests.Response]) -> tuple[requests.Response, float]:
    began = time.monotonic()
    answer = ask()
    return answer, time.monotonic() - began
