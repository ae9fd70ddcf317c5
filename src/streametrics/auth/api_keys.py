"""Whose key is this? The keys are digests in the database, kept in memory for a few seconds."""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from anyio import Lock, to_thread

from streametrics.auth.principal import LOCAL, LOCAL_OWNER, Caller, KeyRecord, Scope
from streametrics.errors import DatabaseUnavailable, StreametricsError, Unauthorized

#: How long what was read counts, in seconds. A poll so costs no query, and a key that was removed, or the first
#: one that was added, is known this much later at most.
VALID_S = 2.0
#: Random bytes of a key.
KEY_BYTES = 32
#: Marks our keys, so that a scanner of repositories can find one that was committed.
PREFIX = "sm_"


@dataclass(frozen=True, slots=True)
class _Known:
    digest: str
    caller: Caller


class Keyring:
    """All keys that count. `load` reads those of the database and may block; it is called in a thread."""

    def __init__(
        self,
        internal_api_key: str,
        load: Callable[[], list[KeyRecord]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        internal = _Known(digest_of(internal_api_key.encode()), Caller(LOCAL_OWNER, Scope.ADMIN))
        self._internal = [internal] if internal_api_key else []
        self._load = load
        self._clock = clock
        self._lock = Lock()
        self._known: list[_Known] = []
        self._read_at: float | None = None

    async def caller(self, given: bytes | None) -> Caller:
        """Who sent this key; without any key anywhere, everybody is LOCAL. Raises Unauthorized, DatabaseUnavailable."""
        await self._refresh()
        known = self._internal + self._known
        if not known:
            return LOCAL
        found = None
        if given is not None:
            digest = digest_of(given)
            for key in known:
                # All of them, each in constant time: how long it takes says nothing.
                if hmac.compare_digest(key.digest, digest):
                    found = key.caller
        if found is None:
            raise Unauthorized
        return found

    async def has_keys(self) -> bool:
        """Whether there is any key at all. Raises DatabaseUnavailable."""
        await self._refresh()
        return bool(self._internal or self._known)

    async def _refresh(self) -> None:
        if self._is_fresh():
            return
        async with self._lock:
            if self._is_fresh():
                return
            try:
                records = await to_thread.run_sync(self._load)
            except DatabaseUnavailable:
                if self._read_at is None:
                    raise
                # What was known goes on: without a database nothing can be accepted or read by its row anyway.
            else:
                self._known = [_Known(record.digest, Caller(record.owner, record.scope)) for record in records]
            self._read_at = self._clock()

    def _is_fresh(self) -> bool:
        return self._read_at is not None and self._clock() - self._read_at < VALID_S


class BadKeyName(StreametricsError):
    """A key's name is 1 to 64 characters long and without line breaks."""

    code = "bad_key_name"


def new_key() -> str:
    """A key that nobody can guess: 256 random bits."""
    return PREFIX + secrets.token_urlsafe(KEY_BYTES)


def digest_of(key: bytes) -> str:
    """What is kept of a key. It is random and long, so a slow hash, as for passwords, would protect nothing more."""
    return hashlib.sha256(key).hexdigest()


def checked_name(name: str) -> str:
    """The name of a new key. Raises BadKeyName."""
    if not 1 <= len(name) <= 64 or not name.isprintable() or name != name.strip():
        raise BadKeyName
    return name
