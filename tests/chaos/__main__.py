"""The chaos suite.

    .venv/bin/python -m tests.chaos --quick                    # what every change goes through
    .venv/bin/python -m tests.chaos --full                     # 1,000 kills, 20 restarts, 5,000 files, a soak
    .venv/bin/python -m tests.chaos --full --only kills --kills 250 --seed 2   # one slice of it
    .venv/bin/python -m tests.chaos --broken                   # maintenance is off: has to fail

Exit status 1 when something was lost, came twice, crashed, was read by a stranger or left lying about; and when a time
was missed: in the quick form by a generous multiple, in the full form at all.
"""

import argparse
import importlib
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.chaos import results
from tests.chaos.figures import Figure, load, none_of, table
from tests.chaos.form import Form

#: Each is a module with `run(form, folder)`. The second word says whether the quick form has it too.
PARTS = {
    "kills": True,
    "real": True,
    "poison": True,
    "restarts": True,
    "queue_down": True,
    "endless": True,
    "models": True,
    "cold": False,
    "mutants": True,
    "rolling": True,
    "supervised": True,
    "pollers": False,
    "soak": False,
}


def main() -> int:
    options = _options()
    chosen = (
        options.only.split(",") if options.only else [name for name, quick in PARTS.items() if options.full or quick]
    )
    if options.broken:
        chosen = ["kills"]
    kills = options.kills or (1000 if options.full else 20 if options.broken else 100)
    form = Form(quick=not options.full, kills=kills, seed=options.seed, maintenance_off=options.broken)
    found: list[Figure] = []
    for name in chosen:
        print(f"== {name} ({load()})", flush=True)
        began = time.monotonic()
        try:
            figures = _run(name, form, options.keep)
        except Exception as error:  # noqa: BLE001 - the other parts have something to tell all the same
            traceback.print_exc()
            figures = [none_of("-", f"{name} could not be run to its end", 1, 1, repr(error)[:200].replace("\n", " "))]
        took_s = time.monotonic() - began
        found += figures
        print(f"{table(figures)}\n   {name}: {took_s:.0f} s, {load()}\n", flush=True)
        if options.full or options.broken:
            results.keep("broken" if options.broken else name, form, figures, took_s)
    passed = all(figure.passed for figure in found)
    print(table(found))
    print("\npassed" if passed else "\nFAILED")
    return 0 if passed else 1


def _run(name: str, form: Form, keep: Path | None) -> list[Figure]:
    part = importlib.import_module(f"tests.chaos.{name}")
    if keep is not None:
        return list(part.run(form, keep / name))
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
        return list(part.run(form, Path(folder)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    form = parser.add_mutually_exclusive_group(required=True)
    form.add_argument("--quick", action="store_true", help="within 8 minutes")
    form.add_argument("--full", action="store_true", help="all of it; results are kept in RESULTS.md")
    form.add_argument("--broken", action="store_true", help="kills with maintenance off, which has to fail")
    parser.add_argument("--only", help=f"some parts alone, joined by commas: {', '.join(PARTS)}")
    parser.add_argument("--kills", type=int, help="kills in the part of that name (quick 100, full 1,000)")
    parser.add_argument("--seed", type=int, default=1, help="another slice of the same part")
    parser.add_argument("--keep", type=Path, help="work in this folder, and leave logs and ledgers there")
    options = parser.parse_args()
    if options.only and (unknown := set(options.only.split(",")) - PARTS.keys()):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    sys.exit(main())
