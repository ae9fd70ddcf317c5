"""A thousand clients that each ask once a second: no error. The chaos suite says how long they wait."""

import pytest

from benchmarks import polling
from tests.support.media import plain_wav, tone
from tests.support.stack import Stack

POLLERS, SECONDS = 1000, 6


@pytest.mark.alone
def test_a_thousand_pollers_are_answered(fresh: Stack) -> None:
    fresh.start_api()
    task_ids = [fresh.submit(plain_wav(tone(0.2, 8_000), 8_000)) for _ in range(10)]
    paths = [f"/summarize/status/{task_id}" for task_id in task_ids]

    found = polling.run(fresh.port, paths, connections=POLLERS, seconds=SECONDS, every_s=1.0)

    print(f"row 20: {POLLERS} pollers, one poll a second: p99 {found.p99_ms:.0f} ms, {found.errors} errors")
    assert found.errors == 0
    assert found.counted >= POLLERS
