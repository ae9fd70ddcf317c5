"""Calls to an address that a stranger named: to a public address alone, and to the very one that was checked.

A name is resolved once, every address of it is checked, and the connection goes to one of these; so a resolver that
answers differently the second time is never asked a second time. Redirects are not followed: they are the answer.
Proxies of the environment are not used: they would do the connecting, unchecked.
"""

import contextlib
import http.client
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from streametrics.errors import StreametricsError
from streametrics.net.addresses import is_address, is_public

#: Where web servers listen. Others would let a URL talk to mail servers, queues and databases.
PORTS = frozenset({80, 443, 8080, 8443})
LONGEST_URL = 2000
CONNECT_TIMEOUT_S = 5.0
#: Addresses of one name that are tried.
_MAX_TRIES = 2

#: What stands in an address as it is sent: printable ASCII, no backslash, quotes or white space.
_URL = re.compile(r"https?://[!#-;=?-\[\]_a-z~]+", re.ASCII | re.IGNORECASE)
_NAME = re.compile(r"(?=.{4,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
#: Names that mean this machine or this network, whatever a resolver says.
_LOCAL_NAMES = re.compile(
    r".*\.(?:localhost|localdomain|local|internal|intranet|lan|home|corp|private|arpa|onion|test)"
)


class TargetRefused(StreametricsError):
    """This address may not be called: it has to be http:// or https:// and a public host."""

    code, status = "target_refused", 422


class TargetUnreachable(StreametricsError):
    """The address does not answer."""

    code, status = "target_unreachable", 502


@dataclass(frozen=True, slots=True)
class Target:
    """A checked URL. `host` is what its certificate and its Host header name."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def host_header(self) -> str:
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return shown if self.port == {"http": 80, "https": 443}[self.scheme] else f"{shown}:{self.port}"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; a redirect is a reply like any other."""

    status: int
    body: bytes


def resolve(host: str, port: int) -> list[str]:
    """Every address of a name, by the system's resolver."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass(frozen=True)
class OutgoingClient:
    """Sends to strangers' addresses. Thread-safe. limit_s: for all of a call, with resolving and answer.

    resolve and is_allowed are there for tests: whoever replaces the second opens the door.
    """

    limit_s: float = 10.0
    max_answer_bytes: int = 64_000
    ports: frozenset[int] = PORTS
    resolve: Callable[[str, int], list[str]] = resolve
    is_allowed: Callable[[str], bool] = is_public
    tls: ssl.SSLContext = field(default_factory=lambda: ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH))

    def check(self, url: str) -> Target:
        """The URL's parts. Looks at its text alone; names are resolved by the call. Raises TargetRefused."""
        if len(url) > LONGEST_URL or not _URL.fullmatch(url):
            raise TargetRefused("This is no http:// or https:// address, or holds characters that have to be escaped.")
        try:
            parts = urlsplit(url)
            port = {"http": 80, "https": 443}[parts.scheme] if parts.port is None else parts.port
        except ValueError as error:
            raise TargetRefused("This address is damaged.") from error
        if "@" in parts.netloc:
            raise TargetRefused("An address with a user's name or password is not called.")
        if port not in self.ports or parts.netloc.endswith(":"):
            raise TargetRefused(f"Only the ports {', '.join(map(str, sorted(self.ports)))} are called.")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return Target(parts.scheme, self._host(parts.hostname or ""), port, path)

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Send a body. Raises TargetRefused before anything is connected, TargetUnreachable for all that breaks."""
        deadline = time.monotonic() + self.limit_s
        target = self.check(url)
        addresses = self._addresses(target)
        try:
            with self._connected(target, addresses, deadline) as connection, _cut_off_at(connection.sock, deadline):
                sent = {name: value for name, value in headers.items() if name.lower() != "host"}
                connection.request("POST", target.path, body=body, headers={"Host": target.host_header, **sent})
                response = connection.getresponse()
                answer = response.read(self.max_answer_bytes + 1)
        except (OSError, http.client.HTTPException) as error:
            raise TargetUnreachable(f"{target.host} does not answer: {error}") from error
        if len(answer) > self.max_answer_bytes or time.monotonic() > deadline:
            raise TargetUnreachable(f"{target.host} answers more, or more slowly, than is read.")
        return Reply(response.status, answer)

    def _host(self, host: str) -> str:
        """A name, or an address in its one canonical form: not in decimal, octal, hexadecimal or shortened."""
        host = host.lower()
        if is_address(host):
            if not self.is_allowed(host):
                raise TargetRefused
            return host
        if not _NAME.fullmatch(host) or host.rpartition(".")[2].isdigit() or "0x" in host.rpartition(".")[2]:
            raise TargetRefused
        if _LOCAL_NAMES.fullmatch(host):
            raise TargetRefused
        return host

    def _addresses(self, target: Target) -> list[str]:
        """The target's addresses, each allowed. One that is not refuses them all: such a name is nobody's by chance."""
        if is_address(target.host):
            return [target.host]
        found: list[str] = []

        def look() -> None:
            with contextlib.suppress(OSError, UnicodeError):
                found.extend(self.resolve(target.host, target.port))

        # The system's resolver knows no time limit of ours.
        resolving = threading.Thread(target=look, daemon=True)
        resolving.start()
        resolving.join(min(CONNECT_TIMEOUT_S, self.limit_s))
        addresses = list(dict.fromkeys(found))
        if not addresses:
            raise TargetUnreachable(f"The name {target.host} is not known.")
        if not all(self.is_allowed(address) for address in addresses):
            raise TargetRefused
        return addresses[:_MAX_TRIES]

    @contextlib.contextmanager
    def _connected(self, target: Target, addresses: list[str], deadline: float) -> Iterator[http.client.HTTPConnection]:
        connection = http.client.HTTPConnection(target.host, target.port)
        plain = _connect(addresses, target.port, deadline)
        try:
            connection.sock = plain
            if target.scheme == "https":
                secure = self.tls.wrap_socket(plain, server_hostname=target.host, do_handshake_on_connect=False)
                connection.sock = secure
                with _cut_off_at(secure, deadline):
                    secure.do_handshake()
            # It has a connection, and must never make another by itself.
            connection.auto_open = 0
            yield connection
        finally:
            connection.close()
            plain.close()


def _connect(addresses: list[str], port: int, deadline: float) -> socket.socket:
    failure: OSError = TimeoutError("no time left")
    for address in addresses:
        left_s = min(CONNECT_TIMEOUT_S, deadline - time.monotonic())
        if left_s <= 0:
            break
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        made = socket.socket(family, socket.SOCK_STREAM)
        made.settimeout(left_s)
        try:
            # An address, so nothing is resolved here.
            made.connect((address, port))
        except OSError as error:
            made.close()
            failure = error
        else:
            made.settimeout(max(0.001, deadline - time.monotonic()))
            return made
    raise failure


@contextlib.contextmanager
def _cut_off_at(connected: socket.socket, deadline: float) -> Iterator[None]:
    """Hang up at the deadline, whatever trickles in until then."""

    def hang_up() -> None:
        with contextlib.suppress(OSError):
            # Of the socket below TLS, whose own method would pull the session from under the thread that reads.
            socket.socket.shutdown(connected, socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, deadline - time.monotonic()), hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
