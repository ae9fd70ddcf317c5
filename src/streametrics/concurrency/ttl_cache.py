"""Caches what a slow function returns for a few seconds: for threads, and for an event loop."""

import asyncio
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from anyio import CapacityLimiter, to_thread

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class _Entry(Generic[Value]):
    value: Value
    loaded_at: float


class _Cache(Generic[Value]):
    def __init__(self, load: Callable[[], Value], ttl_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._load = load
        self._ttl_s = ttl_s
        self._clock = clock
        self._entry: _Entry[Value] | None = None

    def _fresh(self, ttl_s: float) -> _Entry[Value] | None:
        entry = self._entry
        return entry if entry is not None and self._clock() - entry.loaded_at < ttl_s else None

    def _store(self, value: Value) -> _Entry[Value]:
        self._entry = _Entry(value, self._clock())
        return self._entry


class TtlCache(_Cache[Value]):
    """For threads: one of them loads, the others wait for it. What `load` raises goes to its caller; nothing is cached.

    ttl_s: how long a value counts from the end of its loading, in seconds. clock: for tests; seconds.
    """

    def __init__(self, load: Callable[[], Value], ttl_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(load, ttl_s, clock=clock)
        self._lock = threading.Lock()

    def get(self, *, ttl_s: float | None = None) -> Value:
        """Return the cached value, or load it; ttl_s: for a caller that wants a younger one than others."""
        ttl_s = self._ttl_s if ttl_s is None else ttl_s
        if (entry := self._fresh(ttl_s)) is None:
            with self._lock:
                if (entry := self._fresh(ttl_s)) is None:
                    entry = self._store(self._load())
        return entry.value


class AsyncTtlCache(_Cache[Value]):
    """The same for tasks of an event loop: `load` may block, it is called in a thread, and who waits holds none.

    What `load` raises goes to all who wait for it: each trying for himself, the last one would wait for all of them.
    stale_on: errors of `load` for which an older value goes on to be the answer, for `ttl_s` more seconds.
    """

    def __init__(
        self,
        load: Callable[[], Value],
        ttl_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        stale_on: type[Exception] | tuple[()] = (),
    ) -> None:
        super().__init__(load, ttl_s, clock=clock)
        self._stale_on = stale_on
        self._loading: asyncio.Task[_Entry[Value]] | None = None
        self._expired = 0

    async def get(self) -> Value:
        """Return the cached value, or load it."""
        if (entry := self._fresh(self._ttl_s)) is None:
            if self._loading is None or self._loading.done():
                self._loading = asyncio.create_task(self._load_and_store())
            # One who gives up must not take the others' value with it.
            entry = await asyncio.shield(self._loading)
        return entry.value

    def expire(self) -> None:
        """Let the next one who asks load anew, since the value has changed: a load on its way may hold the old one."""
        self._expired += 1
        self._loading = None
        if self._entry is not None:
            self._entry = replace(self._entry, loaded_at=-math.inf)

    async def _load_and_store(self) -> _Entry[Value]:
        expired = self._expired
        try:
            # A thread of its own: those for requests may all be waiting for something.
            value = await to_thread.run_sync(self._load, limiter=CapacityLimiter(1))
            return self._store(value) if expired == self._expired else _Entry(value, -math.inf)
        except self._stale_on:
            if self._entry is None:
                raise
            return self._store(self._entry.value)
