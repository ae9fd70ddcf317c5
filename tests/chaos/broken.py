"""A build that is broken on purpose, for API and workers alike. CHAOS_MAINTENANCE_OFF: maintenance never starts."""

import os

from streametrics.jobs import maintenance


def break_if_asked() -> None:
    """The suite has to fail with such a build, or it would find what it hopes for."""
    if "CHAOS_MAINTENANCE_OFF" in os.environ:
        maintenance.Maintenance.start = lambda self: None
        maintenance.Maintenance.stop = lambda self: None
