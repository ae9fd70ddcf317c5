"""What still comes of a body behind its answer: read, so that the client finds the answer, and not for ever."""

import pytest

from tests.support.connection import HEAD, Client, answers_at_once, run

CLOSING = HEAD + b"Connection: close\r\n"


def is_answered(client: Client) -> bool:
    return client.wire.sent.endswith(b"ok")


@pytest.mark.parametrize("head", [HEAD, CLOSING, HEAD.replace(b"1.1", b"1.0", 1)])
def test_one_who_sends_everything_before_it_reads_finds_its_answer(head: bytes) -> None:
    async def test() -> None:
        client = Client(answers_at_once)
        await client.send(head + b"\r\n" + bytes(1_000))
        assert is_answered(client)
        # Expect the rest to be read: a closed connection would answer it with a reset
        for _ in range(9):
            await client.send(bytes(100_000))
            await client.pass_s(1)
            assert not client.wire.closed
        await client.send(bytes(99_000))
        assert client.wire.closed == (head != HEAD), "it is closed behind its body where the client asked for that"

    run(test)


@pytest.mark.parametrize("head", [HEAD, CLOSING])
@pytest.mark.parametrize(("bytes_s", "within_s"), [(0, 7), (1, 7), (9_000, 7), (15_000, 62)])
def test_the_rest_of_a_body_is_not_waited_for_for_ever(head: bytes, bytes_s: int, within_s: int) -> None:
    async def test() -> None:
        client = Client(answers_at_once)
        await client.send(head + b"\r\n")
        assert is_answered(client)

        async def trickles() -> None:
            if bytes_s:
                await client.send(bytes(bytes_s))

        await client.pass_s(4, trickles)
        assert not client.wire.closed
        await client.pass_s(within_s - 4, trickles)
        assert client.wire.closed
        assert client.wire.sent.count(b"HTTP/1.1 ") == 1, "it has had its answer"

    run(test)


def test_the_next_request_comes_behind_the_rest() -> None:
    async def test() -> None:
        client = Client(answers_at_once)
        await client.send(HEAD + b"\r\n" + bytes(500_000))
        await client.send(bytes(500_000) + b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        assert client.wire.sent.count(b"HTTP/1.1 200 ") == 2
        assert not client.wire.closed

    run(test)
