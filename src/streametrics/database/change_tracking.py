"""Tracks which jobs a transaction changes as clients see them: found in its statements, so no writer has to say it.

A cached response must not outlive a change. A writer that has to report its changes can forget to; a statement cannot
be made without its WHERE.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Delete, Insert, Select, Table, Update
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList, ClauseElement

from streametrics.database.tables import UNSEEN_COLUMNS, jobs, notes, parts

#: The tables that a job's status is made of.
_STATUS_TABLES = (jobs, parts, notes)


class Changes:
    """Collects the jobs that one transaction has changed so far. `every` says that it may be any of them."""

    def __init__(self) -> None:
        self.task_ids: set[str] = set()
        self.every = False

    def __bool__(self) -> bool:
        return self.every or bool(self.task_ids)

    def note(self, statement: ClauseElement, parameters: Iterable[Mapping[str, Any]], rows: int) -> None:
        """Take a statement into account that was run with these parameters and has met so many rows (-1: unknown)."""
        if isinstance(statement, Select) or rows == 0:
            return
        if isinstance(statement, Insert):
            # A job that is new has no response that could be cached, and a part has no words yet.
            if statement.table is notes:
                self.task_ids |= {row["task_id"] for row in parameters}
            return
        if isinstance(statement, Update | Delete):
            self._note_where(statement)
            return
        self.every = True

    def _note_where(self, statement: Update | Delete) -> None:
        table = statement.table
        if table not in _STATUS_TABLES or (isinstance(statement, Update) and _sets_unseen_only(statement)):
            return
        found = _named_jobs(statement.whereclause, table) if isinstance(table, Table) else None
        if found is None:
            self.every = True
        else:
            self.task_ids |= found


def _sets_unseen_only(statement: Update) -> bool:
    """Tell whether only columns are set that clients do not see; they are written every few seconds."""
    values = statement._values
    return bool(values) and {getattr(column, "key", column) for column in values or ()} <= UNSEEN_COLUMNS


def _named_jobs(where: ColumnElement[Any] | None, table: Table) -> set[str] | None:
    """Find the jobs that a condition allows at most, named in `task_id = …` or `task_id IN (…)`; else None."""
    if isinstance(where, BooleanClauseList) and where.operator is operators.and_:
        named = [_named_jobs(clause, table) for clause in where.clauses]
        return next((found for found in named if found is not None), None)
    if not isinstance(where, BinaryExpression) or where.left is not table.c.task_id:
        return None
    if not isinstance(where.right, BindParameter):
        return None
    value: Any = where.right.value
    if where.operator is operators.eq:
        return {value}
    return set(value) if where.operator is operators.in_op else None
