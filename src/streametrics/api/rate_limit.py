"""Tells clients in headers how much more work is accepted for now, after the IETF's draft of `RateLimit`."""

from streametrics.api.dependencies import State

POLICY_HEADER, HEADER = "RateLimit-Policy", "RateLimit"


async def rate_limit(state: State) -> dict[str, str]:
    """Make the headers of an answer to a call that adds work: MAX_WAITING, and how much of it is free.

    It is a limit on what waits and not on calls in a time, so there is no window and no time at which it is whole
    again: a refusal's `Retry-After` says when another try is worth it.
    """
    return _headers(state, max(0, state.connections.settings.max_waiting - await state.admission.waiting_count()))


def exhausted(state: State) -> dict[str, str]:
    """Make the headers of a refusal because too much waits."""
    return _headers(state, 0)


def _headers(state: State, left: int) -> dict[str, str]:
    return {POLICY_HEADER: f'"waiting";q={state.connections.settings.max_waiting}', HEADER: f'"waiting";r={left}'}
