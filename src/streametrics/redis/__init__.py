"""Shares state in Redis that may vanish: progress, job versions, the worker registry, counters."""
