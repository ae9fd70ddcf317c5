"""`celery -A tests.chaos.stub_worker worker`: the real worker with the engine and the writer of `stub`."""

from streametrics.celery_app import app
from tests.chaos import stub

__all__ = ["app", "stub"]

# A spawned child imports what is included, not this file.
app.conf.include = [*app.conf.include, "tests.chaos.stub"]
