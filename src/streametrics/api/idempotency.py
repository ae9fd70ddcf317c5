"""Reads the Idempotency-Key of a call, and says in the answer that it was repeated."""

import hashlib
import json
from collections.abc import Mapping

from streametrics.auth.principal import Principal
from streametrics.database.idempotency import IdempotentCall
from streametrics.errors import InvalidRequest

HEADER, REPLAYED_HEADER = "Idempotency-Key", "Idempotent-Replayed"


def call_of(route: str, key: str | None, principal: Principal, *payload: object) -> IdempotentCall | None:
    """Make the call that a request is; None where it has no key. payload: all that makes it another request."""
    if key is None:
        return None
    sent = json.dumps(payload, ensure_ascii=True, sort_keys=True, default=str)
    return IdempotentCall(principal.owner, route, key, hashlib.sha256(sent.encode()).hexdigest())


def said(fields: Mapping[str, object]) -> dict[str, object]:
    """Leave out what was not said: a field that a later version knows makes no other request of an old one."""
    return {name: value for name, value in fields.items() if value}


def replayed(was_made_before: bool) -> dict[str, str]:
    """Make the headers of an answer."""
    return {REPLAYED_HEADER: "true"} if was_made_before else {}


def bare(key: str) -> str:
    """Read the key out of its quotation marks. Raises InvalidRequest where there is nothing in them."""
    bare = key[1:-1] if len(key) > 1 and key[0] == key[-1] == '"' else key
    if not bare:
        raise InvalidRequest(f"The {HEADER} is empty: leave it away, or send one, such as a UUID.")
    return bare
