"""Checks the Redis of REDIS_URL before a start: whether it answers, and whether it would lose jobs."""

import time
from dataclasses import dataclass

import redis
from redis.exceptions import AuthenticationError, BusyLoadingError, RedisError, ResponseError

from streametrics.errors import QueueUnavailable, StreametricsError, UnsafeSettings
from streametrics.net.urls import without_password

ANSWER_WITHIN_S = 10.0
PROBE_S = 1.0
#: Below it, redis-py cannot talk to the server.
OLDEST_REDIS = 6


class QueueWantsPassword(StreametricsError):
    """The queue wants a password."""

    code = "queue_password"


class QueueNotTrusted(StreametricsError):
    """The queue's certificate is not trusted."""

    code = "queue_not_trusted"


class QueueAddressInvalid(StreametricsError):
    """The queue's address is not one."""

    code = "queue_address"


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """What a server says of itself. `maxmemory_bytes` is 0 where there is no limit."""

    software: str
    version: str
    maxmemory_policy: str
    maxmemory_bytes: int
    keeps_on_disk: bool

    @property
    def unsafe(self) -> str | None:
        """Why jobs would be lost with this server, and what to set; None where they would not."""
        if self.maxmemory_policy.startswith("allkeys"):
            return (
                f"The queue's maxmemory-policy is {self.maxmemory_policy}, which drops jobs when memory is "
                "short: set 'maxmemory-policy noeviction' in its configuration."
            )
        major = self.version.split(".")[0]
        if self.software == "Redis" and not (major.isdecimal() and int(major[:9]) >= OLDEST_REDIS):
            return f"Redis {self.version} is too old: {OLDEST_REDIS}.0 or Valkey is wanted."
        return None

    @property
    def warnings(self) -> list[str]:
        found = []
        if self.maxmemory_policy.startswith("volatile"):
            found.append(
                f"The queue's maxmemory-policy is {self.maxmemory_policy}: progress may vanish when memory "
                "is short. 'noeviction' is better."
            )
        if not self.keeps_on_disk:
            found.append(
                "The queue keeps nothing on disk; after its restart, waiting jobs are sent again from the "
                "database. Set 'appendonly yes' in its configuration to spare that."
            )
        return found


def _client(url: str, timeout_s: float) -> "redis.Redis":
    return redis.Redis.from_url(
        url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=None, retry_on_timeout=False
    )


def require_address(url: str) -> None:
    """Check the form of an address. Raises QueueAddressInvalid."""
    try:
        _client(url, PROBE_S).connection_pool.make_connection()  # which connects nowhere yet
    except (ValueError, TypeError, RedisError) as error:
        raise QueueAddressInvalid(
            f"REDIS_URL={without_password(url)} is no queue's address ({error}): set redis://:PASSWORD@HOST:PORT/0, or "
            "rediss://… for TLS (with ?ssl_ca_certs=/path/ca.pem where its certificate is not a public one's)."
        ) from error


def answers(url: str, timeout_s: float = PROBE_S) -> bool:
    """Tell whether a server answers PING there.

    Raises QueueWantsPassword, QueueNotTrusted, and BusyLoadingError while it loads.
    """
    try:
        with _client(url, timeout_s) as client:
            return bool(client.ping())
    except BusyLoadingError:
        raise
    except (AuthenticationError, ResponseError) as error:
        raise QueueWantsPassword(_refusal(url, error)) from error
    except (RedisError, OSError, ValueError) as error:  # ValueError: what answers speaks something else
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise QueueNotTrusted(
                f"The certificate of the queue at {without_password(url)} (REDIS_URL) is not trusted: name the file of "
                "its authority with ?ssl_ca_certs=/path/ca.pem, or do without the check with ?ssl_cert_reqs=none."
            ) from error
        return False


def _refusal(url: str, error: RedisError) -> str:
    if "without any password" in str(error):
        mend = "it has no password: take it out of REDIS_URL, or where that is not set delete DATA_DIR/queue/password."
    else:
        mend = (
            "put its password into REDIS_URL=redis://:PASSWORD@HOST:PORT/0 in .env. Where REDIS_URL is not set, it is "
            "the queue of another installation or another program: set another QUEUE_PORT."
        )
    return f"The queue at {without_password(url)} refuses us ({error}): {mend}"


def answers_now(url: str) -> bool:
    """Tell whether a server answers PING there and has read its data."""
    try:
        return answers(url)
    except BusyLoadingError:
        return False


def is_there(url: str) -> bool:
    """Tell whether a server listens there, even if it is still reading its data."""
    try:
        return answers(url)
    except BusyLoadingError:
        return True


def wait_until_answers(url: str, within_s: float = ANSWER_WITHIN_S) -> None:
    """Wait for a server, also for one that is loading. Raises QueueUnavailable when nothing answers in time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if answers(url):
                return
        except BusyLoadingError:
            deadline = max(deadline, time.monotonic() + PROBE_S)
        time.sleep(0.1)
    raise QueueUnavailable(
        f"The queue at {without_password(url)} (REDIS_URL) did not answer for {within_s:.0f} s: start it, "
        "correct REDIS_URL, or remove REDIS_URL to use the embedded queue."
    )


def facts(url: str) -> QueueFacts:
    """Ask a server for its version and settings, by INFO as hosted ones forbid CONFIG. Raises QueueUnavailable."""
    try:
        with _client(url, ANSWER_WITHIN_S) as client:
            info = client.info("everything")
            keeps_on_disk = bool(info.get("aof_enabled")) or _takes_snapshots(client)
    except (RedisError, OSError, ValueError) as error:
        raise QueueUnavailable(f"The queue at {without_password(url)} does not answer: {error}") from error
    try:
        valkey = info.get("server_name") == "valkey"
        return QueueFacts(
            software="Valkey" if valkey else "Redis",
            version=str(info["valkey_version"] if valkey else info["redis_version"]),
            maxmemory_policy=str(info.get("maxmemory_policy", "noeviction")),
            maxmemory_bytes=int(info.get("maxmemory", 0)),
            keeps_on_disk=keeps_on_disk,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise QueueUnavailable(f"What answers at {without_password(url)} is no Redis or Valkey.") from error


def _takes_snapshots(client: "redis.Redis") -> bool:
    try:
        return bool(client.config_get("save").get("save"))
    except ResponseError:  # CONFIG is forbidden, so somebody else looks after this server
        return True


def require_safe(url: str) -> list[str]:
    """Refuse a server that would lose jobs, with UnsafeSettings; returns warnings about others."""
    found = facts(url)
    if found.unsafe:
        raise UnsafeSettings(found.unsafe)
    return found.warnings
