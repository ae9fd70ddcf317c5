"""Pages and names that must not reach the service, each as the bytes of a request to the real API.

The same upload is sent every time, whole and valid: only its target, Host, Origin and what a browser adds are forged.
Nothing may be queued; the upload without a forgery is then accepted, so it was the forgery that was refused.
"""

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from sqlalchemy import func, select

from streametrics.api.middleware.trusted_origin import EXTENSION_ORIGIN
from streametrics.database.engine import Database
from streametrics.database.tables import jobs
from tests.support.media import plain_wav, tone
from tests.support.stack import FIELDS, Stack, stack

ALLOWED_PAGE = "https://my.example"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The API alone: what would be queued stays there to be counted."""
    folder: Path = tmp_path_factory.mktemp("forged")
    with stack(folder, ALLOWED_ORIGINS=ALLOWED_PAGE, ALLOWED_HOSTS="streams.example") as running:
        running.start_api()
        yield running


@pytest.fixture(scope="module")
def form(service: Stack) -> tuple[str, bytes]:
    """Content type and body of a valid upload."""
    prepared = requests.Request(
        "POST", service.url, data=FIELDS, files={"audio": ("a.wav", plain_wav(tone(0.2, 8_000), 8_000))}
    ).prepare()
    assert isinstance(prepared.body, bytes)
    return prepared.headers["Content-Type"], prepared.body


@dataclass(frozen=True)
class Forged:
    """What is forged: header lines, and perhaps method and target. `{port}` is the API's own."""

    name: str
    headers: tuple[str, ...]
    method: str = "POST"
    target: str = "/summarize/"
    #: Whether the good Host is sent before these headers.
    with_host: bool = True


def origin(name: str, value: str) -> Forged:
    return Forged(name, (f"Origin: {value}",))


def host(name: str, value: str) -> Forged:
    return Forged(name, (f"Host: {value}",), with_host=False)


FORGED = [
    origin("another page", "https://evil.example"),
    origin("a sandboxed frame or a file", "null"),
    origin("an empty origin", ""),
    origin("white space", " "),
    origin("a subdomain of a page that may", "https://sub.my.example"),
    origin("a page that may as a subdomain", "https://my.example.evil.example"),
    origin("a page that may as a suffix", "https://notmy.example"),
    origin("a page that may as a prefix", "https://my.examples"),
    origin("another scheme", "http://my.example"),
    origin("another port", "https://my.example:8443"),
    origin("the default port spelt out", "https://my.example:443"),
    origin("a trailing dot", "https://my.example."),
    origin("upper case", "https://MY.EXAMPLE"),
    origin("a trailing slash", "https://my.example/"),
    origin("a path", "https://my.example/page"),
    origin("userinfo before another page", "https://my.example@evil.example"),
    origin("userinfo before our own address", "http://evil.example@127.0.0.1:{port}"),
    origin("a fragment", "https://evil.example#https://my.example"),
    origin("a backslash", "https://evil.example\\@my.example"),
    origin("two in one line", "https://my.example, https://evil.example"),
    origin("two with a space", "https://evil.example https://my.example"),
    origin("our address on another port", "http://127.0.0.1:1"),
    origin("our name on the default port", "http://localhost"),
    origin("another name of this machine", "http://localhost:{port}"),
    origin("another loopback address", "http://127.0.0.2:{port}"),
    origin("our address in decimal", "http://2130706433:{port}"),
    origin("our address over IPv6", "http://[::1]:{port}"),
    origin("our address inside IPv6", "http://[::ffff:127.0.0.1]:{port}"),
    origin("every address", "http://0.0.0.0:{port}"),
    origin("our address under a foreign scheme", "ftp://127.0.0.1:{port}"),
    origin("our address as an extension", "moz-extension://127.0.0.1:{port}"),
    origin("our address without a scheme", "//127.0.0.1:{port}"),
    origin("our address with a path", "http://127.0.0.1:{port}/"),
    origin("another extension", "chrome-extension://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    origin("the extension under http", EXTENSION_ORIGIN.replace("chrome-extension", "http")),
    origin("the extension with more behind", EXTENSION_ORIGIN + ".evil.example"),
    origin("the extension in upper case", EXTENSION_ORIGIN.upper()),
    origin("an international name that looks alike", "https://mу.example"),
    origin("the same in its wire form", "https://xn--m-htb.example"),
    Forged("two origins, the good one first", (f"Origin: {ALLOWED_PAGE}", "Origin: https://evil.example")),
    Forged("two origins, the good one last", ("Origin: https://evil.example", f"Origin: {ALLOWED_PAGE}")),
    Forged("the same origin twice", (f"Origin: {ALLOWED_PAGE}", f"Origin: {ALLOWED_PAGE}")),
    host("a rebound name", "evil.example:{port}"),
    host("a rebound name that begins as ours", "127.0.0.1.evil.example"),
    host("a rebound name that begins with localhost", "localhost.evil.example:{port}"),
    host("a name of a resolver that answers what it is asked", "127.0.0.1.nip.example"),
    host("a suffix of ours", "notlocalhost"),
    host("a subdomain of an allowed name", "x.streams.example"),
    host("no name", ""),
    host("a port only", ":{port}"),
    host("userinfo", "localhost@evil.example"),
    host("userinfo before our name", "evil.example@localhost:{port}"),
    host("a path", "localhost/evil.example"),
    host("a backslash", "localhost\\evil.example"),
    host("a space", "localhost evil.example"),
    host("a tab", "local\thost"),
    host("two names", "localhost, evil.example"),
    host("a port that is none", "localhost:80x"),
    host("two ports", "localhost:80:80"),
    host("two trailing dots", "localhost.."),
    host("every address", "0.0.0.0:{port}"),
    host("a private address", "192.168.1.5:{port}"),
    host("our address in decimal", "2130706433"),
    host("our address in hexadecimal", "0x7f000001"),
    host("our address in octal", "0177.0.0.1"),
    host("our address shortened", "127.1"),
    host("our address in full width", "１２７.0.0.1"),
    host("IPv6 of another machine", "[2001:db8::1]:{port}"),
    host("IPv6 with a zone", "[::1%25lo]:{port}"),
    host("IPv6 that does not end", "[::1"),
    host("IPv6 with more behind", "[::1].evil.example"),
    Forged("no Host at all", (), with_host=False),
    Forged("two Hosts, the good one first", ("Host: evil.example",)),
    Forged("two Hosts, the good one last", ("Host: evil.example", "Host: localhost:{port}"), with_host=False),
    Forged("a proxy's word for the Host", ("Host: evil.example", "X-Forwarded-Host: localhost"), with_host=False),
    Forged("a proxy's standard word", ("Host: evil.example", "Forwarded: host=localhost"), with_host=False),
    Forged(
        "the proxy's word does not help an origin", ("Origin: https://evil.example", "X-Forwarded-Host: evil.example")
    ),
    Forged("a whole address as the target", ("Origin: https://evil.example",), target="http://localhost/summarize/"),
    Forged("another's address as the target", (), target="http://evil.example/summarize/"),
    Forged("a websocket", ("Origin: https://evil.example", "Upgrade: websocket", "Connection: Upgrade"), method="GET"),
    Forged(
        "a page's plain form", ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")
    ),
    Forged("a page's silent request", ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors")),
    Forged("a neighbor on this machine", ("Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: no-cors")),
    Forged("a browser that says no mode", ("Sec-Fetch-Site: cross-site",)),
    Forged(
        "a picture", ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"), method="GET", target="/openapi.json"
    ),
    Forged(
        "a frame",
        ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"),
        method="GET",
        target="/docs",
    ),
    Forged("a page that is not allowed, fetching openly", ("Origin: null", "Sec-Fetch-Mode: cors")),
    Forged("two slashes", ("Origin: https://evil.example",), target="//summarize/"),
    Forged("an open path as a beginning", ("Origin: https://evil.example",), target="/health/live/../../summarize/"),
    Forged("an open path in front, coded", ("Origin: https://evil.example",), target="/health%2flive/..%2fsummarize/"),
    Forged(
        "leave for another page",
        ("Origin: https://evil.example", "Access-Control-Request-Method: POST"),
        method="OPTIONS",
    ),
    Forged("leave for no page", ("Origin: null", "Access-Control-Request-Method: POST"), method="OPTIONS"),
    Forged(
        "leave for the extension at a rebound name",
        (f"Origin: {EXTENSION_ORIGIN}", "Host: evil.example", "Access-Control-Request-Method: POST"),
        method="OPTIONS",
        with_host=False,
    ),
]


def send(service: Stack, forged: Forged, form: tuple[str, bytes]) -> tuple[int, str]:
    """Status and head of the answer to a request made of exactly these bytes."""
    content_type, body = form
    lines = [f"{forged.method} {forged.target} HTTP/1.1", "Connection: close"]
    if forged.with_host:
        lines.append("Host: 127.0.0.1:{port}")
    lines += forged.headers
    if forged.method == "POST":
        lines += [f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
    head = "\r\n".join(lines).replace("{port}", str(service.port)) + "\r\n\r\n"
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        connection.sendall(head.encode() + (body if forged.method == "POST" else b""))
        received = b""
        while data := connection.recv(65536):
            received += data
    answer = received.partition(b"\r\n\r\n")[0].decode("latin-1")
    match = re.match(r"HTTP/1\.1 (\d{3}) ", answer)
    assert match is not None, received
    return int(match[1]), answer


def queued(service: Stack) -> int:
    database = Database(service.database_url)
    try:
        with database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(jobs)).scalar_one())
    finally:
        database.close()


def test_there_are_many_and_each_is_another() -> None:
    assert len(FORGED) >= 80
    assert len({(forged.headers, forged.target, forged.method, forged.with_host) for forged in FORGED}) == len(FORGED)


@pytest.mark.parametrize("forged", FORGED, ids=lambda forged: forged.name)
def test_a_forged_request_is_refused_and_nothing_is_queued(
    service: Stack, form: tuple[str, bytes], forged: Forged
) -> None:
    before, files = queued(service), service.audio_files

    status, head = send(service, forged, form)

    # 400 is the server's own, for a request that is none.
    assert status in (400, 403)
    assert "access-control-allow-origin" not in head.lower()
    assert queued(service) == before
    assert service.audio_files == files


GENUINE = [
    Forged("curl", ()),
    Forged("the extension", (f"Origin: {EXTENSION_ORIGIN}", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors")),
    Forged("an allowed page", (f"Origin: {ALLOWED_PAGE}", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors")),
    Forged("a page of our own", ("Origin: http://127.0.0.1:{port}", "Sec-Fetch-Site: same-origin")),
    Forged("an extension with leave", ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors")),
    Forged("an allowed name", ("Host: streams.example",), with_host=False),
    Forged("the same name in other letters", ("Host: Streams.Example.:{port}",), with_host=False),
]


@pytest.mark.parametrize("genuine", GENUINE, ids=lambda genuine: genuine.name)
def test_the_same_request_without_a_forgery_is_accepted(
    service: Stack, form: tuple[str, bytes], genuine: Forged
) -> None:
    before, files = queued(service), set(service.audio_files)
    status, head = send(service, genuine, form)
    assert status == 200
    assert queued(service) == before + 1
    for file in set(service.audio_files) - files:
        file.unlink()
    given = [line.partition(": ")[2] for line in genuine.headers if line.startswith("Origin: ")]
    if given and "{port}" not in given[0]:
        assert f"access-control-allow-origin: {given[0]}" in head.lower()
        assert "access-control-expose-headers: retry-after, location" in head.lower()


def test_a_followed_link_opens_a_page(service: Stack, form: tuple[str, bytes]) -> None:
    link = ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")
    assert send(service, Forged("link", link, method="GET", target="/docs"), form)[0] == 200


def test_leave_is_given_to_an_allowed_page(service: Stack, form: tuple[str, bytes]) -> None:
    asked = (f"Origin: {ALLOWED_PAGE}", "Access-Control-Request-Method: DELETE")
    status, head = send(service, Forged("leave", asked, method="OPTIONS"), form)
    assert status == 200
    assert f"access-control-allow-origin: {ALLOWED_PAGE}" in head.lower()
