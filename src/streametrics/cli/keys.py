"""Runs `python -m streametrics keys`: add a key, list them, remove one. A key is shown once, when it is made."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from streametrics.auth.api_keys import CACHE_TTL_S, checked_name, digest_of, new_key, one_form
from streametrics.auth.principal import KeyRecord, NewKey, Scope
from streametrics.database.api_keys import KeyRecords
from streametrics.database.engine import Database
from streametrics.database.migrate import migrate
from streametrics.errors import KeyUnknown
from streametrics.settings import Settings


@contextmanager
def _records(settings: Settings) -> Iterator[KeyRecords]:
    # Before the first start too: a service on an open address wants a key to start with.
    migrate(settings.effective_database_url, setting=settings.database_setting)
    database = Database(settings.effective_database_url)
    try:
        yield KeyRecords(database)
    finally:
        database.close()


def add(settings: Settings, name: str, scope: Scope, reads_for: str | None) -> int:
    """Print a new key. Raises BadKeyName, KeyNameTaken, KeyUnknown."""
    key, name = new_key(), checked_name(name)
    reads_for = None if reads_for is None else checked_name(reads_for)
    with _records(settings) as records:
        is_first = not records.all() and not settings.internal_api_key
        records.add(NewKey(name, scope, digest_of(key.encode()), reads_for))
    _tell(f"The key '{name}' may {_rights(scope)}. It is shown this once; only its digest is kept:")
    print(key)
    if is_first:
        _tell(f"It is the first key: within {CACHE_TTL_S:.0f} s every call needs one (X-API-Key: …).")
    if scope is Scope.READ and reads_for is None:
        _tell("It has no jobs of its own to read: remove it and add it again with --for NAME, a key that sends them.")
    return 0


def show(settings: Settings, tell: Callable[[str], None] = print) -> int:
    """Print the names, never a key."""
    with _records(settings) as records:
        found = records.all()
    names = {record.key_id: record.name for record in found}
    if settings.internal_api_key:
        tell(f"{'(INTERNAL_API_KEY)':<24} {Scope.ADMIN:<8} in the settings")
    for record in found:
        tell(f"{record.name:<24} {record.scope:<8} {_whose(record, names)}{_day(record.created_at)}")
    if not found and not settings.internal_api_key:
        tell("There are no keys: calls are open on this machine, and closed to others.")
    return 0


def remove(settings: Settings, name: str) -> int:
    """Delete a key. Raises KeyUnknown."""
    name = one_form(name)
    with _records(settings) as records:
        removed = next((record for record in records.all() if one_form(record.name) == name), None)
        if removed is None:
            raise KeyUnknown(f"There is no key named {name!r}.")
        records.remove(removed.key_id)
        left = records.all()
    is_last = not left and not settings.internal_api_key
    readers = [record.name for record in left if record.owner == removed.owner]
    _tell(
        f"The key '{name}' is refused within {CACHE_TTL_S:.0f} s. Jobs that it alone could see are an administrator's."
    )
    if readers:
        _tell(f"These go on seeing its jobs: {', '.join(readers)}. Remove them too, if it has fallen into other hands.")
    if is_last:
        _tell("It was the last one: calls are open on this machine now.")
    return 0


def _rights(scope: Scope) -> str:
    match scope:
        case Scope.READ:
            return "read jobs"
        case Scope.SUBMIT:
            return "send jobs and read its own"
        case Scope.ADMIN:
            return "do everything, and see every job and the metrics"


def _whose(record: KeyRecord, names: dict[str, str]) -> str:
    if record.owner == record.key_id:
        return ""
    return f"for {names.get(record.owner, 'a key that was removed')}, "


def _day(created_at: float) -> str:
    return f"since {datetime.fromtimestamp(created_at, UTC):%Y-%m-%d}"


def _tell(text: str) -> None:
    """Print to standard error, so that `keys add … > file` stores the key alone."""
    print(text, file=sys.stderr)
