"""Remembers which calls were carried out, so that a call that is repeated does its work once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select
from sqlalchemy.exc import IntegrityError

from streametrics.database.engine import Database, now, statement_now
from streametrics.database.tables import idempotency_keys
from streametrics.errors import IdempotencyKeyReused


@dataclass(frozen=True, slots=True)
class IdempotentCall:
    """A call with a key of its client's. payload_hash: SHA-256 of what was sent, in hexadecimal."""

    owner: str
    route: str
    key: str
    payload_hash: str


class CalledBefore(Exception):
    """This call has been carried out, or another with its key."""


def remember(connection: Connection, call: IdempotentCall, made_id: str) -> None:
    """Write down what a call makes, in the transaction that makes it. Raises CalledBefore.

    Of two equal calls at once the second one waits here for the first one's commit.
    """
    row = {"owner": call.owner, "route": call.route, "key": call.key, "payload_hash": call.payload_hash}
    try:
        connection.execute(insert(idempotency_keys).values(**row, made_id=made_id, created_at=now()))
    except IntegrityError as error:
        raise CalledBefore from error


def forget(connection: Connection, made_id: str) -> None:
    """Delete the call that made this, as nothing is left of it."""
    connection.execute(delete(idempotency_keys).where(idempotency_keys.c.made_id == made_id))


class IdempotentCalls:
    """Finds and expires remembered calls."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def once(
        self,
        call: IdempotentCall | None,
        make: Callable[[], str],
        *,
        counts: Callable[[str], bool] = lambda made_id: True,
    ) -> tuple[str, bool]:
        """Carry out a call that may be a repetition; returns the id of what it makes, and whether it was made before.

        make: makes it and remembers the call in one transaction. counts: whether what was made still is an answer; the
        call is a new one where it is not. Raises IdempotencyKeyReused, and what `make` raises.
        """
        if call is None:
            return make(), False
        made = self.made_by(call)
        if made is not None and not counts(made):
            self.forget(made)
            made = None
        if made is None:
            try:
                return make(), False
            except CalledBefore:
                # An equal call at the same time was a moment faster.
                made = self.made_by(call)
                if made is None:
                    raise
        return made, True

    def made_by(self, call: IdempotentCall) -> str | None:
        """Find the id of what this call has made; None for a new one. Raises IdempotencyKeyReused."""
        found = self._find(call.owner, call.route, call.key)
        if found is not None and found.payload_hash != call.payload_hash:
            raise IdempotencyKeyReused
        return None if found is None else str(found.made_id)

    def made_with(self, owner: str, route: str, key: str) -> str | None:
        """Find the id of what a call with this key has made, whatever was sent with it; None for a new key."""
        found = self._find(owner, route, key)
        return None if found is None else str(found.made_id)

    def _find(self, owner: str, route: str, key: str) -> Row[Any, Any] | None:
        query = select(idempotency_keys.c.payload_hash, idempotency_keys.c.made_id).where(
            idempotency_keys.c.owner == owner, idempotency_keys.c.route == route, idempotency_keys.c.key == key
        )
        with self._database.read() as connection:
            return connection.execute(query).one_or_none()

    def remember(self, call: IdempotentCall, made_id: str) -> None:
        """Write down what a call has found that is there already. Raises CalledBefore."""
        with self._database.write() as connection:
            remember(connection, call, made_id)

    def forget(self, made_id: str) -> None:
        """Forget the call that made this: the next one with its key is a new one."""
        with self._database.write() as connection:
            forget(connection, made_id)

    def delete_older_than(self, age_s: float) -> int:
        """Forget the calls that are this old; their keys are new ones from then on."""
        with self._database.write() as connection:
            return connection.execute(
                delete(idempotency_keys).where(idempotency_keys.c.created_at < statement_now() - age_s)
            ).rowcount
