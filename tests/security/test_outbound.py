"""Addresses that a stranger could name to make this service call somebody it must not: no connection is made."""

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streametrics.net.addresses import is_public
from streametrics.net.outbound import OutboundClient, TargetRefused, TargetUnreachable

PUBLIC = "93.184.215.14"


class Listener:
    """A server on loopback that counts who comes, and says what it is told to."""

    def __init__(self, answer: Callable[[socket.socket], None] | None = None) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.received: list[bytes] = []
        self._answer = answer
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.received.append(b"")
            with connection:
                try:
                    if self._answer is not None:
                        self._answer(connection)
                except OSError:
                    continue

    def close(self) -> None:
        # Wakes `accept`, which closing alone does not.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(timeout=10)


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


@pytest.fixture
def connects(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """Every address that anything in this process tries to connect to; none is reached."""
    tried: list[tuple[object, ...]] = []

    def connect(self: socket.socket, address: tuple[object, ...]) -> None:
        tried.append(address)
        raise ConnectionRefusedError("not in a test")

    monkeypatch.setattr(socket.socket, "connect", connect)
    return tried


#: What a resolver says to names. The last ones of a list are as good as the first.
NAMES = {
    "public.example": [PUBLIC],
    "loop.example": ["127.0.0.1"],
    "loop6.example": ["::1"],
    "private.example": ["10.1.2.3"],
    "metadata.example": ["169.254.169.254"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "nat64.example": ["64:ff9b::7f00:1"],
    "zone.example": ["fe80::1%eth0"],
    "mixed.example": [PUBLIC, "127.0.0.1"],
    "mixed6.example": [PUBLIC, "fd00::1"],
    "nothing.example": [],
    "nonsense.example": ["not an address"],
    "name.example": ["localhost"],
    "decimal.example": ["2130706433"],
}

FORGED = [
    # IPv4, and what a connecting library would take for it
    "http://127.0.0.1/",
    "http://127.0.0.1:{port}/",
    "http://127.8.9.10/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://0177.0.0.1/",
    "http://017700000001/",
    "http://127.1/",
    "http://127.0.1/",
    "http://0/",
    "http://0.0.0.0:{port}/",
    "http://127.0.0.1./",
    "http://127.0.0.01/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.1.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://100.64.0.1/",
    "http://192.0.0.8/",
    "http://192.0.2.1/",
    "http://192.88.99.1/",
    "http://198.18.0.1/",
    "http://198.51.100.1/",
    "http://203.0.113.1/",
    "http://224.0.0.1/",
    "http://239.255.255.250/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://１２７.0.0.1/",
    # IPv6
    "http://[::1]/",
    "http://[::]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://[64:ff9b:1::1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:7f00:1::]/",
    "http://[2001:db8::1]/",
    "http://[3fff::1]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fec0::1]/",
    "http://[fd00::1]/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://[ff02::1]/",
    "http://[2606:4700::5efe:7f00:1]/",
    "http://[2606:4700::1%25lo]/",
    "http://[::1/",
    # Names
    "http://localhost/",
    "http://localhost:{port}/",
    "http://LOCALHOST/",
    "http://localhost./",
    "http://api.localhost/",
    "http://localhost.localdomain/",
    "http://router.lan/",
    "http://metadata.google.internal/",
    "http://printer.local/",
    "http://redis/",
    "http://loop.example/",
    "http://loop6.example/",
    "http://private.example/",
    "https://metadata.example/",
    "http://mapped.example/",
    "http://nat64.example/",
    "http://zone.example/",
    "http://mixed.example/",
    "http://mixed6.example/",
    "http://nothing.example/",
    "http://nonsense.example/",
    "http://name.example/",
    "http://decimal.example/",
    "http://public.example./",
    "http://publıc.example/",
    "http://-bad-.example/",
    # The rest of an address
    "http://user:password@public.example/",
    "http://user@public.example/",
    "http://127.0.0.1@public.example/",
    "http://public.example@127.0.0.1/",
    "http://public.example:22/",
    "http://public.example:6379/",
    "http://public.example:0/",
    "http://public.example:/",
    "http://public.example:99999/",
    "http://public.example:-80/",
    "http://public.example:80:80/",
    "http://public.example\\@127.0.0.1/",
    "http://public.example/a b",
    "http://public.example/\r\nHost: localhost",
    "http://public.example/\t",
    "http://public.example\x00.evil/",
    "http:///path",
    "http:public.example",
    "//public.example/",
    "public.example",
    "",
    "ftp://public.example/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/_PING",
    "unix:///var/run/docker.sock",
    "javascript:alert(1)",
    "https+unix://public.example/",
    "http://public.example/" + "a" * 2000,
]


def client(listener: Listener | None = None, **more: object) -> OutboundClient:
    ports = frozenset({80, 443, *([listener.port] if listener else [])})
    return OutboundClient(ports=ports, resolve=lambda host, _: NAMES.get(host, ["127.0.0.1"]), **more)  # type: ignore[arg-type]


def test_there_are_many() -> None:
    assert len(set(FORGED)) == len(FORGED) >= 100


@pytest.mark.parametrize("url", FORGED, ids=[ascii(url)[:60] for url in FORGED])
def test_a_forged_target_is_never_connected_to(url: str, listener: Listener, connects: list[object]) -> None:
    with pytest.raises((TargetRefused, TargetUnreachable)):
        client(listener).post(url.replace("{port}", str(listener.port)), b"{}", {})
    assert connects == []
    assert listener.received == []


def test_a_resolver_is_asked_once_and_its_answer_is_what_is_connected_to(connects: list[object]) -> None:
    # Given a name that is public when it is checked, and this machine afterwards
    answers = iter([[PUBLIC], ["127.0.0.1"], ["127.0.0.1"]])
    asked = OutboundClient(resolve=lambda host, port: next(answers))
    # When it is called, expect the address that was checked to be the one that is tried, and no other
    with pytest.raises(TargetUnreachable):
        asked.post("https://public.example/", b"{}", {})
    assert connects == [(PUBLIC, 443)]
    # Expect the next call to check anew
    with pytest.raises(TargetRefused):
        asked.post("https://public.example/", b"{}", {})
    assert connects == [(PUBLIC, 443)]


def test_no_proxy_of_the_environment_is_asked(
    listener: Listener, connects: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{listener.port}")
    for scheme in ("http", "https"):
        with pytest.raises(TargetUnreachable):
            client().post(f"{scheme}://public.example/", b"", {})
    assert connects == [(PUBLIC, 80), (PUBLIC, 443)]


def test_a_resolver_that_hangs_is_left_alone(connects: list[object]) -> None:
    release = threading.Event()

    def hang(host: str, port: int) -> list[str]:
        release.wait(30)
        return [PUBLIC]

    began = time.monotonic()
    with pytest.raises(TargetUnreachable):
        OutboundClient(resolve=hang, limit_s=0.2).post("http://public.example/", b"", {})
    release.set()
    assert time.monotonic() - began < 20
    assert connects == []


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "172.32.0.1", "2606:4700:4700::1111", "2a00:1450:4001::1"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


def answer(text: bytes) -> Callable[[socket.socket], None]:
    def send(connection: socket.socket) -> None:
        received = b""
        while not received.endswith(b"\r\n\r\n{}"):
            if not (data := connection.recv(65536)):
                return
            received += data
        connection.sendall(text)

    return send


def called(say: Callable[[socket.socket], None], **more: object) -> tuple[int, bytes]:
    """A call to a server of ours, the check of addresses being off."""
    server = Listener(say)
    try:
        ours = client(server, is_allowed=lambda address: True, **more)
        reply = ours.post(f"http://hooks.example:{server.port}/hook?x=1", b"{}", {"Host": "evil.example"})
    finally:
        server.close()
    return reply.status, reply.body


def test_an_allowed_target_gets_the_call_and_its_own_name() -> None:
    seen: list[bytes] = []

    def say(connection: socket.socket) -> None:
        while b"{}" not in b"".join(seen):
            seen.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    assert called(say) == (204, b"")
    head = b"".join(seen)
    assert head.startswith(b"POST /hook?x=1 HTTP/1.1\r\n") and b"\r\nHost: hooks.example:" in head
    assert b"evil.example" not in head


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    elsewhere = Listener()
    location = f"http://127.0.0.1:{elsewhere.port}/".encode()
    redirect = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n"
    assert called(answer(redirect)) == (307, b"")
    elsewhere.close()
    assert elsewhere.received == []


@pytest.mark.parametrize(
    "text",
    [
        b"HTTP/1.1 200 OK\r\n\r\n" + bytes(100_000),
        b"HTTP/1.1 200 OK\r\nContent-Length: 90000000\r\n\r\n" + bytes(100_000),
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500,
        b"HTTP/1.1 200 OK\r\nX: " + bytes(70_000),
        b"nonsense\r\n\r\n",
        b"",
    ],
    ids=["endless", "long", "many headers", "a long header", "no HTTP", "nothing"],
)
def test_an_answer_that_is_none_is_an_error_of_the_target(text: bytes) -> None:
    with pytest.raises(TargetUnreachable):
        called(answer(text))


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_target_that_trickles_is_cut_off(beginning: bytes) -> None:
    stop = threading.Event()

    def trickle(connection: socket.socket) -> None:
        connection.sendall(beginning)
        while not stop.wait(0.05):
            connection.sendall(b"X")

    began = time.monotonic()
    try:
        with pytest.raises(TargetUnreachable):
            called(trickle, limit_s=0.5)
    finally:
        stop.set()
    assert time.monotonic() - began < 20


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for hooks.example that vouches for itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    made, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=hooks.example", "-addext", "subjectAltName=DNS:hooks.example"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(made)], check=True, capture_output=True)
    return made, key


@pytest.mark.parametrize(("name", "is_trusted"), [("hooks.example", True), ("other.example", False)])
def test_a_certificate_is_checked_for_the_name_though_an_address_is_connected_to(
    certificate: tuple[Path, Path], name: str, is_trusted: bool
) -> None:
    names: list[str | None] = []
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(*certificate)
    serving.sni_callback = lambda _socket, server_name, _context: names.append(server_name)

    def say(connection: socket.socket) -> None:
        with serving.wrap_socket(connection, server_side=True) as secure:
            answer(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")(secure)

    server = Listener(say)
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    ours = client(server, is_allowed=lambda address: True, tls=trusting)
    url = f"https://{name}:{server.port}/"
    try:
        if is_trusted:
            assert ours.post(url, b"{}", {}).body == b"ok"
        else:
            with pytest.raises(TargetUnreachable):
                ours.post(url, b"{}", {})
    finally:
        server.close()
    assert names == [name]


def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: tuple[Path, Path]) -> None:
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(*certificate)
    server = Listener(lambda connection: serving.wrap_socket(connection, server_side=True).close())
    try:
        with pytest.raises(TargetUnreachable):
            client(server, is_allowed=lambda address: True).post(f"https://hooks.example:{server.port}/", b"{}", {})
    finally:
        server.close()
