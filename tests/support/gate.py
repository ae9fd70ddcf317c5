"""The test's side of the gate at which `workers.gated` holds engines and writers."""

from tests.support.stack import Stack, until

#: The Celery app of a worker that is held.
GATED = "tests.support.workers.gated"


def wait_at_gate(stack: Stack) -> int:
    """The process id of the engine that waits before a job's first segment."""
    mark = until(lambda: next(stack.gate.glob("at-*-*"), None), within_s=60, what="an engine is at the gate")
    return int(mark.name.split("-")[1])


def engine_calls(stack: Stack) -> list[str]:
    """A line for each segment that an engine was asked for: process id and number."""
    ledger = stack.gate / "transcribed"
    return ledger.read_text().splitlines() if ledger.exists() else []
