"""Calls a running service over HTTP for the command line: sends a file, waits for its job, fetches its text."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import requests

from streametrics.errors import StreametricsError, UsageError

#: Bytes that are handed to the connection at once.
_PIECE_BYTES = 1 << 16
#: Of a connection, and of an answer, in seconds. A server that is busy says so at once.
_TIMEOUT_S = (10.0, 120.0)
#: For how long a service that is away or busy is tried again, in seconds.
PATIENCE_S = 120.0
#: The longest wait for a change of a job's status, in seconds, as the service allows it.
_LONG_POLL_S = 25


class ServiceRefused(StreametricsError):
    """The service did not take the request."""


class ServiceClient:
    """A service at one address. key: of the scope `submit`, where the service has keys."""

    def __init__(self, url: str, key: str = "", *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._url = url.rstrip("/")
        self._sleep = sleep
        self._has_answered = False
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy of the outside world's knows no service on this machine
        if key:
            self._session.headers["X-API-Key"] = _sendable(key)

    def send(self, file: Path, fields: Mapping[str, str], on_sent: Callable[[int], object]) -> str:
        """Send a file to `POST /v1/jobs`; returns the job's id.

        on_sent: called with the bytes that go out. A call that was cut off is repeated: its Idempotency-Key keeps the
        service from doing the work twice. Raises ServiceRefused.
        """
        key = str(uuid.uuid4())

        def post() -> requests.Response:
            with file.open("rb") as opened:
                form = _Form(opened, file, fields, on_sent)
                headers = {"Content-Type": form.content_type, "Idempotency-Key": key}
                return self._session.post(
                    f"{self._url}/v1/jobs",
                    data=form,
                    headers=headers,
                    timeout=_TIMEOUT_S,
                    allow_redirects=False,
                )

        return str(_json(self._repeated(post))["id"])

    def wait(self, job_id: str, on_progress: Callable[[int], object]) -> list[str]:
        """Wait until the job has ended; returns what a reader should know beside its text.

        on_progress: called with per cent. Raises ServiceRefused where it failed.
        """
        path = f"/v1/jobs/{job_id}"
        while True:
            job = _json(self._get(path))
            path = f"/v1/jobs/{job_id}?wait={_LONG_POLL_S}"
            on_progress(int(job["progress"]))
            if job["status"] in ("failed", "cancelled"):
                raise ServiceRefused(job["error"]["detail"])
            if job["status"] == "completed":
                return [str(each["message"]) for each in job["warnings"]]

    def text(self, job_id: str, what: str, output: str) -> str:
        """Fetch a job's `transcript` or `summary` in a format of that route. Raises ServiceRefused."""
        answer = self._get(f"/v1/jobs/{job_id}/{what}?format={output}")
        answer.encoding = "utf-8"
        return answer.text

    def _get(self, path: str) -> requests.Response:
        return self._repeated(lambda: self._session.get(self._url + path, timeout=_TIMEOUT_S, allow_redirects=False))

    def _repeated(self, call: Callable[[], requests.Response]) -> requests.Response:
        """Call until the service answers with more than that it is away or busy. Raises ServiceRefused."""
        ends_at = time.monotonic() + PATIENCE_S
        while True:
            try:
                answer = call()
            except (requests.ConnectionError, requests.Timeout) as error:
                # One that has answered before is being started again; of one that has not the address is wrong.
                if time.monotonic() > ends_at or not self._has_answered:
                    raise self._away() from error
                self._sleep(2)
                continue
            except requests.RequestException as error:
                raise ServiceRefused(f"{self._url} is no address of a service: see --url.") from error
            self._has_answered = True
            if answer.status_code in (429, 503) and time.monotonic() < ends_at:
                self._sleep(_wait_s(answer.headers.get("Retry-After", "")))
                continue
            if not answer.ok:
                raise ServiceRefused(_sentence(answer, self._url))
            return answer

    def _away(self) -> ServiceRefused:
        return ServiceRefused(
            f"No service answers at {self._url}: start it with ./start.sh, or name another with --url."
        )


class _Form:
    """A multipart form around a file, which is read while it is sent: it may be larger than memory."""

    def __init__(
        self, opened: IO[bytes], file: Path, fields: Mapping[str, str], on_sent: Callable[[int], object]
    ) -> None:
        boundary = uuid.uuid4().hex
        self.content_type = f"multipart/form-data; boundary={boundary}"
        texts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        ]
        name = "".join(letter if letter.isprintable() and letter not in '"\\' else "_" for letter in file.name)
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="audio"; filename="{name}"\r\n\r\n'
        self._head = "".join([*texts, head]).encode()
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self._opened = opened
        self._on_sent = on_sent
        self._length = len(self._head) + file.stat().st_size + len(self._tail)

    def __len__(self) -> int:
        """The bytes of the whole form, for `Content-Length`."""
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        """Yield the pieces; `requests` sends a body with this as it is read, and not whole."""
        return iter(self.read, b"")

    def read(self, size: int = -1) -> bytes:
        """Read the next piece; empty at the end. `requests` hands it to the connection."""
        if self._head:
            piece, self._head = self._head, b""
            return piece
        piece = self._opened.read(_PIECE_BYTES if size < 0 else size)
        if piece:
            self._on_sent(len(piece))
            return piece
        piece, self._tail = self._tail, b""
        return piece


def _sendable(key: str) -> str:
    """Check that a key can stand in a header. Raises UsageError."""
    key = key.strip()
    if not key.isascii() or not key.isprintable():
        raise UsageError("The key holds characters that no key has: see --key and STREAMETRICS_KEY.")
    return key


def _wait_s(retry_after: str) -> float:
    return min(30.0, float(retry_after)) if retry_after.isdecimal() else 5.0


def _json(answer: requests.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ServiceRefused("What answers there is no service of this kind: see --url.")
    return found


def _sentence(answer: requests.Response, url: str) -> str:
    """Find what the service says of a refusal."""
    try:
        said = answer.json()
    except ValueError:
        said = None
    detail = said.get("detail") or said.get("error") if isinstance(said, dict) else None
    if isinstance(detail, str):
        return detail
    return f"What answers at {url} is no service of this kind (status {answer.status_code}): see --url."
