#!/usr/bin/env bash
# The one command: installs what is missing, then starts everything. Ctrl-C stops it all.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# The installer becomes the service, so a signal to this process always reaches the one that is at work.
exec scripts/install.sh --then .venv/bin/python -m streametrics up "$@"
