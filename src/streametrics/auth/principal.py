"""Principals and scopes: who is asking, and what they may do and see. `api_keys` finds the principal of a key."""

from dataclasses import dataclass, field
from enum import StrEnum

#: The owner of jobs that were sent without a key, or with INTERNAL_API_KEY.
LOCAL_OWNER = "local"


class Scope(StrEnum):
    """What a key may do; each may also do what stands above it."""

    READ = "read"  #: read jobs of its owner
    SUBMIT = "submit"  #: submit, resummarize and cancel jobs
    ADMIN = "admin"  #: every job, and metrics

    def allows(self, wanted: "Scope") -> bool:
        """Tell whether this scope is enough where `wanted` is asked for."""
        order = list(Scope)
        return order.index(self) >= order.index(wanted)


@dataclass(frozen=True, slots=True)
class Principal:
    """The identity behind a request. `owner` is written into the jobs that it submits."""

    owner: str
    scope: Scope
    #: The id of its key; None of INTERNAL_API_KEY and without keys.
    key_id: str | None = field(default=None, compare=False)


#: Everybody on this machine, while there is no key at all.
LOCAL = Principal(LOCAL_OWNER, Scope.ADMIN)


def may_see(principal: Principal, owner: str) -> bool:
    """Decide whether a principal may see an owner's jobs; for others, their ids do not exist."""
    return principal.scope is Scope.ADMIN or principal.owner == owner


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One stored key. `owner` is whose jobs it submits and sees: its own id, or that of the key it reads for."""

    key_id: str
    name: str
    scope: Scope
    owner: str
    digest: str
    created_at: float


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to be stored. reads_for: the name of the key whose jobs it sees; None for its own."""

    name: str
    scope: Scope
    digest: str
    reads_for: str | None = None
