from pathlib import Path
from xml.etree import ElementTree

from benchmarks import plots


def words_in(picture: Path) -> list[str]:
    texts = ElementTree.parse(picture).iter("{http://www.w3.org/2000/svg}text")
    return [" ".join("".join(each.itertext()).split()) for each in texts]


def test_bars_name_every_way_and_its_figure(tmp_path: Path) -> None:
    made = plots.bars("some", "Seconds for a chunk", "s", {"plain": 3.36, "ours": 1.52}, ["ours"], tmp_path)

    words = words_in(made)
    assert made == tmp_path / "some.svg"
    assert {"plain", "ours", "3.36 s", "1.52 s", "Seconds for a chunk"} <= set(words)


def test_the_same_figures_make_the_same_picture(tmp_path: Path) -> None:
    readings = {"1 min": [(0.0, 1166.0), (3.0, 1244.0)], "10 min": [(0.0, 1167.0), (25.0, 1361.0)]}

    made = [plots.lines("some", "Memory", ("s", "MB"), readings, tmp_path).read_bytes() for _ in range(2)]

    assert made[0] == made[1]
    assert {"Memory", "s", "MB", "1 min", "10 min"} <= set(words_in(tmp_path / "some.svg"))
