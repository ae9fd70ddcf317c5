"""`python -m tests.chaos.api`: the real API; maintenance deletes orphans sooner, or never in a broken build.

CHAOS_ORPHAN_AGE_S: age at which audio that nobody needs is deleted, in seconds.
"""

import os
import sys

from streametrics.cli import main as cli
from streametrics.jobs import maintenance, retention
from tests.chaos.broken import break_if_asked

if __name__ == "__main__":
    retention.ORPHAN_AGE_S = float(os.environ.get("CHAOS_ORPHAN_AGE_S", "900"))
    maintenance.SLOW_ROUNDS = 5
    break_if_asked()
    sys.exit(cli.main(["api"]))
