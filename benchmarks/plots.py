"""Pictures of what a benchmark measured, beside its table in `results/`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.report import RESULTS

#: A reading: where it belongs on the horizontal axis, and its value.
Point = tuple[float, float]

_OURS, _OTHERS = "#2a6fb0", "#9aa3ab"


def bars(
    name: str, title: str, unit: str, values: dict[str, float], ours: Sequence[str], folder: Path = RESULTS
) -> Path:
    """One horizontal bar a way, the first one at the top; those in `ours` in another color."""
    figure = Figure(figsize=(8, 0.5 * len(values) + 1.1), layout="constrained")
    axes = figure.subplots()
    drawn = axes.barh(
        list(values), list(values.values()), color=[_OURS if each in ours else _OTHERS for each in values], height=0.6
    )
    axes.bar_label(drawn, fmt=f" %.2f {unit}")
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_xlabel(unit)
    return _keep(figure, title, name, folder)


def lines(
    name: str, title: str, axes_labels: tuple[str, str], series: Mapping[str, Sequence[Point]], folder: Path = RESULTS
) -> Path:
    """Values over something, a line for each of the series; the vertical axis begins at 0."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for label, points in series.items():
        axes.plot([at for at, _ in points], [value for _, value in points], label=label)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(axes_labels[0])
    axes.set_ylabel(axes_labels[1])
    axes.grid(alpha=0.3)
    axes.legend()
    return _keep(figure, title, name, folder)


def _keep(figure: Figure, title: str, name: str, folder: Path) -> Path:
    for axes in figure.axes:
        axes.set_title(title, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
    path = folder / f"{name}.svg"
    folder.mkdir(exist_ok=True)
    # White behind it, for pages that are dark; words as words, and the same file for the same figures.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(path, facecolor="white", metadata={"Date": None})
    return path
