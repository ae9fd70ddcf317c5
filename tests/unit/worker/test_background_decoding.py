"""A recording that is decoded in a thread: its result, its error, and how it is stopped."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import cast

import pytest

from streametrics.audio.decoder import AudioDecoder
from streametrics.errors import AudioUnreadable
from streametrics.worker.background_decoding import BackgroundDecoding


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
