"""What all unit tests share."""

import pytest

from streametrics.concurrency.background import background_parts


@pytest.fixture(autouse=True)
def _no_background_part_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin with none: a test may leave a thread behind whose counterpart is gone."""
    monkeypatch.setattr(background_parts, "_parts", [])
