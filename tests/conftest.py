"""Lanes: parts of the tests that .ci/run gives the machine, one after the other or side by side.

`pytest --lane NAME` runs one of them. Each test is in exactly one, so that together they are all tests.
"""

from collections.abc import Set
from enum import StrEnum
from pathlib import Path

import hypothesis
import pytest

HERE = Path(__file__).parent

# Its limit of 0.2 s for each example measures how busy the machine is; tests of speed count the processor's time.
hypothesis.settings.register_profile("streametrics", deadline=None)
hypothesis.settings.load_profile("streametrics")


class Lane(StrEnum):
    UNITS = "units"  #: no servers, and quick: tests/unit, and the rules that lie in tests/ itself
    ALONE = "alone"  #: limits of time that other work on the machine could break, and units that are slow
    ENGINES = "engines"  #: computes with real weights, and has no limits of time
    SERVICES = "services"  #: starts processes, and mostly waits for them


#: Of each folder, the lanes that some of its tests are in; the others need not read it. One that is not named: `UNITS`.
LANES: dict[str, Set[Lane]] = {
    "contract": {Lane.ALONE, Lane.ENGINES, Lane.SERVICES},
    "integration": {Lane.ALONE, Lane.SERVICES},
    "security": {Lane.ALONE, Lane.SERVICES},
    "acceptance": {Lane.ALONE, Lane.SERVICES},
}
_UNITS = {Lane.ALONE, Lane.UNITS}


def lane_of(folder: str, marks: Set[str]) -> Lane:
    """The one lane of a test: by its folder in tests/ and the names of its marks."""
    if marks & {"alone", "slow"}:
        return Lane.ALONE
    if folder == "contract":
        if "ollama" in marks:  # where its other tests are: two Ollamas must not write into one folder of models
            return Lane.SERVICES
        # The others talk to servers of their own that answer just before or just after a limit.
        return Lane.ENGINES if "weights" in marks else Lane.ALONE
    return Lane.SERVICES if folder in LANES else Lane.UNITS


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--lane", type=Lane, choices=list(Lane), help="only the tests of this lane")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    wanted = config.getoption("--lane")
    is_folder_here = collection_path.parent == HERE and collection_path.is_dir()
    if wanted is not None and is_folder_here and wanted not in LANES.get(collection_path.name, _UNITS):
        return True
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = config.getoption("--lane")
    if wanted is None:
        return
    lanes = {item: lane_of(_folder(item), {mark.name for mark in item.iter_markers()}) for item in items}
    config.hook.pytest_deselected(items=[item for item in items if lanes[item] is not wanted])
    items[:] = [item for item in items if lanes[item] is wanted]


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(HERE).parts[0]
