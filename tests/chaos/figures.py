"""A figure of the suite: what was promised, what was measured, and whether that holds."""

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

#: Nobody can promise seconds on a machine that does other things too, such as one that runs checks for many: in the
#: quick form a time fails beyond so many times its limit only. In the full form the limit is the limit.
QUICK_TOLERANCE = 4.0

Kind = Literal["none", "all", "most", "told"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table.

    row: of RELIABILITY.md's table, `-` for what is promised elsewhere. kind: `none` wants `value` of `of` to be 0,
    `all` counts what is missing and shows the rest, `most` is a worst time or amount that may reach `limit`, `told`
    judges nothing. Only `most` in seconds or milliseconds is a figure of time.
    """

    row: str
    requirement: str
    kind: Kind
    value: float
    of: int = 0
    limit: float = 0.0
    unit: str = ""
    note: str = ""
    tolerance: float = 1.0

    @property
    def is_time(self) -> bool:
        return self.kind == "most" and self.unit in ("s", "ms")

    @property
    def as_promised(self) -> bool:
        """Whether the figure is within its limit."""
        return self.kind == "told" or (self.value <= self.limit and (self.kind == "most" or self.of > 0))

    @property
    def passed(self) -> bool:
        """Whether the run may go on to be called a success."""
        return self.as_promised or (self.is_time and self.value <= self.limit * self.tolerance)

    @property
    def shown(self) -> str:
        match self.kind:
            case "none":
                return f"{self.value:,.0f} of {self.of:,}"
            case "all":
                return f"{self.of - self.value:,.0f} of {self.of:,}"
            case _:
                figure = f"{self.value:,.4g} {self.unit}".strip()
                return f"{figure} (worst of {self.of:,})" if self.kind == "most" and self.of > 1 else figure

    @property
    def limit_shown(self) -> str:
        match self.kind:
            case "none":
                return "0"
            case "all":
                return "all"
            case "most":
                return f"≤ {self.limit:,.4g} {self.unit}"
            case _:
                return ""

    @property
    def verdict(self) -> str:
        if self.kind == "told":
            return ""
        if self.as_promised:
            return "yes"
        return (
            f"late: a busy machine? (fails above {self.limit * self.tolerance:,.4g} {self.unit})"
            if self.passed
            else "NO"
        )

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def none_of(row: str, requirement: str, bad: int, of: int, note: str = "") -> Figure:
    return Figure(row, requirement, "none", bad, of, note=note)


def all_of(row: str, requirement: str, good: int, of: int, note: str = "") -> Figure:
    return Figure(row, requirement, "all", of - good, of, note=note)


def worst_time(
    row: str, requirement: str, seconds: Iterable[float], limit_s: float, *, quick: bool, note: str = ""
) -> Figure:
    """The longest of these, which must be within the limit; none at all is a miss, because nothing was shown."""
    found = list(seconds)
    worst = max(found, default=float("inf"))
    tolerance = QUICK_TOLERANCE if quick else 1.0
    return Figure(row, requirement, "most", worst, len(found), limit_s, "s", note, tolerance)


def merged(figures: list[Figure]) -> Figure:
    """The same figure of several slices as one: counts are added, of times and amounts the worst is taken."""
    first = figures[-1]
    worst = max(figure.value for figure in figures)
    total = sum(figure.value for figure in figures)
    value = worst if first.kind == "most" else total
    notes = "; ".join(dict.fromkeys(figure.note for figure in figures if figure.note))
    return replace(first, value=value, of=sum(figure.of for figure in figures), note=notes)


def table(figures: Iterable[Figure]) -> str:
    """Markdown, to be read as it is."""
    lines = ["| row | requirement | figure | limit | passed | note |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {each.row} | {each.requirement} | {each.shown} | {each.limit_shown} | {each.verdict} | {each.note} |"
        for each in figures
    ]
    return "\n".join(lines)


def load() -> str:
    """How busy the machine is, in words."""
    cores = len(os.sched_getaffinity(0))
    return f"load {os.getloadavg()[0]:.1f} on {cores} cores"
