"""How large a request's head may be, to the byte, however it comes; and what may follow it."""

from collections.abc import Callable

import pytest

from streametrics.api.middleware.trusted_origin import TrustedOriginMiddleware
from streametrics.auth.api_keys import ApiKeys
from streametrics.settings import Settings
from tests.support.connection import Client, Wire, answers_at_once, reads_all, run, settle

LIMIT = 65_536


def many_headers(size: int) -> bytes:
    head = b"GET / HTTP/1.1\r\nHost: here\r\n"
    while size - len(head) - 2 > 200:
        head += b"X-Small: " + b"x" * 89 + b"\r\n"
    return filled(head, size)


def one_large(size: int) -> bytes:
    return filled(b"GET / HTTP/1.1\r\nHost: here\r\n", size)


def long_address(size: int) -> bytes:
    rest = b" HTTP/1.1\r\nHost: here\r\n\r\n"
    return b"GET /" + b"x" * (size - len(rest) - 5) + rest


def long_query(size: int) -> bytes:
    rest = b" HTTP/1.1\r\nHost: here\r\n\r\n"
    return b"GET /?" + b"x" * (size - len(rest) - 6) + rest


def much_space(size: int) -> bytes:
    """White space before a value, which the parser drops."""
    head = b"GET / HTTP/1.1\r\nHost: here\r\nX-Space:"
    return head + b" " * (size - len(head) - 5) + b"x\r\n\r\n"


def filled(head: bytes, size: int) -> bytes:
    return head + b"X: " + b"x" * (size - len(head) - 7) + b"\r\n\r\n"


KINDS: list[Callable[[int], bytes]] = [many_headers, one_large, long_address, long_query, much_space]


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at_once", [1_000, LIMIT - 1, 262_144])
def test_a_head_may_be_as_large_as_the_limit_and_not_a_byte_larger(kind: Callable[[int], bytes], at_once: int) -> None:
    async def test() -> None:
        for size, is_refused in ((LIMIT, False), (LIMIT + 1, True), (88_000, True), (3 * LIMIT, True)):
            head = kind(size)
            assert len(head) == size
            client = Client(answers_at_once)
            for piece in pieces(head, at_once):
                await client.send(piece)
            if is_refused:
                assert client.answer == (431, "head_too_large"), size
            else:
                assert client.wire.sent.endswith(b"ok"), size

    run(test)


def test_one_whose_head_is_refused_finds_the_answer_and_is_closed_soon() -> None:
    async def test() -> None:
        client = Client(answers_at_once)
        await client.send(many_headers(88_000))
        # Expect what still comes to be read, as a closed connection would answer it with a reset, which takes the 431
        assert client.wire.has_ended and not client.wire.closed
        await client.send(b"X: y\r\n\r\nGET / HTTP/1.1\r\nHost: here\r\n\r\n")
        assert client.wire.sent.count(b"HTTP/1.1 ") == 1
        await client.pass_s(3)
        assert client.wire.closed

    run(test)


@pytest.mark.parametrize("kind", [many_headers, one_large, long_address, long_query])
def test_a_large_head_behind_another_request_is_refused_too(kind: Callable[[int], bytes]) -> None:
    def checked(size: int) -> Wire:
        settings = Settings(_env_file=None, allowed_hosts="here")
        app = TrustedOriginMiddleware(answers_at_once, settings, ApiKeys("", dict))

        async def test() -> None:
            client = Client(app)
            await client.send(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n" + kind(size))
            await settle()
            wires.append(client.wire)

        wires: list[Wire] = []
        run(test)
        return wires[0]

    assert checked(LIMIT).sent.count(b"HTTP/1.1 200 ") == 2
    assert b"HTTP/1.1 431 " in checked(LIMIT + 1).sent


CHUNKED = b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "flood", [b"X-Small: " + b"x" * 90 + b"\r\n", b"X: " + b"x" * 200_000], ids=["many small", "one large"]
)
def test_trailers_are_bounded_as_a_head_is(flood: bytes) -> None:
    async def test() -> None:
        client = Client(reads_all)
        await client.send(CHUNKED + b"3\r\nabc\r\n0\r\n")
        for _ in range(1_000):
            await client.send(flood)
        assert client.wire.closed
        assert client.answer == (431, "head_too_large")

    run(test)


def test_trailers_add_no_header_and_small_chunks_are_no_trailers() -> None:
    seen: list[list[tuple[bytes, bytes]]] = []

    async def app(scope: dict[str, object], receive: object, send: object) -> None:
        await reads_all(scope, receive, send)
        seen.append(list(scope["headers"]))  # type: ignore[call-overload]

    async def test() -> None:
        client = Client(app)
        await client.send(CHUNKED)
        for _ in range(200):
            await client.send(b"1\r\nx\r\n" * 100)
        await client.send(b"0\r\nX-Api-Key: forged\r\n\r\n")
        assert client.wire.sent.endswith(b"ok")
        assert b"x-api-key" not in dict(seen[0])

    run(test)
