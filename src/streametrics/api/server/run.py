"""Runs the HTTP server until it is told to stop."""

import logging
import sys

from streametrics.errors import UnsafeSettings
from streametrics.jobs.connections import Connections
from streametrics.settings import Settings

#: The last part of a request is answered within this time when the API stops, in seconds. Below the supervisor's.
API_GRACE_S = 3

logger = logging.getLogger(__name__)


def run(settings: Settings) -> None:
    """Migrate the database, raise the limit of open files, and serve. The settings are checked already."""
    import uvicorn

    from streametrics.api.server.http_protocol import bounded_http
    from streametrics.database.migrate import migrate

    migrate(settings.effective_database_url, setting=settings.database_setting)
    refuse_other_service(settings)
    allow_many_connections()
    uvicorn.run(
        "streametrics.app:create_app",
        factory=True,
        host=settings.host,
        port=settings.port,
        # By name, so that a start without it fails instead of being half as fast.
        loop="asyncio" if sys.platform == "win32" else "uvloop",
        http=bounded_http(),
        ws="none",  # there is no such route, and its connections would have none of these limits
        log_config=None,  # uvicorn's own would print every poll
        access_log=False,
        proxy_headers=False,  # anybody on this machine could send them
        server_header=False,
        timeout_graceful_shutdown=API_GRACE_S,
    )


def refuse_other_service(settings: Settings) -> None:
    """Raise UnsafeSettings while another service, on another database or audio store, uses this queue."""
    connections = Connections(settings)
    try:
        if not connections.announce_service():
            raise UnsafeSettings(connections.registry.other_service)
    finally:
        connections.close()


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
