"""The worker's entry: `celery -A streametrics.celery_app worker`. Its options stand in `jobs.broker`."""

from streametrics.jobs.broker import create_celery
from streametrics.settings import Settings
from streametrics.worker import signals

__all__ = ["app", "signals"]

app = create_celery(Settings())
