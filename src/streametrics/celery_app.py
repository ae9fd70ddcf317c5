"""Creates the worker's application: `celery -A streametrics.celery_app worker`. Its options are in `jobs.broker`."""

import os
import sys

from streametrics.jobs.broker import create_celery
from streametrics.settings import PRIVATE_UMASK, Settings
from streametrics.worker import signals
from streametrics.worker.stopping import StopThread

__all__ = ["app", "signals"]

os.umask(PRIVATE_UMASK)  # before anything is written; the pool's processes and decoders inherit it
app = create_celery(Settings())
if sys.platform != "win32":
    app.steps["worker"].add(StopThread)
