"""Which connection is cut, and which one is only slow, or waits for us."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streametrics.api.server.slow_clients import SlowClients, SlowLimits, TransferRate
from tests.support.connection import (
    HEAD,
    LIMITS,
    Client,
    answers_at_once,
    reads_all,
    reads_nothing,
    run,
    settle,
)


def test_a_socket_on_which_nothing_comes_is_closed_without_a_word() -> None:
    async def test() -> None:
        client = Client(reads_all)
        await client.pass_s(9)
        assert not client.wire.closed
        await client.pass_s(1)
        assert client.wire.closed and client.wire.sent == b""

    run(test)


@pytest.mark.parametrize("trickle", [b"", b"X-Another: header\r\n"])
def test_half_a_head_is_answered_with_408(trickle: bytes) -> None:
    async def test() -> None:
        client = Client(reads_all)
        await client.send(HEAD)

        async def trickles() -> None:
            if trickle:
                await client.send(trickle)

        await client.pass_s(9, trickles)
        assert not client.wire.closed
        await client.pass_s(2, trickles)
        assert client.wire.closed and client.answer == (408, "request_timeout")

    run(test)


@pytest.mark.parametrize("beginning", [b"\r\n", b"GET / HT"])
def test_a_later_request_has_as_long_for_its_head(beginning: bytes) -> None:
    async def test() -> None:
        client = Client(answers_at_once)
        await client.send(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        assert client.wire.sent.endswith(b"ok")
        # uvicorn's own limit, of idle connections, ends here
        await client.send(beginning)
        await client.pass_s(9)
        assert not client.wire.closed
        await client.pass_s(2)
        assert client.wire.closed

    run(test)


@pytest.mark.parametrize(("bytes_s", "is_cut"), [(0, True), (100, True), (990, True), (1_010, False), (10_000, False)])
def test_a_body_has_to_bring_a_kilobyte_a_second(bytes_s: int, is_cut: bool) -> None:
    async def test() -> None:
        client = Client(reads_all)
        await client.send(HEAD + b"\r\n")

        async def trickles() -> None:
            if bytes_s:
                await client.send(bytes(bytes_s))

        await client.pass_s(14, trickles)
        assert not client.wire.closed
        await client.pass_s(40, trickles)
        assert client.wire.closed == is_cut
        if is_cut:
            assert client.answer == (408, "request_timeout")

    run(test)


def test_a_body_that_begins_fast_and_stops_is_cut_as_soon() -> None:
    async def test() -> None:
        client = Client(reads_all)
        await client.send(HEAD + b"\r\n" + bytes(500_000))
        await client.pass_s(14)
        assert not client.wire.closed
        await client.pass_s(3)
        assert client.answer == (408, "request_timeout")

    run(test)


def test_a_client_that_waits_for_us_is_not_cut() -> None:
    async def test() -> None:
        # Given an application that takes nothing, so that reading is paused
        full = Client(reads_nothing)
        await full.send(HEAD + b"\r\n" + bytes(100_000))
        assert full.wire.paused
        # And a client that asked for leave to send
        polite = Client(reads_nothing)
        await polite.send(HEAD + b"Expect: 100-continue\r\n\r\n")
        # And one that has sent everything and waits for its answer
        complete = Client(reads_nothing)
        await complete.send(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        for client in (full, polite, complete):
            await client.pass_s(60)
            assert not client.wire.closed
            for task in list(client.protocol.tasks):
                task.cancel()
        await settle()

    run(test)


def test_a_body_behind_an_answer_is_no_way_to_stay() -> None:
    async def test() -> None:
        client = Client(answers_at_once)
        await client.send(HEAD + b"\r\n")

        async def trickles() -> None:
            await client.send(b"x")

        await client.pass_s(17, trickles)
        assert client.wire.closed
        assert client.wire.sent.count(b"HTTP/1.1") == 1, "it has had its answer"

    run(test)


@pytest.mark.parametrize(("read_bytes_s", "is_cut"), [(0, True), (500, True), (5_000, False)])
def test_an_answer_has_to_be_read(read_bytes_s: int, is_cut: bool) -> None:
    async def test(connection_ends: bool) -> None:
        client = Client(answers_at_once if connection_ends else reads_nothing)
        await client.send(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        if not connection_ends:
            client.protocol.pause_writing()
        client.wire.unread_bytes = 1_000_000

        async def reads() -> None:
            client.wire.unread_bytes -= read_bytes_s

        await client.pass_s(14, reads)
        assert not client.wire.aborted
        await client.pass_s(40, reads)
        assert client.wire.aborted == is_cut
        for task in list(client.protocol.tasks):
            task.cancel()
        await settle()

    for connection_ends in (True, False):
        asyncio.run(test(connection_ends))


def test_a_head_without_an_end_is_refused_by_its_size() -> None:
    async def test() -> None:
        client = Client(reads_all)
        await client.send(HEAD)
        for _ in range(70):
            await client.send(b"X-Long: " + b"x" * 1000 + b"\r\n")
        assert client.answer == (431, "head_too_large")

    run(test)


def test_a_large_piece_of_a_body_is_no_large_head() -> None:
    async def test() -> None:
        client = Client(reads_all)
        await client.send(HEAD + b"\r\n" + bytes(200_000))
        assert not client.wire.closed

    run(test)


@given(st.lists(st.integers(0, 5_000), min_size=1, max_size=60))
def test_the_pace_is_that_of_every_fifteen_seconds(moved: list[int]) -> None:
    pace = TransferRate(LIMITS.least_bytes_s, LIMITS.over_s)
    total = 0
    assert not pace.is_too_slow(0.0, 0)
    for second, more in enumerate(moved, start=1):
        total += more
        expected = second >= 15 and sum(moved[second - 15 : second]) < 15_000
        assert pace.is_too_slow(float(second), total) == expected


def test_one_timer_looks_at_all_and_rests_without_any() -> None:
    class Counted:
        looks = 0

        def look(self, now: float) -> None:
            self.looks += 1

    async def test() -> None:
        watch = SlowClients(SlowLimits(look_interval_s=0.01))
        loop = asyncio.get_running_loop()
        connections = [Counted() for _ in range(3)]
        for connection in connections:
            watch.add(connection, loop)
        while connections[0].looks < 3:
            await asyncio.sleep(0.01)
        assert len({connection.looks for connection in connections}) == 1
        for connection in connections:
            watch.discard(connection)
        while watch._timer is not None:
            await asyncio.sleep(0.01)
        watch.add(connections[0], loop)
        seen = connections[0].looks
        while connections[0].looks == seen:
            await asyncio.sleep(0.01)
        watch.discard(connections[0])

    run(test)


@pytest.mark.parametrize("path", ["/v1/audio/transcriptions", "/v1/jobs?limit=1", "/summarize/"])
def test_its_form_is_that_of_the_address(path: str) -> None:
    async def test() -> None:
        client = Client(reads_all)
        await client.send(f"POST {path} HTTP/1.1\r\nHost: here\r\n".encode())
        await client.pass_s(11)
        head, _, body = client.wire.sent.partition(b"\r\n\r\n")
        is_problem = path.startswith("/v1/")
        assert (b"Content-Type: application/problem+json\r\n" in head) is is_problem
        found = json.loads(body)
        assert found["status"] == (408 if is_problem else "error")
        assert ("error" in found) is ("jobs" not in path)
        if "audio" in path:
            assert found["error"]["code"] == "request_timeout"

    run(test)
