"""Shares tools for threads, tasks and processes: ones that outlive their errors, a cache, whether one is alive."""
