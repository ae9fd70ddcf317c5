"""The worker's entry: `celery -A streametrics.celery_app worker`. Its options stand in `queue`."""

import sys

from streametrics.queue import create_celery
from streametrics.settings import Settings
from streametrics.tasks import signals
from streametrics.tasks.stopping import StopThread

__all__ = ["app", "signals"]

app = create_celery(Settings())
if sys.platform != "win32":
    app.steps["worker"].add(StopThread)
