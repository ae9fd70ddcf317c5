"""`celery -A benchmarks.timed_worker worker`: the real worker with the stopwatch of `timed`."""

from benchmarks import timed
from streametrics.celery_app import app

__all__ = ["app", "timed"]

# A spawned child imports what is included, not this file.
app.conf.include = [*app.conf.include, "benchmarks.timed"]
