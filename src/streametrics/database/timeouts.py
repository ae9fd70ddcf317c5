"""How long a process waits for its database, by what it does there."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits in seconds; 0 is none.

    lock_s: for a lock that another transaction holds, SQLite's write lock included. connect_s: for a new connection.
    silence_s: within a call, without a byte from PostgreSQL. statement_s: of PostgreSQL for one statement. idle_s: of
    PostgreSQL for a transaction in which nothing happens. pool_s: for a connection that others hold.
    """

    lock_s: float
    connect_s: int
    silence_s: float
    statement_s: float
    idle_s: float
    pool_s: float


#: A client waits: an upload is refused within 5 s.
ANSWERING = Timeouts(lock_s=1.8, connect_s=2, silence_s=2, statement_s=1.9, idle_s=10, pool_s=1)
#: The same for what is only read: a poll is answered within 3 s, on a busy machine too.
READING = Timeouts(lock_s=1.3, connect_s=2, silence_s=1.5, statement_s=1.4, idle_s=10, pool_s=1)
#: A worker would rather wait than lose what it has done.
WORKING = Timeouts(lock_s=5, connect_s=3, silence_s=15, statement_s=15, idle_s=60, pool_s=10)
#: An index of a million rows takes its time, and so does another process that is migrating.
MIGRATING = Timeouts(lock_s=60, connect_s=3, silence_s=0, statement_s=0, idle_s=0, pool_s=10)
