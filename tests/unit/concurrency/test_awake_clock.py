"""A clock that leaves out the time in which nothing here could run."""

from streametrics.concurrency.awake_clock import LEAST_GAP_S, AwakeClock
from tests.support.doubles import ManualClock


def test_a_pause_in_which_nothing_was_computed_does_not_count() -> None:
    clock, computed = ManualClock(100.0), ManualClock()
    awake = AwakeClock(clock=clock, computed=computed)
    assert awake() == 100.0

    clock.move(3600.0)
    computed.move(0.5)

    assert (awake(), awake.slept_s) == (100.0, 3600.0)
    clock.move(1.0)
    assert awake() == 101.0


def test_a_pause_in_which_a_library_computed_counts() -> None:
    clock, computed = ManualClock(), ManualClock()
    awake = AwakeClock(clock=clock, computed=computed)

    # Given code in C that kept the interpreter's lock
    clock.move(60.0)
    computed.move(55.0)

    assert (awake(), awake.slept_s) == (60.0, 0.0)


def test_a_short_pause_counts() -> None:
    clock = ManualClock()
    awake = AwakeClock(clock=clock, computed=lambda: 0.0)

    clock.move(LEAST_GAP_S - 0.1)

    assert (awake(), awake.slept_s) == (LEAST_GAP_S - 0.1, 0.0)
