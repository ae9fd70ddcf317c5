"""The Celery side of a job: tasks, attempts, leases and progress."""
