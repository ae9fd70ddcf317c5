"""Decides who may see, make and revoke keys. No rule raises a scope, or reaches another owner's keys."""

from streametrics.auth.principal import KeyRecord, Principal, Scope
from streametrics.errors import ScopeTooSmall


def may_see_key(principal: Principal, record: KeyRecord) -> bool:
    """Tell whether a principal may know of a key: of all, or of its own and what reads for it."""
    if principal.scope is Scope.ADMIN or principal.key_id == record.key_id:
        return True
    return record.scope is Scope.READ and record.owner == principal.owner


def require_may_make(principal: Principal, scope: Scope) -> None:
    """Check that a principal may make a key of this scope. Raises ScopeTooSmall."""
    if principal.scope is not Scope.ADMIN and scope is not Scope.READ:
        raise ScopeTooSmall(
            f"This key has the scope '{principal.scope}', so it makes keys that read for it; "
            f"one with '{scope}' is an administrator's to make."
        )


def require_may_revoke(principal: Principal, record: KeyRecord) -> None:
    """Check that a principal may revoke a key that it sees. Raises ScopeTooSmall."""
    if principal.scope is not Scope.ADMIN and record.scope is not Scope.READ:
        raise ScopeTooSmall("A key revokes those that read for it; itself is an administrator's to revoke.")
