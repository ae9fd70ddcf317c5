"""`celery -A tests.support.workers.gated worker`: the real worker with the engine and the writer of `gate`."""

from streametrics.celery_app import app
from tests.support.workers import gate

__all__ = ["app", "gate"]

# A spawned child imports what is included, not this file.
app.conf.include = [*app.conf.include, "tests.support.workers.gate"]
