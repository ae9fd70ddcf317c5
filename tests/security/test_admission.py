"""A flood of uploads against the real API: some are taken, the rest is refused cleanly, the disk keeps its floor."""

import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.support.media import plain_wav, tone
from tests.support.stack import FIELDS, Stack, stack, until

#: 30 s as the extension sends them, 2.6 MB.
CHUNK = plain_wav(tone(30.0, 44_100))
#: What the flood may take of the disk.
ROOM_BYTES = 20_000_000
FLOOD = 60


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """On a disk in memory where there is one: nobody else fills or empties it meanwhile."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or shutil.disk_usage(memory).free < 4 * ROOM_BYTES:
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as made:
        yield Path(made)


def refused_cleanly(response: requests.Response) -> bool:
    """Whether an old client reads an error, and a new one when to try again."""
    body = response.json()
    assert body["status"] == "error" and body["error"] and body["message"] and body["code"]
    assert int(response.headers["Retry-After"]) > 0
    return (response.status_code, body["code"]) in ((429, "too_busy"), (503, "storage_full"))


def audio_bytes(service: Stack) -> int:
    total = 0
    for file in service.audio_files:
        try:
            total += file.stat().st_size
        except FileNotFoundError:
            continue
    return total


def test_a_flood_is_taken_in_part_refused_in_part_and_leaves_the_disk_its_floor(folder: Path) -> None:
    # Given an API that takes 8 uploads at once, and a disk on which the flood may take 20 MB
    floor_mb = (shutil.disk_usage(folder).free - ROOM_BYTES) // 1_000_000
    with stack(folder, MAX_UPLOADS="8", MIN_FREE_DISK_MB=str(floor_mb)) as service:
        service.start_api()
        most, done = [0], threading.Event()

        def watch() -> None:
            while not done.wait(0.005):
                most[0] = max(most[0], audio_bytes(service))

        watcher = threading.Thread(target=watch)
        watcher.start()
        # When 60 chunks come at once, half of them without a length
        with ThreadPoolExecutor(FLOOD) as callers:
            answers = list(callers.map(lambda number: post(service, with_length=number % 2 == 0), range(FLOOD)))
        done.set()
        watcher.join()
        # Expect some to be taken, and the rest to be refused with a sentence
        taken = [answer.json()["task_id"] for answer in answers if answer.status_code == 200]
        rest = [answer for answer in answers if answer.status_code != 200]
        assert taken and rest
        assert all(refused_cleanly(answer) for answer in rest)
        print(Counter(answer.status_code for answer in answers), f"{most[0] / 1e6:.1f} MB at most")
        # Expect the floor to be kept at any time, and no file but those of the jobs
        assert most[0] <= ROOM_BYTES + 1_000_000
        assert len(service.audio_files) == len(taken)
        # Expect those that were taken to end, and the door to be open again
        service.start_worker(name="transcribe")
        service.start_worker(name="summarise", queues="summarise", pool="threads")
        for task_id in taken:
            assert service.finished(task_id, within_s=240)["status"] == "done"
        until(lambda: not service.audio_files, within_s=30, what="no file is left")
        assert service.post(CHUNK).status_code == 200


def post(service: Stack, *, with_length: bool) -> requests.Response:
    prepared = requests.Request("POST", f"{service.url}/summarize/", data=FIELDS, files={"audio": CHUNK}).prepare()
    body = prepared.body
    assert isinstance(body, bytes)
    if not with_length:
        prepared = requests.Request(
            "POST",
            f"{service.url}/summarize/",
            data=(body[start : start + 100_000] for start in range(0, len(body), 100_000)),
            headers={"Content-Type": prepared.headers["Content-Type"]},
        ).prepare()
    with requests.Session() as session:
        return session.send(prepared, timeout=120)


def test_live_chunks_that_wait_too_long_close_the_door_until_somebody_takes_them(tmp_path: Path) -> None:
    with stack(tmp_path, MAX_LIVE_WAIT_S="2") as service:
        service.start_api()
        first = service.submit(CHUNK)
        # When nobody takes the first chunk, expect the next ones to be refused, and nothing to be kept of them
        until(lambda: service.post(CHUNK).status_code == 429, within_s=60, what="uploads are refused")
        kept = len(service.audio_files)
        refused = service.post(CHUNK)
        assert refused_cleanly(refused) and refused.json()["code"] == "too_busy"
        assert len(service.audio_files) == kept
        # A poll is answered all the same
        assert service.status(first)["status"] == "pending"
        # When a worker takes them, expect the door to open
        service.start_worker(name="transcribe")
        until(lambda: service.post(CHUNK).status_code == 200, within_s=120, what="uploads are accepted again")
