"""Who is asking, and what they may do and see. Words and rules only: finding out who it is, is `api_keys`'s work."""

from dataclasses import dataclass
from enum import StrEnum

#: The owner of jobs that were sent without a key, or with INTERNAL_API_KEY.
LOCAL_OWNER = "local"


class Scope(StrEnum):
    """What a key may do; each may also do what stands above it."""

    READ = "read"  #: read jobs of its owner
    SUBMIT = "submit"  #: send, redo and end them
    ADMIN = "admin"  #: every job, metrics and documentation

    def allows(self, wanted: "Scope") -> bool:
        """Whether this scope is enough where `wanted` is asked for."""
        order = list(Scope)
        return order.index(self) >= order.index(wanted)


@dataclass(frozen=True, slots=True)
class Caller:
    """The key behind a request. `owner` is written into the jobs that it sends."""

    owner: str
    scope: Scope


#: Everybody on this machine, while there is no key at all.
LOCAL = Caller(LOCAL_OWNER, Scope.ADMIN)


def may_see(caller: Caller, owner: str) -> bool:
    """The one rule: a job is its owner's and the administrator's; for everybody else its id does not exist."""
    return caller.scope is Scope.ADMIN or caller.owner == owner


#: Open without a key: nothing of anybody's job is told there.
OPEN_PATHS = ("/", "/health/live", "/health/ready")


def wanted_scope(method: str, path: str) -> Scope | None:
    """What a request wants once there are keys; None where it is open to all.

    Whatever is not named here wants `admin`, so a route that is new is closed until somebody says otherwise.
    """
    if path in OPEN_PATHS:
        return None
    if path == "/summarize" or path.startswith("/summarize/"):
        return Scope.READ if method in ("GET", "HEAD") else Scope.SUBMIT
    return Scope.ADMIN
