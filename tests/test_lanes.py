"""A lane must not pass over a folder in which tests of it are."""

import itertools
import re

import pytest

from tests.conftest import HERE, LANES, Lane, lane_of

MARKS = ("alone", "ollama", "slow", "weights")
SUBSETS = [frozenset(chosen) for count in range(len(MARKS) + 1) for chosen in itertools.combinations(MARKS, count)]


@pytest.mark.parametrize("folder", sorted(LANES))
def test_a_folders_lanes_are_those_of_its_tests(folder: str) -> None:
    assert (HERE / folder).is_dir()
    assert {lane_of(folder, marks) for marks in SUBSETS} == LANES[folder]


def test_tests_elsewhere_are_units_or_alone() -> None:
    assert {lane_of("unit", marks) for marks in SUBSETS} == {Lane.UNITS, Lane.ALONE}


def test_ci_runs_each_lane() -> None:
    # Given the steps of the CI, and the functions and commands that they lead to
    text = (HERE.parent / ".ci" / "run").read_text(encoding="utf-8")
    steps = "\n".join(re.findall(r"^step .+$", text, re.M))
    bodies = dict(re.findall(r"^(\w+)\(\) \{(.*?)\}$", text, re.M | re.S))

    def reached(script: str) -> str:
        called = [name for name in bodies if re.search(rf"\b{name}\b", script)]
        return script + "".join(reached(bodies.pop(name)) for name in called if name in bodies)

    run = reached(steps)
    # Expect every lane to be among them
    assert {lane for lane in Lane if re.search(rf"(--lane|\blane) {lane}\b", run)} == set(Lane)
