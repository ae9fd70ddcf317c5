"""Gaps in time, as somebody sees them who looks at two clocks again and again."""

import math

from streametrics.concurrency.time_gaps import TimeGaps
from tests.support.doubles import ManualClock


class Machine:
    """Two clocks, of which a sleep moves one and a freeze both."""

    def __init__(self) -> None:
        self.clock, self.wall = ManualClock(50.0), ManualClock(1e9)
        self.gaps = TimeGaps(10.0, clock=self.clock, wall=self.wall)

    def runs(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.move(1.0)
            self.wall.move(1.0)
            assert self.gaps.note() == 0.0

    def sleeps(self, seconds: float, *, frozen: bool = False) -> float:
        self.wall.move(seconds)
        if frozen:
            self.clock.move(seconds)
        return self.gaps.note()


def test_while_all_runs_there_is_no_gap() -> None:
    machine = Machine()
    machine.runs(100)
    assert (machine.gaps.awake_s, machine.gaps.slept_s(1e6), machine.gaps.include(50.0)) == (math.inf, 0.0, False)


def test_a_sleep_and_a_freeze_are_gaps() -> None:
    machine = Machine()
    machine.runs(5)
    assert machine.sleeps(3600.0) == 3600.0
    machine.runs(20)
    assert machine.sleeps(700.0, frozen=True) == 700.0
    machine.runs(5)

    assert machine.gaps.awake_s == 5.0
    assert machine.gaps.slept_s(10.0) == 700.0
    assert machine.gaps.slept_s(1000.0) == 4300.0
    ages = [3.0, 5.0 + 350.0, 5.0 + 700.0 + 10.0, 5.0 + 700.0 + 20.0 + 1800.0, 5000.0]
    assert [machine.gaps.include(age) for age in ages] == [False, True, False, True, False]


def test_a_clock_that_is_set_back_is_no_gap() -> None:
    machine = Machine()
    machine.runs(5)
    assert machine.sleeps(-3600.0) == 0.0
    assert machine.gaps.awake_s == math.inf
