"""What is known to be down is tried by one call at a time, and the others do not wait for it."""

from streametrics.concurrency.fail_fast import FailFast
from tests.support.doubles import ManualClock


def test_nobody_is_refused_before_a_failure() -> None:
    outage = FailFast(clock=ManualClock())
    assert outage.allows()
    assert not outage.is_down
    assert not outage.is_resting


def test_after_a_failure_all_are_refused_and_then_one_tries() -> None:
    clock = ManualClock()
    outage = FailFast(rest_s=1, trial_s=5, clock=clock)
    outage.failed()
    assert outage.is_resting
    assert not outage.allows()
    # When the rest is over
    clock.move(1)
    assert not outage.is_resting
    # Expect one to try, and the others to be refused while it does
    assert [outage.allows() for _ in range(3)] == [True, False, False]
    # And another one where the first never comes back
    clock.move(5)
    assert [outage.allows() for _ in range(2)] == [True, False]


def test_a_trial_that_goes_well_lets_all_through() -> None:
    clock = ManualClock()
    outage = FailFast(clock=clock)
    outage.failed()
    clock.move(1)
    assert outage.allows()
    outage.succeeded()
    assert [outage.allows() for _ in range(3)] == [True] * 3
    assert not outage.is_down
