"""`celery -A tests.chaos.stub_worker worker`: the real worker with the engine and the writer of `stub`."""

from streametrics.celery_app import app
from tests.chaos import stub
from tests.chaos.broken import break_if_asked

__all__ = ["app", "stub"]

# A spawned child imports what is included, not this file.
app.conf.include = [*app.conf.include, "tests.chaos.stub"]
break_if_asked()
