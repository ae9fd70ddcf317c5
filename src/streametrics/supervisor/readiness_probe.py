"""Asks `GET /health/ready`, for the start and for `doctor`."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

#: The checks that must pass before a job can be finished; the model server may come later.
NEEDED = ("database", "storage", "queue", "transcribe_worker", "summarise_worker")


@dataclass(frozen=True, slots=True)
class Readiness:
    """The answer: `status` is `ready`, `warming` or `not_ready`; each check has `ok`, `detail` and facts."""

    status: str
    checks: dict[str, dict[str, Any]]

    def is_ready(self, needed: tuple[str, ...] = NEEDED) -> bool:
        return all(self.checks.get(name, {}).get("ok") for name in needed)

    def missing(self, needed: tuple[str, ...] = NEEDED) -> str:
        """List the names of checks that do not pass yet."""
        return ", ".join(name.replace("_", " ") for name in needed if not self.checks.get(name, {}).get("ok"))

    def waiting_for(self, needed: tuple[str, ...] = NEEDED) -> str:
        """Say which checks do not pass yet, and why."""
        missing = [name for name in needed if not self.checks.get(name, {}).get("ok")]
        return "; ".join(
            f"{name.replace('_', ' ')}: {self.checks.get(name, {}).get('detail') or 'nothing heard of it'}"
            for name in missing
        )


def fetch(url: str, timeout_s: float = 5.0) -> Readiness | None:
    """Ask the API at `url` (`http://host:port`); None where none of ours answers."""
    # No proxy: one that is set for the internet would be asked about this machine's own address.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/health/ready", timeout=timeout_s) as response:
            body = json.load(response)
    except urllib.error.HTTPError as error:  # 503 while it is not ready, with the same body
        try:
            body = json.load(error)
        except ValueError:
            return None
    except (OSError, ValueError):
        return None
    if not isinstance(body, dict) or not isinstance(body.get("checks"), dict):
        return None
    return Readiness(str(body.get("status")), body["checks"])
