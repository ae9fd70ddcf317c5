"""Turns at a model server: urgent calls first, the others in the order in which they came."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from streametrics.llm.concurrency import ConcurrencyLimiter
from tests.support.doubles import Stop

PATIENCE_S = 5


class Waiter:
    """A call in a thread of its own, which says when it has begun to wait, and waits to be let go on."""

    def __init__(
        self, limiter: ConcurrencyLimiter, order: list[str], name: str, pool: ThreadPoolExecutor, *, urgent: bool
    ) -> None:
        self._limiter, self._order, self._name, self._urgent = limiter, order, name, urgent
        self._waits = threading.Event()
        self.leaves = False
        self.ended = pool.submit(self._call)
        assert self._waits.wait(PATIENCE_S)

    def _call(self) -> None:
        with self._limiter.slot(self._beat, urgent=self._urgent):
            self._order.append(self._name)

    def _beat(self) -> None:
        self._waits.set()
        if self.leaves:
            raise Stop


@pytest.mark.parametrize("urgent_last", [True, False])
def test_an_urgent_call_comes_before_those_that_can_wait(urgent_last: bool) -> None:
    limiter, order = ConcurrencyLimiter(1), []
    with ThreadPoolExecutor(5) as pool:
        with limiter.slot(lambda: None):
            waiters = [Waiter(limiter, order, name, pool, urgent=False) for name in ("first", "second", "third")]
            waiters.append(Waiter(limiter, order, "live", pool, urgent=urgent_last))
        for waiter in waiters:
            waiter.ended.result(PATIENCE_S)
    expected = ["first", "second", "third"]
    assert order == (["live", *expected] if urgent_last else [*expected, "live"])


def test_who_takes_turn_after_turn_does_not_overtake_who_waits() -> None:
    limiter, order = ConcurrencyLimiter(1), []
    with ThreadPoolExecutor(1) as pool:
        with limiter.slot(lambda: None):
            waiter = Waiter(limiter, order, "waiting", pool, urgent=False)
        with limiter.slot(lambda: None):
            order.append("again")
        waiter.ended.result(PATIENCE_S)
    assert order == ["waiting", "again"]


def test_who_leaves_holds_nobody_up() -> None:
    limiter, order = ConcurrencyLimiter(1), []
    with ThreadPoolExecutor(2) as pool:
        with limiter.slot(lambda: None):
            leaver = Waiter(limiter, order, "leaver", pool, urgent=True)
            waiter = Waiter(limiter, order, "waiter", pool, urgent=False)
            leaver.leaves = True
            with pytest.raises(Stop):
                leaver.ended.result(PATIENCE_S)
        waiter.ended.result(PATIENCE_S)
    assert order == ["waiter"]


def test_so_many_calls_run_at_once() -> None:
    limiter = ConcurrencyLimiter(2)
    inside, both = threading.Semaphore(0), threading.Barrier(2)

    def call(_: int) -> None:
        with limiter.slot(lambda: None):
            both.wait(PATIENCE_S)
            inside.release()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(call, range(2)))
    assert inside.acquire(timeout=PATIENCE_S) and inside.acquire(timeout=PATIENCE_S)
