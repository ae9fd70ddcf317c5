"""Real processes on loopback: what a forger would meet."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stack import Stack, stack


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Stack]:
    """A stack with nothing started."""
    with stack(tmp_path) as made:
        yield made
