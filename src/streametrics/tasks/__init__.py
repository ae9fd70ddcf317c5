"""The Celery side: thin tasks over `worker`, and what a worker process sets up for them."""
