"""A lane must not pass over a folder in which tests of it are."""

import itertools

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
