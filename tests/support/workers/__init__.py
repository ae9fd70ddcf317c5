"""Celery entries for tests, that run the real worker with an engine or a writer that waits for the test."""
