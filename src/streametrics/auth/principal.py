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


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One key. `owner` is whose jobs it sends and sees: its own id, or that of the key it was made to read for."""

    key_id: str
    name: str
    scope: Scope
    owner: str
    digest: str
    created_at: float
