"""Checks whether the API's port is free."""

import socket
from pathlib import Path

from streametrics.errors import StreametricsError
from streametrics.settings import Settings


class PortTaken(StreametricsError):
    """The port is already in use."""

    code = "port_taken"


def port_is_free(host: str, port: int) -> bool:
    """Tell whether a server could listen there now. Raises PortTaken where the host is no address of ours."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise PortTaken(f"HOST={host} is not an address of this machine.") from error
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server will, after a restart
        try:
            probe.bind(address)
            probe.listen(1)
        except PermissionError as error:
            raise PortTaken(f"PORT={port} may not be used by this account: choose one above 1023.") from error
        except OSError:
            return False
    return True


def owner_of_listener(port: int, sockets: Path = Path("/proc/net/tcp")) -> int | None:
    """Find the account that listens on this port of 127.0.0.1 or all addresses; None where the system does not tell."""
    try:
        lines = sockets.read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return None
    for fields in map(str.split, lines):
        address, state = fields[1], fields[3]
        if state == "0A" and address in (f"0100007F:{port:04X}", f"00000000:{port:04X}"):
            return int(fields[7])
    return None


def is_foreign_queue(settings: Settings) -> bool:
    """Tell whether another account listens where our embedded queue should: it must not be told the password."""
    try:
        ours = settings.queue_password_file.stat().st_uid
    except OSError:
        return False
    return not settings.redis_url and owner_of_listener(settings.queue_port) not in (None, ours)


def require_free_port(settings: Settings) -> None:
    """Refuse a port that is in use, with PortTaken, which says what to do."""
    if port_is_free(settings.host, settings.port):
        return
    airplay = " (on a Mac, AirPlay Receiver uses 5000)" if settings.port == 5000 else ""
    raise PortTaken(
        f"Port {settings.port} on {settings.host} is already in use{airplay}: stop what uses it, or choose "
        f"another with PORT={settings.port + 1} in .env or './start.sh --port {settings.port + 1}'."
    )


def free_port(host: str) -> int:
    """Find a port that nothing listens on now, for PORT=0."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def local_url(settings: Settings) -> str:
    """Make the address by which this machine reaches the API, without a slash at the end."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - compared
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
