"""What is known of background parts: which fail, which hang, which are gone."""

import asyncio
import ctypes
import logging
import threading

import pytest

from streametrics.concurrency import background
from streametrics.concurrency.background import BackgroundPart, BackgroundParts, background_parts
from streametrics.concurrency.periodic import PeriodicThread
from streametrics.errors import DatabaseUnavailable
from tests.support.stack import until

LIMIT_S = 10.0


def test_a_part_is_in_trouble_until_a_round_succeeds(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    parts, part = BackgroundParts(), BackgroundPart("heartbeat", log_name="heartbeat-7")
    parts.add(part)
    assert parts.trouble() == ""
    part.failed(ValueError("postgresql://user:secret@host"))
    # Expect the kind of error alone: what it says may hold an address or a path
    assert parts.trouble() == "heartbeat (failed with ValueError)"
    part.failed(KeyError("x"))
    assert parts.trouble() == "heartbeat (failed 2 times in a row with KeyError)"
    part.succeeded()
    assert parts.trouble() == "" and not part.is_failing
    assert caplog.messages[-1] == "event=background_recovered part='heartbeat-7' failures=2"


def test_a_part_that_goes_on_failing_pauses_longer_and_logs_more_rarely(caplog: pytest.LogCaptureFixture) -> None:
    part = BackgroundPart("maintenance")
    pauses_s = [part.failed(ValueError()) for _ in range(100)]
    assert pauses_s[:4] == [1.0, 2.0, 4.0, 8.0]
    assert max(pauses_s) == 1024.0
    assert len(caplog.records) == 7  # the 1st, 2nd, 4th … 64th


def test_a_round_that_takes_too_long_is_told_of() -> None:
    now = 100.0
    part = BackgroundPart("maintenance", clock=lambda: now)
    part.begins()
    now = 159.0
    assert part.trouble() is None
    now = 175.0
    assert part.trouble() == "stuck for 75 s"
    part.succeeded()
    assert part.trouble() is None


def test_several_parts_of_one_name_are_named_once() -> None:
    parts = BackgroundParts()
    for name in ("lease renewal", "lease renewal", "heartbeat"):
        parts.add(part := BackgroundPart(name))
        part.failed(ValueError())
    assert parts.trouble() == "heartbeat (failed with ValueError), lease renewal (failed with ValueError)"


@pytest.mark.parametrize(
    "error",
    [ValueError(), RuntimeError(), SystemExit(1), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError()],
)
def test_a_thread_outlives_whatever_its_round_raises(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(background, "RETRY_S", 0.05)
    failing, rounds = threading.Event(), threading.Semaphore(0)
    failing.set()

    def action() -> None:
        if failing.is_set():
            raise error
        rounds.release()

    thread = PeriodicThread("test", action, 0.01)
    thread.start()
    try:
        until(lambda: "test (failed" in background_parts.trouble(), within_s=LIMIT_S, what="it is told of")
        assert type(error).__name__ in background_parts.trouble()
        failing.clear()
        assert rounds.acquire(timeout=LIMIT_S)
        assert rounds.acquire(timeout=LIMIT_S)
        assert background_parts.trouble() == ""
    finally:
        thread.stop(wait_s=LIMIT_S)
    assert "a round of 'test' failed; the next one tries again" in caplog.text


def test_a_thread_outlives_an_error_between_its_rounds() -> None:
    rounds = threading.Semaphore(0)
    thread = PeriodicThread("test", rounds.release, 0.02)
    thread.start()
    assert rounds.acquire(timeout=LIMIT_S)
    for _ in range(20):
        # Given an exception that comes from outside, wherever the thread is just now
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread._thread.ident or 0), ctypes.py_object(SystemExit)
        )
        assert rounds.acquire(timeout=LIMIT_S)
    thread.stop(wait_s=LIMIT_S)
    assert not thread._thread.is_alive()


def test_a_thread_that_is_gone_all_the_same_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PeriodicThread, "_run", lambda self: None)
    thread = PeriodicThread("test", lambda: None, 0.01)
    thread.start()
    until(lambda: background_parts.trouble() == "test (has ended)", within_s=LIMIT_S, what="it is told of")
    thread.stop()
    assert background_parts.trouble() == ""


def test_one_of_our_own_errors_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    BackgroundPart("test").failed(DatabaseUnavailable("The database is away."))

    assert "the next one tries again: The database is away." in caplog.text
    assert all(record.exc_info is None for record in caplog.records)
