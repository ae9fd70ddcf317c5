"""API keys: finds the principal of a key. The database holds digests, which are cached for a few seconds."""

import hashlib
import hmac
import re
import secrets
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from streametrics.auth.principal import LOCAL, LOCAL_OWNER, KeyRecord, Principal, Scope
from streametrics.concurrency.ttl_cache import AsyncTtlCache
from streametrics.errors import DatabaseUnavailable, StreametricsError, Unauthorized

#: How long keys are cached, in seconds. So a poll costs no query, and a key that was removed, or the first one that
#: was added, takes effect this much later at most.
CACHE_TTL_S = 2.0
#: Random bytes of a key.
KEY_BYTES = 32
#: Marks our keys, so that a scanner of repositories can find one that was committed.
PREFIX = "sm_"
#: The longest name, in characters.
MAX_NAME = 64
#: Invisible, and part of the spelling: in Persian words, Indic conjuncts, and emoji made of several.
_JOINER = re.compile(r"(?<=[^\x00-\x7f])[\u200c\u200d](?=[^\x00-\x7f])")


@dataclass(frozen=True, slots=True)
class _KnownKey:
    digest: str
    principal: Principal


class ApiKeys:
    """Holds all valid API keys. `load` reads those of the database and may block; it is called in a thread."""

    def __init__(
        self,
        internal_api_key: str,
        load: Callable[[], list[KeyRecord]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        internal = _KnownKey(digest_of(internal_api_key.encode()), Principal(LOCAL_OWNER, Scope.ADMIN))
        self._internal = [internal] if internal_api_key else []
        self._load = load
        # While the database is away, what was known goes on: nothing can be accepted or read by its row then anyway.
        self._known = AsyncTtlCache(self._loaded, CACHE_TTL_S, clock=clock, stale_on=DatabaseUnavailable)

    async def principal(self, given: bytes | None) -> Principal:
        """Find the principal of a key; LOCAL while there is no key at all. Raises Unauthorized, DatabaseUnavailable."""
        known = self._internal + await self._known.get()
        if not known:
            return LOCAL
        found = None
        if given is not None:
            digest = digest_of(given)
            for key in known:
                # All of them, each in constant time: how long it takes says nothing.
                if hmac.compare_digest(key.digest, digest):
                    found = key.principal
        if found is None:
            raise Unauthorized if given is None else Unauthorized("This key is not known here, or was removed.")
        return found

    async def has_keys(self) -> bool:
        """Tell whether there is any key at all. Raises DatabaseUnavailable."""
        return bool(self._internal + await self._known.get())

    async def read_again(self) -> None:
        """Read the keys now, as this process has added or removed one, so that it counts from the next request on."""
        self._known.expire()
        await self._known.get()

    def _loaded(self) -> list[_KnownKey]:
        return [
            _KnownKey(record.digest, Principal(record.owner, record.scope, record.key_id)) for record in self._load()
        ]


class BadKeyName(StreametricsError):
    """A key's name is 1 to 64 characters long, without line breaks, and no space begins or ends it."""

    code, status = "bad_key_name", 422


def new_key() -> str:
    """Make a key of 256 random bits."""
    return PREFIX + secrets.token_urlsafe(KEY_BYTES)


def digest_of(key: bytes) -> str:
    """Hash a key for storage. It is random and long, so a slow hash, as for passwords, would protect nothing more."""
    return hashlib.sha256(key).hexdigest()


def one_form(name: str) -> str:
    """Make the form of a name that is the same however its accents are written."""
    return unicodedata.normalize("NFC", name)


def checked_name(name: str) -> str:
    """Check a key's name, and return it in the one form (NFC) in which equal names are equal. Raises BadKeyName."""
    if len(name) > MAX_NAME:
        raise BadKeyName
    name = one_form(name)
    if not 1 <= len(name) <= MAX_NAME or not _JOINER.sub("", name).isprintable() or name != name.strip():
        raise BadKeyName
    return name
