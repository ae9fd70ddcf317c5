"""Keeps the markers of streams: places that a person has named."""

import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, insert, select

from streametrics.database.engine import Database, now
from streametrics.database.idempotency import IdempotentCall, remember
from streametrics.database.stream_tables import markers
from streametrics.errors import TooManyMarkers

#: The most markers of a stream.
MOST_MARKERS = 1000


@dataclass(frozen=True, slots=True)
class Marker:
    """A place in a stream, in seconds from the beginning of its first chunk, and what a person says of it."""

    number: int
    id: str
    position_s: float
    description: str
    created_at: float


class Markers:
    """Adds and reads markers. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, stream: int, position_s: float, description: str, *, call: IdempotentCall | None = None) -> str:
        """Add a marker; returns its id. call: to be remembered. Raises TooManyMarkers, CalledBefore."""
        marker_id = f"mrk_{secrets.token_hex(8)}"
        with self._database.write() as connection:
            count = select(func.count()).select_from(markers).where(markers.c.stream == stream)
            if connection.execute(count).scalar_one() >= MOST_MARKERS:
                raise TooManyMarkers
            if call is not None:
                remember(connection, call, marker_id)
            values = {"id": marker_id, "stream": stream, "position_s": position_s, "description": description}
            connection.execute(insert(markers).values(**values, created_at=now()))
        return marker_id

    def get(self, stream: int, marker_id: str) -> Marker | None:
        """Read a marker; None where it is gone."""
        query = select(markers).where(markers.c.id == marker_id, markers.c.stream == stream)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _marker(row)

    def page(self, stream: int, *, before: int | None, limit: int) -> list[Marker]:
        """Read a stream's markers, the newest first, behind the number `before`."""
        query = select(markers).where(markers.c.stream == stream).order_by(markers.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(markers.c.number < before)
        with self._database.read() as connection:
            return [_marker(row) for row in connection.execute(query).all()]


def _marker(row: Row[Any]) -> Marker:
    return Marker(row.number, row.id, row.position_s, row.description, row.created_at)
