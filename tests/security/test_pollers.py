"""A thousand clients that each ask once a second: no error, and nobody waits."""

import os

from benchmarks import polling
from tests.media import plain_wav, tone
from tests.stack import Stack

POLLERS = 1000
P99_MS = 250.0


def test_a_thousand_pollers_are_answered_in_time(fresh: Stack) -> None:
    fresh.start_api()
    task_ids = [fresh.submit(plain_wav(tone(0.2, 8_000), 8_000)) for _ in range(10)]
    paths = [f"/summarize/status/{task_id}" for task_id in task_ids]

    rounds = []
    for _ in range(3):
        # On a machine that is busy with other things the time shows those: there only errors count.
        is_busy = os.getloadavg()[0] > (os.cpu_count() or 1)
        found = polling.run(fresh.port, paths, connections=POLLERS, seconds=6, every_s=1.0)
        rounds.append(found)
        print(
            f"row 20: {POLLERS} pollers, one poll a second: p99 {found.p99_ms:.0f} ms, {found.errors} errors in "
            f"{found.counted} polls{' (on a busy machine)' if is_busy else ''}"
        )
        assert found.errors == 0
        if is_busy or found.p99_ms < P99_MS:
            return

    raise AssertionError(f"p99 of three rounds: {[round(each.p99_ms) for each in rounds]} ms")
