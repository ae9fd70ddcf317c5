#!/usr/bin/env bash
# Everything for the tests, then pytest with the arguments given: ./test.sh tests/unit -k weights
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
scripts/install.sh --dev
# A developer's own .env must not change what the tests see: they say what they want.
.venv/bin/python -m streametrics weights fetch base
exec .venv/bin/python -m pytest "$@"
