"""Reads the Idempotency-Key of a call, and says in the answer that it was repeated."""

import hashlib
import json

from streametrics.auth.principal import Principal
from streametrics.database.idempotency import IdempotentCall

HEADER, REPLAYED_HEADER = "Idempotency-Key", "Idempotent-Replayed"


def call_of(route: str, key: str | None, principal: Principal, *payload: object) -> IdempotentCall | None:
    """Make the call that a request is; None where it has no key. payload: all that makes it another request."""
    if key is None:
        return None
    sent = json.dumps(payload, ensure_ascii=True, sort_keys=True, default=str)
    return IdempotentCall(principal.owner, route, key.strip('"'), hashlib.sha256(sent.encode()).hexdigest())


def replayed(was_made_before: bool) -> dict[str, str]:
    """Make the headers of an answer."""
    return {REPLAYED_HEADER: "true"} if was_made_before else {}
