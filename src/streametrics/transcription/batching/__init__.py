"""Schedules the windows of several requests into common batches, and runs these."""
