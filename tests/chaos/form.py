"""How large a run is."""

import sys
import time
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Form:
    """quick: the form of every check of a change; else the full one. kills: how many in the part that kills most."""

    quick: bool
    kills: int
    seed: int = 1
    maintenance_off: bool = False
    _told: list[float] = field(default_factory=lambda: [0.0])

    def progress(self, text: str) -> None:
        """A line now and then; a terminal is not needed."""
        if time.monotonic() - self._told[0] >= 10:
            self._told[0] = time.monotonic()
            print(f"   … {text}", file=sys.stderr, flush=True)
