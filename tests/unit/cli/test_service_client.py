"""The command line's client: what it repeats, and what it never does twice."""

import json
import threading
from collections.abc import Iterator
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from streametrics.cli.service_client import ServiceClient, ServiceRefused


class Server:
    """Answers with a status and a body, one after another, and keeps what came. None breaks the connection off."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any, dict[str, str]] | None] = []
        self.seen: list[tuple[str, dict[str, str], bytes]] = []

    def handler(self) -> type[BaseHTTPRequestHandler]:
        script, seen = self.answers, self.seen

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                seen.append((self.path, dict(self.headers), body))
                answer = script.pop(0)
                if answer is None:
                    self.connection.close()
                    return
                status, found, headers = answer
                data = found if isinstance(found, bytes) else json.dumps(found).encode()
                self.send_response(status)
                for name, value in (headers | {"Content-Length": str(len(data))}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@pytest.fixture
def server() -> Iterator[tuple[Server, str]]:
    script = Server()
    with ThreadingHTTPServer(("127.0.0.1", 0), script.handler()) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield script, f"http://127.0.0.1:{running.server_port}"
        finally:
            running.shutdown()
            thread.join()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / 'a "quoted"\n.wav'
    path.write_bytes(b"sound" * 50_000)
    return path


def test_a_call_that_is_cut_off_or_refused_for_now_is_repeated_with_its_key(
    server: tuple[Server, str], file: Path
) -> None:
    script, url = server
    busy = (503, {"detail": "Busy."}, {"Retry-After": "7"})
    script.answers.extend([busy, None, (202, {"id": "job"}, {})])
    waits: list[float] = []
    sent: list[int] = []
    client = ServiceClient(url, "sm_key", sleep=waits.append)
    assert client.send(file, {"title": "Zoé"}, sent.append) == "job"
    assert waits == [7, 2]
    # Expect the same call three times, each whole
    keys = {headers["Idempotency-Key"] for _, headers, _ in script.seen}
    assert (len(script.seen), len(keys)) == (3, 1)
    assert {(path, headers["X-API-Key"]) for path, headers, _ in script.seen} == {("/v1/jobs", "sm_key")}
    assert sum(sent) == 3 * file.stat().st_size
    _, headers, body = script.seen[-1]
    form = BytesParser().parsebytes(f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode() + body)
    parts = [part.get_payload(decode=True) for part in form.get_payload()]  # type: ignore[union-attr]
    assert parts == ["Zoé".encode(), file.read_bytes()]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((422, {"detail": "The field 'x' is wrong."}, {}), "The field 'x' is wrong."),
        ((401, {"error": "A key is wanted."}, {}), "A key is wanted."),
        ((404, b"<html>", {}), "no service of this kind"),
        ((200, b"<html>", {}), "no service of this kind"),
        ((302, b"", {"Location": "http://127.0.0.1:1/"}), "no service of this kind"),
    ],
)
def test_a_refusal_is_one_sentence(
    answer: tuple[int, Any, dict[str, str]], told: str, server: tuple[Server, str], file: Path
) -> None:
    script, url = server
    script.answers.append(answer)
    with pytest.raises(ServiceRefused, match=told):
        ServiceClient(url).send(file, {}, lambda _: None)
