"""What is cached, for how long, and who loads it; with a clock of our own."""

import asyncio
import threading

import pytest

from streametrics.concurrency.ttl_cache import AsyncTtlCache, TtlCache

#: Nothing here takes so long; what does has failed. Seconds.
LIMIT_S = 10.0


class Away(Exception):
    """The source does not answer."""


class Source:
    """Returns how often it was asked, and may be away; loading takes `takes_s` of its clock."""

    def __init__(self, takes_s: float = 0.0) -> None:
        self.loads = 0
        self.is_away = False
        self.now_s = 0.0
        self._takes_s = takes_s

    def load(self) -> int:
        self.loads += 1
        self.now_s += self._takes_s
        if self.is_away:
            raise Away
        return self.loads

    def clock(self) -> float:
        return self.now_s

    def cache(self) -> TtlCache[int]:
        return TtlCache(self.load, 5.0, clock=self.clock)

    def async_cache(self, *, stale_on: type[Exception] | tuple[()] = ()) -> AsyncTtlCache[int]:
        return AsyncTtlCache(self.load, 5.0, clock=self.clock, stale_on=stale_on)


def test_a_value_counts_until_its_time_is_over() -> None:
    source = Source()
    cache = source.cache()
    assert cache.get() == 1
    source.now_s = 4.9
    assert cache.get() == 1
    source.now_s = 5.0
    assert cache.get() == 2


def test_the_time_counts_from_the_end_of_loading() -> None:
    # Given a source that takes longer than its values count
    source = Source(takes_s=6.0)
    cache = source.cache()
    assert cache.get() == cache.get() == 1


def test_one_caller_may_want_a_younger_value_and_all_have_it_then() -> None:
    source = Source()
    cache = source.cache()
    cache.get()
    source.now_s = 3.0
    assert cache.get() == 1
    assert cache.get(ttl_s=3.0) == 2
    assert cache.get() == 2


def test_an_error_is_no_value() -> None:
    source = Source()
    cache = source.cache()
    source.is_away = True
    with pytest.raises(Away):
        cache.get()
    source.is_away = False
    assert cache.get() == 2


def test_none_is_a_value() -> None:
    loads: list[None] = []
    cache = TtlCache(lambda: loads.append(None), 5.0, clock=lambda: 0.0)
    assert cache.get() is None
    assert cache.get() is None
    assert len(loads) == 1


def test_of_several_threads_one_loads_and_the_others_wait_for_it() -> None:
    begun, may_end = threading.Event(), threading.Event()
    loads, found = [], []

    def load() -> str:
        loads.append(threading.current_thread())
        begun.set()
        assert may_end.wait(LIMIT_S)
        return "loaded"

    cache = TtlCache(load, 5.0, clock=lambda: 0.0)
    threads = [threading.Thread(target=lambda: found.append(cache.get())) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert begun.wait(LIMIT_S)
    may_end.set()
    for thread in threads:
        thread.join(LIMIT_S)

    assert found == ["loaded"] * 4
    assert len(loads) == 1


def test_a_fresh_value_waits_for_nobody_who_loads_a_younger_one() -> None:
    source = Source()
    cache = source.cache()
    cache.get()
    source.now_s = 3.0
    # Given somebody who loads
    with cache._lock:
        assert cache.get() == 1


def test_of_several_tasks_one_loads_in_a_thread_and_the_others_wait_for_it() -> None:
    loads: list[threading.Thread] = []

    def load() -> str:
        loads.append(threading.current_thread())
        return "loaded"

    async def ask() -> list[str]:
        cache = AsyncTtlCache(load, 5.0, clock=lambda: 0.0)
        return await asyncio.gather(*(cache.get() for _ in range(20)))

    assert asyncio.run(ask()) == ["loaded"] * 20
    assert len(loads) == 1
    assert loads[0] is not threading.main_thread()


def test_what_loading_raises_is_raised_to_all_tasks_that_wait_for_it() -> None:
    source = Source()
    source.is_away = True

    async def ask() -> list[int | BaseException]:
        cache = source.async_cache()
        return await asyncio.gather(*(cache.get() for _ in range(20)), return_exceptions=True)

    assert {type(found) for found in asyncio.run(ask())} == {Away}
    assert source.loads == 1


def test_a_task_that_gives_up_leaves_the_others_their_value() -> None:
    begun, may_end = threading.Event(), threading.Event()

    def load() -> str:
        begun.set()
        assert may_end.wait(LIMIT_S)
        return "loaded"

    async def ask() -> str:
        cache = AsyncTtlCache(load, 5.0, clock=lambda: 0.0)
        impatient = asyncio.create_task(cache.get())
        patient = asyncio.create_task(cache.get())
        with pytest.raises(TimeoutError):
            # Expect it not to wait for the thread, though that cannot be stopped
            async with asyncio.timeout(0.05):
                await impatient
        may_end.set()
        return await patient

    assert asyncio.run(ask()) == "loaded"
    assert begun.is_set()


def test_tasks_find_a_value_until_its_time_is_over() -> None:
    source = Source()
    cache = source.async_cache()
    assert asyncio.run(cache.get()) == 1
    source.now_s = 4.9
    assert asyncio.run(cache.get()) == 1
    source.now_s = 5.0
    assert asyncio.run(cache.get()) == 2


def test_an_older_value_goes_on_while_its_source_is_away_and_is_looked_for_no_sooner() -> None:
    source = Source()
    cache = source.async_cache(stale_on=Away)
    assert asyncio.run(cache.get()) == 1
    source.now_s, source.is_away = 5.0, True
    assert asyncio.run(cache.get()) == asyncio.run(cache.get()) == 1
    assert source.loads == 2
    source.now_s, source.is_away = 10.0, False
    assert asyncio.run(cache.get()) == 3


def test_where_there_is_no_older_value_or_none_is_wanted_the_error_is_raised() -> None:
    source = Source()
    source.is_away = True
    with pytest.raises(Away):
        asyncio.run(source.async_cache(stale_on=Away).get())
    source.is_away = False
    cache = source.async_cache()
    assert asyncio.run(cache.get()) == 2
    source.now_s, source.is_away = 5.0, True
    with pytest.raises(Away):
        asyncio.run(cache.get())
