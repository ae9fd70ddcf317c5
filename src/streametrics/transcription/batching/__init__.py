"""Schedules the windows of several requests into one batch."""
