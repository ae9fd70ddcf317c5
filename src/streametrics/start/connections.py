"""How many connections a process may hold open."""

import logging
import sys

logger = logging.getLogger(__name__)


def allow_many_connections() -> int | None:
    """Raise the soft limit of open files to the hard one; returns it, None where the system has no such limit.

    Many systems start with 1,024, which a thousand pollers reach; the connection after that is not accepted, and the
    server's loop spins on it.
    """
    if sys.platform == "win32":
        return None
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return hard
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError) as error:
        # macOS says "unlimited" and takes only numbers.
        logger.warning("the limit of open files stays at %d: %s", soft, error)
        return soft
    return hard
