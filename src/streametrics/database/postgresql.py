"""Connects to PostgreSQL, so that nothing waits for ever: not for the network, not for the server, not for a lock."""

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError

from streametrics.database.timeouts import Timeouts
from streametrics.errors import DatabaseUnavailable

#: Bytes that nobody acknowledges for so long end a connection, in milliseconds.
TCP_USER_TIMEOUT_MS = 5000
#: An idle connection is tried after so many seconds, and given up when so many tries at this interval get no answer.
KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_TRIES = 5, 2, 2


def open_postgresql(url: str, timeouts: Timeouts, *, pool_size: int) -> Engine:
    """Create an engine. What the address itself says of its connections goes before our limits."""
    said = make_url(url).query
    limits = {
        "connect_timeout": timeouts.connect_s,
        "keepalives": 1,
        "keepalives_idle": KEEPALIVE_IDLE_S,
        "keepalives_interval": KEEPALIVE_INTERVAL_S,
        "keepalives_count": KEEPALIVE_TRIES,
        "tcp_user_timeout": TCP_USER_TIMEOUT_MS,
    }
    engine = create_engine(
        url,
        pool_pre_ping=True,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=timeouts.pool_s,
        hide_parameters=True,  # what was said is for no log
        connect_args={name: value for name, value in limits.items() if name not in said},
    )
    connect = _bounded_connect(timeouts.silence_s)
    event.listen(engine, "do_connect", lambda _dialect, _record, positional, named: connect(*positional, **named))

    @event.listens_for(engine, "connect")
    def _limit(connection: Any, record: object) -> None:  # noqa: ANN401 - the driver's own type
        # Not as start-up options, which a pooler before the server may refuse.
        names = {
            "lock_timeout": timeouts.lock_s,
            "statement_timeout": timeouts.statement_s,
            "idle_in_transaction_session_timeout": timeouts.idle_s,
        }
        for name, seconds in names.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, f"{seconds * 1000:.0f}"))
        connection.commit()

    return engine


def _bounded_connect(silence_s: float) -> Any:  # noqa: ANN401
    """Make the driver's `connect`, for connections that wait `silence_s` seconds at most for the server's next byte.

    The server's own limits do not help when the server itself hangs: its machine goes on acknowledging what it gets.
    """
    import psycopg  # where it is used: processes on SQLite do not load it

    if not silence_s:
        return psycopg.connect

    class Bounded(psycopg.Connection[Any]):
        def wait(self, gen: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as its base has it
            try:
                return super().wait(_bounded(gen, silence_s), *args, **options)
            except DatabaseUnavailable:
                self.pgconn.finish()  # what is under way on it cannot be known any more
                raise

    return Bounded.connect


def _bounded(steps: Any, silence_s: float) -> Any:  # noqa: ANN401
    """Go through a generator of the driver, which hears several times a second that nothing has come.

    Raises DatabaseUnavailable, and no error of the driver: the pool would take that for a connection that was cut, and
    would wait for another one to the same server.
    """
    until = time.monotonic() + silence_s
    try:
        waiting_for = next(steps)
        while True:
            came = yield waiting_for
            if came:
                until = time.monotonic() + silence_s
            elif time.monotonic() > until:
                raise DatabaseUnavailable
            waiting_for = steps.send(came)
    except StopIteration as end:
        return end.value


def vacuum(engine: Engine, tables: Sequence[str]) -> bool:
    """Let these tables hold no erased rows; False where the server does not answer in time."""
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("SELECT set_config('statement_timeout', '0', false)")
            for table in tables:
                connection.exec_driver_sql(f"VACUUM {table}")
            connection.invalidate()  # with its own limits
    except DBAPIError:
        return False
    return True
