"""Tells clients in headers how much more work is accepted for now, after the draft of `RateLimit` (RFC to be)."""

from streametrics.api.dependencies import State

POLICY_HEADER, HEADER = "RateLimit-Policy", "RateLimit"


async def rate_limit(state: State) -> dict[str, str]:
    """Make the headers of an answer to a call that adds work: MAX_WAITING, and how much of it is free.

    It is a limit on what waits and not on calls in a time, so there is no window and no time at which it is whole
    again: a refusal's `Retry-After` says when another try is worth it.
    """
    limit = state.connections.settings.max_waiting
    left = max(0, limit - await state.admission.waiting_count())
    return {POLICY_HEADER: f'"waiting";q={limit}', HEADER: f'"waiting";r={left}'}
