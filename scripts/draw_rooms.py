"""Draws docs/rooms.svg from the imports of src/streametrics. Standard library only.

  scripts/draw_rooms.py            writes the picture
  scripts/draw_rooms.py --check    fails where the picture is not that of the code

A room is a folder of the package, or a file at its top. It stands one floor above the highest room that it imports, so
every arrow leads down. An arrow that passes a floor gets a place of its own there, beside the rooms.
"""

import argparse
import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from layered_layout import Drawing, Node, lay_out, width

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "streametrics"
PICTURE = ROOT / "docs" / "rooms.svg"

#: Who imports whom, by room.
Graph = dict[str, set[str]]

#: In pixels.
BOX_HEIGHT, FLOOR_GAP, MARGIN, HEAD_LENGTH = 36, 64, 20, 8
LABEL_WIDTH, LEGEND_HEIGHT, LEAST_WIDTH = 84, 48, 720
FONT = "DejaVu Sans, Verdana, sans-serif"
#: Arrows to one room have one of these colors, so that the eye can follow them.
COLORS = (
    *("#3366a8", "#2e8b6f", "#b0632b", "#7a52a3", "#a33f5f", "#55752f", "#3f8097", "#8a6d1f"),
    *("#5a5fc4", "#c0506a", "#1f7a4d", "#946a4e", "#9c4fa0"),
)
WRONG = "#d02020"
LEGEND = (
    "An arrow means “imports”. One that follows from others is left out: a → b and b → c stand for a → c as well.",
    "Blue: a folder. Gray: a file at the top. Red, if there is any: a circle. Drawn by scripts/draw_rooms.py.",
)


def main() -> int:
    parser = argparse.ArgumentParser(description="Draw docs/rooms.svg from the imports of src/streametrics.")
    parser.add_argument("--check", action="store_true", help="fail where the picture is stale, and write nothing")
    options = parser.parse_args()
    picture = draw(read_rooms(ROOT / "src" / PACKAGE))
    if not options.check:
        PICTURE.write_text(picture, encoding="utf-8", newline="\n")
    elif not PICTURE.exists() or PICTURE.read_text(encoding="utf-8") != picture:
        print("docs/rooms.svg is not of this code: run 'python scripts/draw_rooms.py'.", file=sys.stderr)
        return 1
    return 0


# What is read


def read_rooms(package: Path) -> Graph:
    """Read who imports whom. What stands in the package's own `__init__` is no room."""
    modules = {path.relative_to(package).with_suffix("").parts: path for path in sorted(package.rglob("*.py"))}
    graph: Graph = {_room(parts): set() for parts in modules if parts != ("__init__",)}
    rooms = {room.rstrip("/"): room for room in graph}
    for parts, path in modules.items():
        if parts != ("__init__",):
            words = (name.split(".") for name in _imported(path))
            graph[_room(parts)] |= {
                rooms[found[1]] for found in words if found[0] == package.name and found[1:2] and found[1] in rooms
            }
    return {room: found - {room} for room, found in sorted(graph.items())}


def _room(parts: tuple[str, ...]) -> str:
    return f"{parts[0]}/" if len(parts) > 1 else parts[0]


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


# What it means


def reachable(graph: Graph) -> Graph:
    """Whatever each room imports, itself or by others."""
    found: Graph = {}
    for room in graph:
        seen: set[str] = set()
        waiting = list(graph[room])
        while waiting:
            if (other := waiting.pop()) not in seen:
                seen.add(other)
                waiting.extend(graph[other])
        found[room] = seen
    return found


def floors_of(graph: Graph, reach: Graph) -> dict[str, int]:
    """Each room's floor, 0 for those that import nothing. Rooms of a circle stand on one floor."""
    floors: dict[str, int] = {}

    def floor(room: str) -> int:
        if room not in floors:
            circle = {room} | {other for other in reach[room] if room in reach[other]}
            below = set().union(*(graph[each] for each in circle)) - circle
            floors.update(dict.fromkeys(circle, 1 + max(map(floor, sorted(below)), default=-1)))
        return floors[room]

    for room in graph:
        floor(room)
    return floors


def without_implied(graph: Graph, reach: Graph, floors: Mapping[str, int]) -> Graph:
    """The arrows that follow from no others."""
    return {
        room: {
            other
            for other in found
            if not any(other in reach[via] and floors[via] < floors[room] for via in found - {other})
        }
        for room, found in graph.items()
    }


# How it looks


def draw(graph: Graph) -> str:
    """The picture as SVG; the same text for the same imports."""
    reach = reachable(graph)
    floor_of = floors_of(graph, reach)
    arrows = without_implied(graph, reach, floor_of)
    return _Picture(graph, floor_of, lay_out(arrows, floor_of)).svg(arrows)


class _Picture:
    def __init__(self, graph: Graph, floor_of: Mapping[str, int], drawing: Drawing) -> None:
        self._graph = graph
        self._floor_of = floor_of
        self._drawing = drawing
        wide = max(drawing.x[node] + width(node) / 2 for node in drawing.x)
        self._width = max(wide + LABEL_WIDTH + 2 * MARGIN, LEAST_WIDTH)
        self._height = MARGIN + len(drawing.floors) * (BOX_HEIGHT + FLOOR_GAP) + LEGEND_HEIGHT
        self._left = (self._width + LABEL_WIDTH - wide) / 2
        targets = sorted({lower.room for _, lower in drawing.pieces}, key=lambda room: (floor_of[room], room))
        self._colors = {room: COLORS[number % len(COLORS)] for number, room in enumerate(targets)}

    def svg(self, arrows: Graph) -> str:
        size = (
            f'width="{self._width:.0f}" height="{self._height:.0f}" viewBox="0 0 {self._width:.0f} {self._height:.0f}"'
        )
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{FONT}" font-size="13">',
            f"<title>The rooms of src/{PACKAGE}, and who imports whom</title>",
            '<rect width="100%" height="100%" fill="#ffffff"/>',
            *self._floors(),
            *self._arrows(),
            *self._circles(arrows),
            *(line for room in self._graph for line in self._box(room)),
            *self._legend(),
            "</svg>",
        ]
        return "\n".join(lines) + "\n"

    def _x(self, node: Node) -> float:
        return self._drawing.x[node] + self._left

    def _room(self, room: str) -> Node:
        return Node(room, self._floor_of[room], True)

    def _top(self, floor: int) -> float:
        return MARGIN + FLOOR_GAP / 2 + (len(self._drawing.floors) - 1 - floor) * (BOX_HEIGHT + FLOOR_GAP)

    def _floors(self) -> Iterator[str]:
        size = f'width="{self._width - MARGIN:.0f}" height="{BOX_HEIGHT + 20}"'
        for floor in range(len(self._drawing.floors)):
            name, top = "ground floor" if floor == 0 else f"floor {floor}", self._top(floor)
            yield f'<rect x="{MARGIN / 2:.0f}" y="{top - 10:.1f}" {size} rx="8" fill="#f4f5f8"/>'
            yield f'<text x="{MARGIN}" y="{top + BOX_HEIGHT / 2 + 4:.1f}" font-size="11" fill="#777777">{name}</text>'

    def _arrows(self) -> Iterator[str]:
        for upper, lower in self._drawing.pieces:
            start = self._top(upper.floor) + BOX_HEIGHT
            end = self._top(lower.floor) - (HEAD_LENGTH - 1 if lower.is_room else 0)
            yield _curve(self._x(upper), start, self._x(lower), end, self._colors[lower.room])
        for node in sorted(node for node in self._drawing.x if not node.is_room):
            x, top = self._x(node), self._top(node.floor)
            yield _curve(x, top, x, top + BOX_HEIGHT, self._colors[node.room])
        for room, color in self._colors.items():
            yield _head(self._x(self._room(room)), self._top(self._floor_of[room]), color)

    def _circles(self, arrows: Graph) -> Iterator[str]:
        """Arrows between rooms of one floor: there should be none."""
        for room, found in arrows.items():
            floor = self._floor_of[room]
            for other in sorted(each for each in found if self._floor_of[each] == floor):
                ends = self._x(self._room(room)), self._x(self._room(other))
                yield _circle(*ends, self._top(floor) + BOX_HEIGHT)

    def _box(self, room: str) -> Iterator[str]:
        node = self._room(room)
        x, top, wide = self._x(node), self._top(node.floor), width(node)
        fill, edge = ("#e3ecf8", "#3d5f8f") if room.endswith("/") else ("#eeeeee", "#888888")
        yield f"<g><title>{room} imports {', '.join(sorted(self._graph[room])) or 'nothing of ours'}</title>"
        place = f'x="{x - wide / 2:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{BOX_HEIGHT}"'
        yield f'<rect {place} rx="6" fill="{fill}" stroke="{edge}"/>'
        y = top + BOX_HEIGHT / 2 + 4.5
        yield f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" fill="#1b1b1b">{room}</text></g>'

    def _legend(self) -> Iterator[str]:
        for number, line in enumerate(LEGEND):
            y = self._height - LEGEND_HEIGHT + 14 + 18 * number
            yield f'<text x="{MARGIN}" y="{y:.0f}" font-size="12" fill="#555555">{line}</text>'


def _curve(x: float, y: float, to_x: float, to_y: float, color: str) -> str:
    """A line whose ends are upright, so that it stays between two floors."""
    middle = (y + to_y) / 2
    way = f"M{x:.1f} {y:.1f} C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}"
    return f'<path d="{way}" fill="none" stroke="{color}" stroke-width="1.4" stroke-opacity="0.85"/>'


def _head(x: float, y: float, color: str) -> str:
    back = y - HEAD_LENGTH
    return f'<path d="M{x - 4.5:.1f} {back:.1f} L{x + 4.5:.1f} {back:.1f} L{x:.1f} {y:.1f} Z" fill="{color}"/>'


def _circle(x: float, to_x: float, y: float) -> str:
    depth = y + FLOOR_GAP / 2
    way = f"M{x:.1f} {y:.1f} C{x:.1f} {depth:.1f} {to_x:.1f} {depth:.1f} {to_x:.1f} {y:.1f}"
    return f'<path d="{way}" fill="none" stroke="{WRONG}" stroke-width="2" stroke-dasharray="5 3"/>'


if __name__ == "__main__":
    sys.exit(main())
