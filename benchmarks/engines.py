"""The engines that the benchmarks compare."""

from typing import get_args

from streametrics.settings import EngineName

#: Every engine that loads a model.
ENGINES = tuple(name for name in get_args(EngineName) if name not in ("auto", "fake"))
