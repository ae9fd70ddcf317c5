"""`celery -A benchmarks.paced_worker worker`: the real worker with the engine and the model of `paced`."""

from benchmarks import paced
from streametrics.celery_app import app

__all__ = ["app", "paced"]

# A spawned child imports what is included, not this file.
app.conf.include = [*app.conf.include, "benchmarks.paced"]
