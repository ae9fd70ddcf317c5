"""Slow clients against the real process: they are cut in time, and nobody else notices them."""

import resource
import selectors
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest
import requests

from tests.support.forms import BOUNDARY, upload_body
from tests.support.media import plain_wav, tone
from tests.support.stack import Stack

pytestmark = pytest.mark.alone

CHUNK = plain_wav(tone(1.0, 8_000), 8_000)
SLOW_CLIENTS = 400
CUT_WITHIN_S = 20.0


def request_head(length: int) -> bytes:
    """The head of an upload of so many bytes."""
    return (
        "POST /summarize/ HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {length}\r\n"
    ).encode()


@dataclass(slots=True)
class SlowClient:
    """Sends a beginning, then a few bytes now and then, until it is cut."""

    connection: socket.socket
    trickle: bytes
    opened: float
    cut_after_s: float | None = None
    answer: bytes = b""


#: Half a head; a head that never ends; a body at 100 bytes a second; nothing at all.
KINDS = (
    (b"GET /summarize/status/x HTTP/1.1\r\nHost: loc", b""),
    (b"GET /summarize/status/x HTTP/1.1\r\nHost: localhost\r\n", b"X: y\r\n"),
    (request_head(1_000_000) + b"\r\n" + upload_body(CHUNK)[:2_000], b"\0" * 100),
    (b"", b""),
)


def siege(port: int, stop: threading.Event) -> list[SlowClient]:
    """Open all slow clients, and keep them going until the last one is cut or `stop` is set."""
    looked_at = selectors.DefaultSelector()
    clients: list[SlowClient] = []
    for number in range(SLOW_CLIENTS):
        beginning, trickle = KINDS[number % len(KINDS)]
        connection = socket.create_connection(("127.0.0.1", port), timeout=30)
        client = SlowClient(connection, trickle, time.monotonic())
        connection.sendall(beginning)
        connection.setblocking(False)
        looked_at.register(connection, selectors.EVENT_READ, client)
        clients.append(client)
    trickled_at = time.monotonic()
    while any(client.cut_after_s is None for client in clients) and not stop.is_set():
        for key, _ in looked_at.select(timeout=0.1):
            _read(key.data, looked_at)
        if time.monotonic() - trickled_at >= 1.0:
            trickled_at = time.monotonic()
            for client in clients:
                _trickle(client)
    for client in clients:
        client.connection.close()
    return clients


def _read(client: SlowClient, looked_at: selectors.BaseSelector) -> None:
    try:
        data = client.connection.recv(65_536)
    except ConnectionError:
        data = b""
    client.answer += data
    if not data:
        client.cut_after_s = time.monotonic() - client.opened
        looked_at.unregister(client.connection)


def _trickle(client: SlowClient) -> None:
    if client.trickle and client.cut_after_s is None:
        try:
            client.connection.send(client.trickle)
        except (ConnectionError, BlockingIOError):
            return  # what has happened is seen when it is read


@contextmanager
def in_background(work: threading.Thread) -> Iterator[None]:
    work.start()
    try:
        yield
    finally:
        work.join()


def test_slow_clients_are_cut_and_nobody_else_notices(fresh: Stack) -> None:
    fresh.start_api()
    waiting = fresh.submit(CHUNK)
    stop = threading.Event()
    cut: list[SlowClient] = []
    polite: dict[str, requests.Response] = {}

    def slow_upload() -> None:
        """A bad line, but a client that does what it can: 8 KB a second for 24 s."""

        def pieces() -> Iterator[bytes]:
            body = upload_body(plain_wav(tone(12.0, 8_000), 8_000))
            for start in range(0, len(body), 8_000):
                yield body[start : start + 8_000]
                stop.wait(1.0)

        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        polite["upload"] = requests.post(f"{fresh.url}/summarize/", data=pieces(), headers=headers, timeout=120)

    def long_poll() -> None:
        polite["wait"] = requests.get(f"{fresh.url}/summarize/status/{waiting}", params={"wait": 22}, timeout=120)

    def besiege() -> None:
        cut.extend(siege(fresh.port, stop))

    with ExitStack() as background:
        threads = [threading.Thread(target=work) for work in (slow_upload, long_poll, besiege)]
        for thread in threads:
            background.enter_context(in_background(thread))
        background.callback(stop.set)
        seconds = []
        until = time.monotonic() + 60
        while threads[2].is_alive() and time.monotonic() < until:
            began = time.monotonic()
            assert requests.get(f"{fresh.url}/summarize/status/{waiting}", timeout=30).status_code == 200
            seconds.append(time.monotonic() - began)
            began = time.monotonic()
            assert fresh.post(CHUNK).status_code == 200
            seconds.append(time.monotonic() - began)
        threads[1].join()
        while threads[0].is_alive() and time.monotonic() < until:
            threads[0].join(timeout=1)

    times = [client.cut_after_s for client in cut if client.cut_after_s is not None]
    p95_s = statistics.quantiles(seconds, n=20)[-1]
    print(
        f"row 15: {len(times)} of {SLOW_CLIENTS} slow clients cut after {min(times):.1f} to {max(times):.1f} s; "
        f"p95 of {len(seconds)} other requests {p95_s * 1000:.0f} ms"
    )
    assert len(times) == SLOW_CLIENTS
    assert max(times) <= CUT_WITHIN_S
    assert p95_s < 0.5
    # Expect those who had asked for something to be told why, and those who had not to be told nothing
    assert all(b" 408 " in client.answer for client in cut[::4] + cut[1::4])
    assert all(client.answer == b"" for client in cut[3::4])
    # And those who are only slow, or wait for us, to be served
    assert polite["upload"].status_code == 200, polite["upload"].text
    assert polite["wait"].status_code == 200
    assert polite["wait"].elapsed.total_seconds() > 20


def test_more_connections_than_the_usual_limit_are_served_at_once(fresh: Stack) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 1_100
    if hard < 4 * wanted:
        pytest.skip(f"this system allows {hard} open files at most")
    # Given a system that starts processes with few of them
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        fresh.start_api()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * wanted), hard))
    with ExitStack() as opened:
        opened.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        connections = [
            opened.enter_context(socket.create_connection(("127.0.0.1", fresh.port), timeout=30)) for _ in range(wanted)
        ]
        for connection in connections:
            connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answers = [connection.recv(1_000) for connection in connections]

    assert {answer.split(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 200 OK"}
