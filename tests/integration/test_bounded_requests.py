"""A request is answered as soon as it can be, and holds nothing longer than it needs, against real processes."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
import uvloop

from streametrics.concurrency.background import background_parts
from streametrics.redis.job_versions import JobVersionReader, JobVersionsUnavailable
from tests.support.forms import BOUNDARY, upload_body
from tests.support.media import plain_wav, tone
from tests.support.stack import Stack, redis_server, stack, until

CHUNK = plain_wav(tone(1.0, 8_000), 8_000)
#: What comes at once, in seconds, on a machine that does other things.
AT_ONCE_S = 3.0


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An API that takes one upload at a time, of 5 MB at most."""
    with stack(tmp_path_factory.mktemp("narrow"), MAX_UPLOADS="1", MAX_UPLOAD_MB="5") as running:
        running.start_api()
        yield running


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        yield connection


def upload_head(*more: str) -> bytes:
    lines = (
        "POST /summarize/ HTTP/1.1",
        "Host: localhost",
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}",
        *more,
    )
    return "\r\n".join([*lines, "", ""]).encode()


def response(connection: socket.socket) -> tuple[int, dict[str, object]]:
    """Read one answer, as soon as it is complete."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65_536) or pytest.fail(f"closed after {data!r}")
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    while len(body) < length:
        body += connection.recv(65_536)
    return int(head.split()[1]), json.loads(body)


def closed_after_s(connection: socket.socket) -> float:
    began = time.monotonic()
    try:
        while connection.recv(65_536):
            pass
    except ConnectionResetError:
        pass
    return time.monotonic() - began


@pytest.mark.parametrize("framing", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
def test_a_form_is_complete_at_its_last_boundary(narrow: Stack, framing: str) -> None:
    form = upload_body(CHUNK)
    body = form if "Length" in framing else f"{len(form):x}\r\n".encode() + form + b"\r\n"
    with connected(narrow.port) as connection:
        began = time.monotonic()
        connection.sendall(upload_head(framing) + body)
        status, told = response(connection)
        assert status == 200 and "task_id" in told
        assert time.monotonic() - began < AT_ONCE_S
        # Expect one that sends on behind it to hold no place
        connection.sendall(b"x" * 10 if "Length" in framing else b"a\r\nxxxxxxxxxx\r\n")
        assert narrow.post(CHUNK).status_code == 200
        assert closed_after_s(connection) < 10


@pytest.mark.parametrize("more", [[], ["Connection: close"], ["Expect: 100-continue"]], ids=["", "close", "expect"])
def test_too_long_an_upload_is_refused_before_a_byte_of_it(narrow: Stack, more: list[str]) -> None:
    with connected(narrow.port) as connection:
        began = time.monotonic()
        connection.sendall(upload_head("Content-Length: 6000000", *more))
        status, told = response(connection)
        assert (status, told["code"]) == (413, "audio_too_large")
        assert time.monotonic() - began < AT_ONCE_S
        # And a client that then sends nothing to be let go
        assert closed_after_s(connection) < 10


def test_a_form_that_never_begins_is_too_large_by_what_has_come(narrow: Stack) -> None:
    # Given a body without a length, of lines before the first boundary, which no part and no file counts
    preamble = b"\r\n" * 50_000
    with connected(narrow.port) as connection:
        connection.sendall(upload_head("Transfer-Encoding: chunked"))
        for _ in range(60):
            connection.sendall(f"{len(preamble):x}\r\n".encode() + preamble + b"\r\n")
        status, told = response(connection)
        assert (status, told["code"]) == (413, "audio_too_large")


@pytest.mark.parametrize("size", [65_536, 65_537, 88_000, 250_000])
def test_a_head_is_refused_from_one_byte_over_the_limit_on(narrow: Stack, size: int) -> None:
    head = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n"
    while size - len(head) > 1_300:
        head += b"X-Some: " + b"x" * 1_000 + b"\r\n"
    head += b"X: " + b"x" * (size - len(head) - 7) + b"\r\n\r\n"
    assert len(head) == size
    with connected(narrow.port) as connection:
        connection.sendall(head)
        status, told = response(connection)
        assert status == (200 if size == 65_536 else 431), told
        if status == 431:
            assert told["code"] == "head_too_large"
            assert closed_after_s(connection) < 10


@pytest.mark.parametrize("task_id", ["%00", "a%00b", "%ff", "%ed%a0%80", "x" * 5_000, "%0A", "..%2F"])
def test_an_id_that_can_be_none_is_unknown(narrow: Stack, task_id: str) -> None:
    answers = [
        requests.get(f"{narrow.url}/summarize/status/{task_id}", timeout=10),
        requests.delete(f"{narrow.url}/summarize/{task_id}", timeout=10),
        requests.post(f"{narrow.url}/summarize/{task_id}/resummarize", timeout=10),
    ]
    assert {answer.status_code for answer in answers} == {404}


@pytest.mark.parametrize(
    "body", [b"[" * 15_000, b'{"prompt":' * 1_400, b'{"prompt": "\\ud800"}', b'{"model": "\\u0000"}']
)
def test_json_that_no_job_can_keep_is_refused(narrow: Stack, body: bytes) -> None:
    task_id = narrow.submit(CHUNK)
    answer = requests.post(
        f"{narrow.url}/summarize/{task_id}/resummarize",
        data=body,
        headers={"Content-Type": "application/json"},
        timeout=10,
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_a_connection_that_the_event_loop_has_closed_ends_no_polls(tmp_path: Path) -> None:
    async def test(url: str) -> None:
        reader = JobVersionReader(url)
        await reader.create("job")
        before = await reader.read("job")
        assert before is not None
        # Given connections that uvloop has closed, as it does by itself after a while without a network: from then on
        # it raises RuntimeError over them, which redis-py takes for nobody's error
        for connection in reader._redis.connection_pool._available_connections:
            connection._writer.transport.abort()
        await asyncio.sleep(0.1)
        async with asyncio.timeout(10):
            while True:
                try:
                    assert await reader.read("job") == before
                    break
                except JobVersionsUnavailable:
                    await asyncio.sleep(0.05)
        await reader.close()

    with redis_server(tmp_path) as url:
        uvloop.run(test(url))
    assert background_parts.trouble() == ""


def test_readiness_tells_of_what_runs_in_the_background(narrow: Stack) -> None:
    def checks() -> dict[str, dict[str, object]]:
        return dict(requests.get(f"{narrow.url}/health/ready", timeout=10).json()["checks"])

    until(lambda: checks()["background"] == {"ok": True, "detail": "runs"}, within_s=10, what="all runs")
