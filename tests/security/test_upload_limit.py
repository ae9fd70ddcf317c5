"""An upload over the limit costs neither memory nor disk, whether it says its length or not."""

import http.client
import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.forms import BOUNDARY, upload_body
from tests.support.media import plain_wav, tone
from tests.support.stack import Stack, stack, until

CHUNK = plain_wav(tone(1.0, 8_000), 8_000)
LIMIT_MB = 20
SENT_MB = 200
AT_ONCE = 3
HEAD = upload_body(CHUNK).partition(b"\r\n--" + BOUNDARY.encode() + b"--")[0]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Stack]:
    with stack(tmp_path, MAX_UPLOAD_MB=str(LIMIT_MB)) as made:
        yield made


def too_much() -> Iterator[bytes]:
    """A form whose file is of `SENT_MB`, made as it is sent."""
    yield HEAD
    for _ in range(SENT_MB):
        yield bytes(1_000_000)


def post(port: int, *, says_length: bool) -> tuple[int, str]:
    """Send all of it, whatever comes back meanwhile; the status and the code of the answer."""
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    if says_length:
        headers["Content-Length"] = str(len(HEAD) + SENT_MB * 1_000_000)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("POST", "/summarize/", too_much(), headers, encode_chunked=not says_length)
        response = connection.getresponse()
        return response.status, json.loads(response.read())["code"]
    finally:
        connection.close()


@pytest.mark.skipif(sys.platform == "win32", reason="resident memory is counted otherwise there")
@pytest.mark.parametrize("says_length", [True, False], ids=["with a length", "without a length"])
def test_an_upload_over_the_limit_takes_no_memory(small: Stack, says_length: bool) -> None:
    api = psutil.Process(small.start_api().pid)
    assert small.post(CHUNK).status_code == 200
    before = api.memory_info().rss
    peak, done = [before], threading.Event()
    answers: list[tuple[int, str]] = []

    def watch() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], api.memory_info().rss)

    def send() -> None:
        answers.append(post(small.port, says_length=says_length))

    watcher = threading.Thread(target=watch)
    senders = [threading.Thread(target=send) for _ in range(AT_ONCE)]
    watcher.start()
    began = time.monotonic()
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    done.set()
    watcher.join()

    growth_mb = (peak[0] - before) / 2**20
    print(
        f"row 13: {AT_ONCE} uploads of {SENT_MB} MB over the limit of {LIMIT_MB} MB, "
        f"{'with' if says_length else 'without'} a length: refused in {time.monotonic() - began:.1f} s, "
        f"memory grew by {growth_mb:.1f} MiB"
    )
    assert answers == [(413, "audio_too_large")] * AT_ONCE
    assert growth_mb < 20
    until(lambda: len(small.audio_files) == 1, within_s=10, what="nothing is kept but what was accepted")
