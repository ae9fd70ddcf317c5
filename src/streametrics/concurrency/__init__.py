"""Shares tools for threads and processes: a periodic thread, a cache of a few seconds, whether a process is alive."""
