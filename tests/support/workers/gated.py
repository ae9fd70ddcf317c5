"""`celery -A tests.support.workers.gated worker`: the real worker with the engine and the writer of `gate`."""

from celery.signals import worker_shutting_down

from streametrics.celery_app import app
from tests.support.workers import gate

__all__ = ["app", "gate"]

# A spawned child imports what is included, not this file.
app.conf.include = [*app.conf.include, "tests.support.workers.gate"]
# The parent hears signals; in a child this would hold up the connecting of receivers.
worker_shutting_down.lock = gate.SlowLock()
