"""What a thread does again and again, and what it outlives."""

import threading

import pytest

from streametrics.concurrency.periodic import PeriodicThread

#: Nothing here takes so long; what does has failed. Seconds.
LIMIT_S = 10.0


def test_a_round_is_repeated_until_the_thread_is_stopped() -> None:
    rounds = threading.Semaphore(0)
    thread = PeriodicThread("test", rounds.release, 0.0)
    thread.start()
    for _ in range(3):
        assert rounds.acquire(timeout=LIMIT_S)

    thread.stop(wait_s=LIMIT_S)

    # Expect no round to follow: the thread has ended
    assert not thread._thread.is_alive()


def test_a_round_that_fails_is_logged_and_the_next_one_tries_again(caplog: pytest.LogCaptureFixture) -> None:
    rounds = 0
    second = threading.Event()

    def fail_once() -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            raise RuntimeError("the first one")
        second.set()

    thread = PeriodicThread("maintenance", fail_once, 0.0)
    thread.start()

    assert second.wait(LIMIT_S)
    thread.stop(wait_s=LIMIT_S)
    [record] = caplog.records
    assert record.getMessage() == "a round of 'maintenance' failed; the next one tries again"
    assert record.exc_info is not None and "the first one" in str(record.exc_info[1])


def test_the_first_round_comes_after_one_period_and_stopping_does_not_wait_for_it() -> None:
    rounds: list[None] = []
    # Given a period that is far longer than this test
    thread = PeriodicThread("test", lambda: rounds.append(None), 3600.0)
    thread.start()

    thread.stop(wait_s=LIMIT_S)

    assert not thread._thread.is_alive()
    assert rounds == []


def test_stopping_waits_for_the_round_that_runs() -> None:
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def take_long() -> None:
        begun.set()
        assert may_end.wait(LIMIT_S)
        ended.set()

    thread = PeriodicThread("test", take_long, 0.0)
    thread.start()
    assert begun.wait(LIMIT_S)

    # Expect one that is not to wait to return at once, and one that is to see the round's end
    thread.stop()
    assert not ended.is_set()
    may_end.set()
    thread.stop(wait_s=None)
    assert ended.is_set()


def test_a_round_may_stop_its_own_thread() -> None:
    rounds: list[None] = []

    def once() -> None:
        rounds.append(None)
        thread.stop(wait_s=None)

    thread = PeriodicThread("test", once, 0.0)
    thread.start()

    thread._thread.join(LIMIT_S)
    assert not thread._thread.is_alive()
    assert rounds == [None]


def test_one_that_was_never_started_can_be_stopped() -> None:
    thread = PeriodicThread("test", lambda: None, 0.0)
    thread.stop(wait_s=None)
    assert thread.stopped.is_set()
