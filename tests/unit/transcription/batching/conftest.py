"""Sounds for tests of batches."""

import numpy as np
import pytest

from streametrics.audio.pcm import Samples
from tests.support import sounds


@pytest.fixture
def clips() -> list[Samples]:
    """One window each, of different lengths; the third is so quiet that the tests' engines take it for French."""
    names = ("en/quick_brown_fox", "en/counting", "en/hello_world", "fr/comptage")
    return [sounds.clip(name).samples() * np.float32(0.005 if index == 2 else 1) for index, name in enumerate(names)]
