"""The picture of the rooms is of this code, and what draws it draws what is imported."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent.parent / "scripts"


@pytest.fixture
def draw_rooms(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    import draw_rooms

    return draw_rooms


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Rooms a/ and b/, and the files top and words: top -> a -> b -> words, and top -> words."""
    files = {
        "__init__.py": "from streametrics import words\n",
        "top.py": "import streametrics.a.one\nfrom streametrics import words\n",
        "a/__init__.py": "",
        "a/one.py": "def late():\n    from streametrics.b import two\n",
        "a/three.py": "import streametrics.a.one\nimport json\n",
        "b/two.py": "from streametrics.words import WORD\n",
        "words.py": "WORD = 1\n",
    }
    folder = tmp_path / "streametrics"
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_the_committed_picture_is_of_this_code() -> None:
    checked = subprocess.run(
        [sys.executable, SCRIPTS / "draw_rooms.py", "--check"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def test_a_stale_picture_is_told(draw_rooms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a picture of other code
    stale = tmp_path / "rooms.svg"
    stale.write_text("<svg/>\n")
    monkeypatch.setattr(draw_rooms, "PICTURE", stale)
    monkeypatch.setattr(sys, "argv", ["draw_rooms.py", "--check"])
    # Expect the check to fail, and to leave it as it is
    assert draw_rooms.main() == 1
    assert stale.read_text() == "<svg/>\n"


def test_rooms_are_folders_and_files_at_the_top(draw_rooms, package: Path) -> None:
    assert draw_rooms.read_rooms(package) == {
        "a/": {"b/"},
        "b/": {"words"},
        "top": {"a/", "words"},
        "words": set(),
    }


def test_each_room_stands_above_what_it_imports(draw_rooms, package: Path) -> None:
    graph = draw_rooms.read_rooms(package)
    floors = draw_rooms.floors_of(graph, draw_rooms.reachable(graph))
    assert floors == {"words": 0, "b/": 1, "a/": 2, "top": 3}


def test_an_arrow_that_follows_from_others_is_left_out(draw_rooms, package: Path) -> None:
    graph = draw_rooms.read_rooms(package)
    reach = draw_rooms.reachable(graph)
    arrows = draw_rooms.without_implied(graph, reach, draw_rooms.floors_of(graph, reach))
    assert arrows == {"a/": {"b/"}, "b/": {"words"}, "top": {"a/"}, "words": set()}


def test_a_circle_is_drawn_on_one_floor(draw_rooms) -> None:
    graph = {"a/": {"b/"}, "b/": {"a/", "c"}, "c": set()}
    assert draw_rooms.floors_of(graph, draw_rooms.reachable(graph)) == {"a/": 1, "b/": 1, "c": 0}
    assert draw_rooms.draw(graph).count(draw_rooms.WRONG) == 2
    assert draw_rooms.WRONG not in draw_rooms.draw({"a/": {"c"}, "c": set()})


def test_no_arrow_touches_a_room_that_it_passes(draw_rooms) -> None:
    # Given an arrow from the third floor to the ground, past two rooms
    graph = {"top": {"a/", "low"}, "a/": {"b/"}, "b/": {"other"}, "low": set(), "other": set()}
    picture = draw_rooms.draw(graph)
    boxes = [
        tuple(map(float, found))
        for found in re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="36" rx="6"', picture)
    ]
    assert len(boxes) == len(graph)
    # Expect where it is upright beside a room, to be outside of its box
    upright = [
        (float(x), float(y))
        for x, y, to_x in re.findall(r'd="M([\d.]+) ([\d.]+) C[\d.]+ [\d.]+ [\d.]+ [\d.]+ ([\d.]+) ', picture)
        if x == to_x
    ]
    passing = [(x, y) for x, y in upright if any(y == top for _, top, _ in boxes)]
    assert len(passing) == 2
    for x, y in passing:
        assert not any(left <= x <= left + width for left, top, width in boxes if top == y)
