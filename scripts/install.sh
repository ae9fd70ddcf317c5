#!/usr/bin/env bash
# Makes or mends .venv, then runs the command after --then. start.sh, test.sh and .ci/run share it.
#   scripts/install.sh [--dev] [--then COMMAND [ARGUMENT...]]
# Finding a Python is this script's part (bash 3.2, because macOS ships that); install.py does the rest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# A finished installation answers for itself, in a few hundredths of a second.
if [ -f .venv/streametrics-installed.json ] && .venv/bin/python -I -S -c '' 2>/dev/null; then
    exec .venv/bin/python -I scripts/install.py "$@"
fi

without_ensurepip=""
too_old=""
for candidate in ${PYTHON:-} python3.13 python3.12 python3.11 python3; do
    # A pyenv shim exists on the path and fails when it is run, so each candidate is tried.
    version=$("$candidate" -I -S -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    case $version in
        2.* | 3.[0-9] | 3.10) too_old="$candidate is Python $version"; continue ;;
    esac
    if ! "$candidate" -I -c 'import venv, ensurepip' 2>/dev/null; then
        without_ensurepip="${without_ensurepip:-$version}"
        continue
    fi
    exec "$candidate" -I scripts/install.py "$@"
done

if [ -n "$without_ensurepip" ]; then
    echo "Python $without_ensurepip is here without its venv module. On Debian and Ubuntu:" >&2
    echo "  sudo apt install python$without_ensurepip-venv" >&2
else
    echo "StreaMetrics needs Python 3.11 or newer${too_old:+, and $too_old}. Install it" >&2
    echo "(https://www.python.org/downloads/, or: sudo apt install python3 python3-venv) and run this again;" >&2
    echo "where it has another name: PYTHON=/path/to/python3 ./start.sh" >&2
fi
exit 1
