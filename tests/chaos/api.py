"""`python -m tests.chaos.api`: the real API; its keeper looks for orphans sooner, or not at all for a broken build.

CHAOS_ORPHAN_AGE_S: age at which audio that nobody needs is deleted, in seconds. CHAOS_KEEPER_OFF: the keeper never
starts, and the suite has to fail.
"""

import os
import sys

from streametrics import cli, keeper


def _scale() -> None:
    keeper.ORPHAN_AGE_S = float(os.environ.get("CHAOS_ORPHAN_AGE_S", "900"))
    keeper.SLOW_ROUNDS = 5
    if "CHAOS_KEEPER_OFF" in os.environ:
        keeper.Keeper.start = lambda self: None
        keeper.Keeper.stop = lambda self: None


if __name__ == "__main__":
    _scale()
    sys.exit(cli.main(["api"]))
