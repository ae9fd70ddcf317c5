"""A recording that is decoded in a thread: its result, its error, and how it is stopped."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import cast

import pytest

from streametrics.audio.decoder import AudioDecoder
from streametrics.errors import AudioUnreadable
from streametrics.worker.background_decoding import RUN_S, BackgroundDecoding
from tests.support.doubles import ManualClock


class Child:
    """Stands for a decoder: what it decodes ends when it is interrupted."""

    def __init__(self) -> None:
        self.interrupted = threading.Event()
        self.opened = threading.Event()
        self.closed = False

    @contextlib.contextmanager
    def open(self) -> Iterator[AudioDecoder]:
        self.opened.set()
        yield cast(AudioDecoder, self)
        self.closed = True

    def interrupt(self) -> None:
        self.interrupted.set()

    def decode_until_interrupted(self, decoder: AudioDecoder) -> str:
        if not self.interrupted.wait(30):
            return "nobody interrupted it"
        raise AudioUnreadable


def decoding(decode: Callable[[AudioDecoder], str], child: Child) -> BackgroundDecoding[str]:
    return BackgroundDecoding(decode, child.open)


def test_its_result_is_there_once_it_has_ended() -> None:
    child, go_on = Child(), threading.Event()

    def decode(decoder: AudioDecoder) -> str:
        assert go_on.wait(30)
        return "samples"

    with decoding(decode, child) as running:
        assert not running.ends_within(0.0)
        go_on.set()
        assert running.ends_within(30.0)
        assert running.result() == "samples"
    assert child.closed
    assert not child.interrupted.is_set()


def test_what_it_raises_is_raised_where_the_result_is_asked_for() -> None:
    def decode(decoder: AudioDecoder) -> str:
        raise AudioUnreadable

    with decoding(decode, Child()) as running:
        assert running.ends_within(30.0)
        with pytest.raises(AudioUnreadable):
            running.result()


def test_it_pauses_while_somebody_waits_and_goes_on_a_little_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streametrics.worker.background_decoding.PAUSE_S", 30.0)
    clock, blocks = ManualClock(), list[int]()
    monkeypatch.setattr("streametrics.worker.background_decoding.time", SimpleNamespace(monotonic=clock))
    reached, go_on = threading.Event(), threading.Event()

    def decode(decoder: AudioDecoder) -> str:
        for block in range(4):
            if block == 2:
                reached.set()
                assert go_on.wait(30)
            running.give_way()
            blocks.append(block)
        return "samples"

    running = decoding(decode, Child())
    with running:
        assert reached.wait(30)
        running.yield_to_others(True)
        go_on.set()
        # Expect it to stand where it is while they wait, and to come to its end when they do not
        assert not running.ends_within(0.2)
        assert blocks == [0, 1]
        running.yield_to_others(False)
        assert running.ends_within(30.0)
    assert blocks == [0, 1, 2, 3]
    # And, where they wait for ever, to go on for a time after each pause
    monkeypatch.setattr("streametrics.worker.background_decoding.PAUSE_S", 0.01)
    running.yield_to_others(True)
    clock.move(1.0)
    began = time.monotonic()
    running.give_way()
    assert time.monotonic() - began >= 0.01
    for _ in range(1000):
        running.give_way()
    assert running._runs_until == clock.now + RUN_S


def test_leaving_its_block_stops_it() -> None:
    child = Child()
    running = decoding(child.decode_until_interrupted, child)
    with running:
        assert child.opened.wait(30)
    assert child.interrupted.is_set()
    assert running.ends_within(0.0)


def test_one_that_is_stopped_before_its_child_is_there_decodes_nothing() -> None:
    may_open, decoded = threading.Event(), []

    @contextlib.contextmanager
    def open_late() -> Iterator[AudioDecoder]:
        assert may_open.wait(30)
        yield cast(AudioDecoder, Child())

    running = BackgroundDecoding(decoded.append, open_late)
    with running:
        running._stopped.set()
        may_open.set()
    assert decoded == []


def test_what_came_to_its_end_just_before_it_was_stopped_is_discarded() -> None:
    discarded: list[str] = []

    with BackgroundDecoding(lambda _: "samples", Child().open, discard=discarded.append) as running:
        assert running.ends_within(30.0)
        running.stop()

    assert discarded == ["samples"]


def test_what_was_taken_is_not_discarded() -> None:
    discarded: list[str] = []

    with BackgroundDecoding(lambda _: "samples", Child().open, discard=discarded.append) as running:
        assert running.ends_within(30.0)
        assert running.result() == "samples"

    assert discarded == []
