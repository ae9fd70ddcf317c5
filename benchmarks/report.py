"""A benchmark's table, with the machine and the versions it was measured on."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from streametrics.transcription import cpu

RESULTS = Path(__file__).parent / "results"


def machine() -> str:
    """Processor, cores and the instruction sets that decide speed here."""
    present = [flag for flag in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile") if flag in cpu.flags()]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    sets = ", ".join(present) or "no vector sets known"
    return f"{cpu.name()}, {cores} cores ({sets}), Python {platform.python_version()}"


def write(name: str, title: str, rows: list[tuple[str, str, str]], packages: tuple[str, ...]) -> str:
    """Print the table and keep it in `results/NAME.md`. Each row: what, figure, how it was measured."""
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    lines = [
        f"# {title}",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {machine()}; {versions}.",
        "",
        "| what | figure | how |",
        "|---|---|---|",
        *(f"| {what} | {figure} | {how} |" for what, figure, how in rows),
        "",
    ]
    text = "\n".join(lines)
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    return text
