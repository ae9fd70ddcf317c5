"""Ordinary load: posts chunks and recordings, polls each until it ends, and writes everything into the ledger."""

import contextlib
import random
import threading
import time
from collections import Counter
from typing import Any, Self

import requests

from tests.chaos.ledger import Ledger
from tests.chaos.service import Service
from tests.chaos.sounds import sound

FIELDS = {"streamer": "Zoë", "language": "en", "game": "Chess", "time": "00:01:30", "title": "Finale"}
#: Between two polls of all open jobs, in seconds.
POLL_EVERY_S = 0.5
#: Longer than any answer may take; a frozen process does not answer at all.
ANSWER_S = 10.0


class Load:
    """Keeps `in_flight` jobs in work while its block runs; `drain` waits for the rest.

    recordings: the share of uploads that are cut into parts. Upload answers other than 200 are counted by status
    in `refused`, broken connections under 0: those were never accepted.
    """

    def __init__(
        self, service: Service, ledger: Ledger, *, in_flight: int, seed: int = 1, recordings: float = 0.05
    ) -> None:
        self.refused: Counter[int] = Counter()
        self._service, self._ledger = service, ledger
        self._in_flight, self._recordings = in_flight, recordings
        self._chance = random.Random(seed)
        self._posting, self._polling = threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=self._post_all), threading.Thread(target=self._poll_all)]

    def __enter__(self) -> Self:
        self._posting.set()
        self._polling.set()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._posting.clear()
        self._polling.clear()
        for thread in self._threads:
            thread.join()

    def stop_posting(self) -> None:
        self._posting.clear()

    def drain(self, within_s: float) -> None:
        """Post nothing more, and wait until all that was accepted has ended, for so long."""
        self._posting.clear()
        deadline = time.monotonic() + within_s
        while self._ledger.open and time.monotonic() < deadline:
            time.sleep(0.2)

    def read_all_again(self) -> None:
        """Once more what every job answers: a final answer has to be the same."""
        with requests.Session() as session:
            for task_id in self._ledger.ids:
                self._poll(session, task_id)

    def _post_all(self) -> None:
        with requests.Session() as session:
            while self._posting.is_set():
                if len(self._ledger.open) >= self._in_flight:
                    time.sleep(0.05)
                    continue
                self._post(session)

    def _post(self, session: requests.Session) -> None:
        is_long = self._chance.random() < self._recordings
        data = sound(8.0 if is_long else self._chance.choice((1.0, 1.0, 2.0)))
        try:
            answer = session.post(
                f"{self._any_api()}/summarize/", data=FIELDS, files={"audio": ("chunk.wav", data)}, timeout=ANSWER_S
            )
        except requests.RequestException:
            self.refused[0] += 1
            time.sleep(0.1)
            return
        if answer.status_code == 200:
            self._ledger.accepted(answer.json()["task_id"])
        else:
            self.refused[answer.status_code] += 1
            time.sleep(0.3)

    def _poll_all(self) -> None:
        with requests.Session() as session:
            while self._polling.is_set():
                for task_id in self._ledger.open:
                    self._poll(session, task_id)
                time.sleep(POLL_EVERY_S)

    def _poll(self, session: requests.Session, task_id: str) -> None:
        with contextlib.suppress(requests.RequestException):
            answer = session.get(f"{self._any_api()}/summarize/status/{task_id}", timeout=ANSWER_S)
            if answer.status_code < 500:
                self._ledger.seen(task_id, answer.status_code, answer.json())

    def _any_api(self) -> str:
        alive = [api for api in self._service.apis if api.is_running] or self._service.apis
        return f"http://127.0.0.1:{self._chance.choice(alive).port}"


def submit(service: Service, ledger: Ledger, data: bytes, **fields: str) -> str:
    """One upload that has to be accepted; its id."""
    files = {"audio": ("chunk.wav", data)}
    answer = requests.post(f"{service.url}/summarize/", data=FIELDS | fields, files=files, timeout=60)
    assert answer.status_code == 200, answer.text
    task_id = str(answer.json()["task_id"])
    ledger.accepted(task_id)
    return task_id


def status(service: Service, ledger: Ledger, task_id: str) -> dict[str, Any]:
    """What a poll answers now; the ledger hears of it."""
    answer = requests.get(f"{service.url}/summarize/status/{task_id}", timeout=60)
    body = dict(answer.json())
    ledger.seen(task_id, answer.status_code, body)
    return body


def wait_for_all(service: Service, ledger: Ledger, within_s: float) -> None:
    """Until all that was accepted has ended, for so long; what has not is the ledger's to judge."""
    deadline = time.monotonic() + within_s
    while ledger.open and time.monotonic() < deadline:
        for task_id in ledger.open:
            status(service, ledger, task_id)
        time.sleep(POLL_EVERY_S)
