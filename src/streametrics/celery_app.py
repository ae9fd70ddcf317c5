"""The worker's entry: `celery -A streametrics.celery_app worker`. Its options stand in `queue`."""

from streametrics.queue import create_celery
from streametrics.settings import Settings
from streametrics.tasks import signals

__all__ = ["app", "signals"]

app = create_celery(Settings())
