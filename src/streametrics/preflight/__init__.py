"""Checks before a start: settings, ports, the broker."""
