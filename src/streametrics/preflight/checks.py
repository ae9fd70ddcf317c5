"""Checks settings before a start: those that would lose jobs or let strangers in are refused by name.

Each sentence names the setting and says what to set. What only might be wrong is a warning. `up`, `api` and `worker`
check at their start, `doctor` shows it.
"""

import difflib
import os
import re
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values

from streametrics.database.address import DatabaseUnusable, require_address, require_usable
from streametrics.database.api_keys import has_keys
from streametrics.errors import DatabaseUnavailable, StreametricsError, UnsafeSettings
from streametrics.net.addresses import is_loopback
from streametrics.net.urls import without_password
from streametrics.preflight import broker, ports, settings_errors
from streametrics.settings import KEY_MIN_LENGTH, PUBLISHED_KEY, VISIBILITY_TIMEOUT_S, Settings

#: An origin as a browser sends it.
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")
#: File systems on which SQLite's locks and shared memory do not hold between hosts, or at all.
_NETWORK_FILE_SYSTEMS = re.compile(
    r"nfs.*|cifs|smb.*|9p|drvfs|afs|ceph|lustre|(?:fuse\.)?(?:glusterfs|sshfs|s3fs|rclone)"
)

#: What lies in DATA_DIR beside files.
_FOLDERS = ("audio", "logs", "queue")
#: What every process that shares it reads; see `storage.local`.
_AUDIO_STORE_ID = "audio/.store-id"


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem: a name for programs, and the sentence for people. refused: nothing starts with it."""

    name: str
    sentence: str
    refused: bool = True

    @property
    def about_queue(self) -> bool:
        """Tell whether it is about the queue's server, and not about the settings."""
        return self.name in ("queue", "queue_policy")


def require_safe(settings: Settings, *, serves: bool = True) -> list[str]:
    """Refuse unsafe settings, with UnsafeSettings of a line each; returns the warnings. serves: whether HOST counts."""
    findings = examine(settings, serves=serves)
    refused = [finding.sentence for finding in findings if finding.refused]
    if refused:
        raise UnsafeSettings("\n".join(refused))
    return [finding.sentence for finding in findings]


def examine(settings: Settings, *, serves: bool = True) -> list[Finding]:
    """Find all problems, refusals first."""
    found = [*_times(settings), *_data_dir(settings), *_database(settings), *_queue(settings)]
    if serves:
        found += [*_bind(settings), *_pages(settings)]
    return sorted(found, key=lambda finding: not finding.refused)


def _bind(settings: Settings) -> Iterator[Finding]:
    try:
        refuse_open_bind(settings)
    except UnsafeSettings as error:
        if settings.internal_api_key or not _has_keys(settings):
            yield Finding("open_bind", str(error))


def _has_keys(settings: Settings) -> bool:
    try:
        return has_keys(settings.effective_database_url)
    except (DatabaseUnavailable, DatabaseUnusable):
        return False


def _pages(settings: Settings) -> Iterator[Finding]:
    for origin in settings.allowed_origins:
        if not _ORIGIN.fullmatch(origin):
            yield Finding(
                "allowed_origins",
                f"ALLOWED_ORIGINS={origin} is no page's origin, or would stand for every page: name each page that "
                "may call as scheme://host or scheme://host:port, in lower case.",
            )
    for host in settings.allowed_hosts:
        if not re.fullmatch(r"[A-Za-z0-9._-]+", host):
            yield Finding(
                "allowed_hosts",
                f"ALLOWED_HOSTS={host} is no name, or would stand for every name, which a page could then take: "
                "name each host, without scheme and port.",
            )


def _times(settings: Settings) -> Iterator[Finding]:
    limit_s = settings.task_time_limit_s
    if settings.lease_s >= limit_s:
        yield Finding(
            "lease",
            f"LEASE_S={settings.lease_s:g} is not below TASK_TIME_LIMIT_S={limit_s:g}, so a dead worker's job would "
            "be given up before it is found: set a LEASE_S of about 10.",
        )
    if settings.task_soft_time_limit_s >= limit_s:
        yield Finding(
            "soft_limit",
            f"TASK_SOFT_TIME_LIMIT_S={settings.task_soft_time_limit_s:g} is not below TASK_TIME_LIMIT_S={limit_s:g}, "
            "so a task is killed before it is asked to stop: set it about 60 below.",
            refused=False,
        )
    if limit_s >= VISIBILITY_TIMEOUT_S:
        yield Finding(
            "visibility_timeout",
            f"TASK_TIME_LIMIT_S={limit_s:g} is not below {VISIBILITY_TIMEOUT_S}, after which the queue hands a "
            f"message out again: set it below {VISIBILITY_TIMEOUT_S}. Limits hold for a part of a recording.",
        )


def _data_dir(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    shown = settings_errors.display(folder)
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        yield Finding("data_dir", f"DATA_DIR={shown} cannot be written to: set a folder that this account owns.")
        return
    for name in _FOLDERS:
        if (path := folder / name).exists() and not (path.is_dir() and os.access(path, os.W_OK | os.X_OK)):
            yield Finding("data_dir", f"{shown}/{name} (DATA_DIR) is no folder that can be written to: move it away.")
    if (path := folder / _AUDIO_STORE_ID).exists() and not (path.is_file() and os.access(path, os.R_OK)):
        sentence = f"{shown}/{_AUDIO_STORE_ID} (DATA_DIR) is no file that this account can read: move it away."
        yield Finding("data_dir", sentence)
    if sys.platform != "win32" and existing == folder and folder.stat().st_mode & stat.S_IWOTH:
        yield Finding(
            "data_dir_open",
            f"DATA_DIR={shown} may be written to by every account of this machine, which could change the database: "
            f"run 'chmod o-w {shown}', or set another folder.",
        )
    if settings.effective_database_url.startswith("sqlite"):
        kind = _file_system(existing)
        if _NETWORK_FILE_SYSTEMS.fullmatch(kind):
            yield Finding(
                "network_file_system",
                f"DATA_DIR={shown} lies on {kind}, where SQLite may lose what it wrote: set a folder on a local disk, "
                "or DATABASE_URL.",
                refused=False,
            )


def _database(settings: Settings) -> Iterator[Finding]:
    try:
        require_address(settings.effective_database_url)
    except DatabaseUnusable as error:
        yield Finding("database_url", str(error))


def require_database(settings: Settings) -> None:
    """Check that a worker can use the database, also one that a newer API has migrated. Raises DatabaseUnusable."""
    require_usable(settings.effective_database_url, setting=settings.database_setting, newer=True)


def _file_system(folder: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """Find the kind of the file system that a folder lies on; empty where the system does not tell."""
    try:
        lines = [line.split(" ") for line in mounts.read_text(errors="replace").splitlines()]
    except OSError:
        return ""
    found = {Path(line[1].replace("\\040", " ")): line[2] for line in lines if len(line) > 2}
    # The last mount of a place hides those before it, and the deepest place is the one that counts.
    return next((found[path] for path in (folder, *folder.parents) if path in found), "")


def _queue(settings: Settings) -> Iterator[Finding]:
    url = settings.effective_redis_url
    try:
        broker.require_address(url)
    except StreametricsError as error:
        yield Finding("redis_url", str(error))
        return
    parts = urlsplit(url)
    if parts.hostname and not is_loopback(parts.hostname) and not parts.password:
        yield Finding(
            "queue_password",
            f"The queue at {parts.hostname} (REDIS_URL) is asked without a password: where others reach it, they "
            "read and change jobs. Set one: redis://:PASSWORD@HOST:PORT/0.",
            refused=False,
        )
    if ports.is_foreign_queue(settings):
        yield Finding(
            "queue_owner",
            f"What listens on 127.0.0.1:{settings.queue_port} belongs to another account, so it is no embedded "
            "queue of this DATA_DIR: stop it, set another QUEUE_PORT, or name it in REDIS_URL if it is yours.",
            refused=False,
        )
        return
    try:
        # One that is away is waited for, or started, by those who need it.
        facts = broker.facts(url) if broker.answers_now(url) else None
    except StreametricsError:
        return
    if facts is not None:
        if parts.hostname and is_loopback(parts.hostname) and not parts.password and sys.platform != "win32":
            yield Finding(
                "queue_password",
                f"The queue at {parts.hostname}:{parts.port or 6379} has no password, so every account of this machine "
                "may read and change jobs in work. Set one ('requirepass' in its configuration) and "
                "REDIS_URL=redis://:PASSWORD@HOST:PORT/0; or stop it, as the embedded queue has one.",
                refused=False,
            )
        if facts.unsafe:
            yield Finding("queue_policy", facts.unsafe)
        yield from (Finding("queue", warning, refused=False) for warning in facts.warnings)


def refuse_open_bind(settings: Settings) -> None:
    """Refuse an address that other machines reach without a long key, with UnsafeSettings."""
    if is_loopback(settings.host) or len(settings.internal_api_key) >= KEY_MIN_LENGTH:
        return
    state = "too short" if settings.internal_api_key else "the published one" if _published_key_is_set() else "not set"
    raise UnsafeSettings(
        f"HOST={settings.host} lets other machines in, and INTERNAL_API_KEY is {state}: set one of {KEY_MIN_LENGTH} "
        "characters or more in .env, or HOST=127.0.0.1."
    )


def _published_key_is_set() -> bool:
    return os.environ.get("INTERNAL_API_KEY", dotenv_values(".env").get("INTERNAL_API_KEY")) == PUBLISHED_KEY


def settings_warnings() -> list[str]:
    """Find what is allowed and probably not meant: the published key, and names and rights of `.env`."""
    written = {name.upper(): value or "" for name, value in dotenv_values(".env").items()}
    warnings = []
    if _published_key_is_set():
        warnings.append(
            f"INTERNAL_API_KEY={PUBLISHED_KEY} was printed in the first version's documentation, so "
            "everybody knows it; it counts as not set. Choose another one."
        )
    known = [name.upper() for name in Settings.model_fields]
    for name in sorted(written.keys() - set(known)):
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
        if near:
            warnings.append(f"{name} in .env is not a setting of StreaMetrics. Is {near[0]} meant?")
    secrets = [name for name, value in sorted(written.items()) if _is_secret(name, value)]
    if secrets and sys.platform != "win32" and Path(".env").stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        warnings.append(f".env holds a secret ({secrets[0]}) that other accounts can read: run 'chmod 600 .env'.")
    return warnings


def _is_secret(name: str, value: str) -> bool:
    if name.endswith("_KEY"):
        return bool(value) and value != PUBLISHED_KEY
    return name.endswith("_URL") and without_password(value) != value
