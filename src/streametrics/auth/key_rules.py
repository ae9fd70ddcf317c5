"""Decides who may see, make and revoke keys. No rule raises a scope, or reaches another owner's keys."""

from streametrics.auth.principal import KeyRecord, Principal, Scope
from streametrics.errors import InvalidRequest, ScopeTooSmall


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


def require_is_of_use(scope: Scope, *, reads_for: str | None, is_first: bool, is_admins: bool) -> None:
    """Check that a key made over HTTP can do something, and locks nobody out. Raises InvalidRequest.

    is_first: from it on every call needs a key. is_admins: an administrator makes it.
    """
    if is_first and scope is not Scope.ADMIN:
        raise InvalidRequest(
            "The first key has to be of the scope 'admin': from it on every call needs a key, and only such a one can "
            "make others. (At the command line: python -m streametrics keys add.)"
        )
    if scope is Scope.READ and is_admins and reads_for is None:
        raise InvalidRequest("A 'read' key reads the jobs of another one: name it with 'for'.")


def require_may_revoke(principal: Principal, record: KeyRecord) -> None:
    """Check that a principal may revoke a key that it sees. Raises ScopeTooSmall."""
    if principal.scope is not Scope.ADMIN and record.scope is not Scope.READ:
        raise ScopeTooSmall("A key revokes those that read for it; itself is an administrator's to revoke.")
