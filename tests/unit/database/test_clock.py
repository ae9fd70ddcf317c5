"""The database's clock in a statement: it is compiled once, and still tells the time of each execution."""

import contextlib
from pathlib import Path

import pytest
from sqlalchemy import select

from streametrics.database.engine import Database, now, statement_now
from streametrics.database.migrate import migrate
from tests.support.stack import until


@pytest.mark.parametrize("clock", [now, statement_now])
def test_a_statement_with_the_time_is_kept_compiled(clock: type[now] | type[statement_now], tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'streametrics.db'}"
    migrate(url)
    with contextlib.closing(Database(url)) as database:

        def execute(ago_s: float) -> tuple[float, str]:
            with database.read() as connection:
                result = connection.execute(select((clock() - ago_s).label("at")))
                context = result.context
                return float(result.scalar_one()), context.cache_hit.name

        first, _ = execute(0.0)
        assert until(lambda: execute(0.0)[0] > first, within_s=5, what="the time goes on")
        # Expect neither another time nor another number to need it compiled anew
        later, how = execute(1000.0)
        assert how == "CACHE_HIT"
        assert -1000 <= later - first < -900
