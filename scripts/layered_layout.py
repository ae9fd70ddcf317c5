"""Places the boxes of a layered drawing (Sugiyama's way): few arrows cross, and none crosses a box."""

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import fsum  # exact, so the same in every version of Python
from typing import NamedTuple

#: Widths in pixels: of a letter, beside the letters, between two boxes, and of a place where arrows pass.
LETTER_WIDTH, BOX_PADDING, BETWEEN, LANE_WIDTH = 7.7, 13, 26, 8
SWEEPS = 48


class Node(NamedTuple):
    """A place on a floor: a room's, or that of the arrows to `room` that pass here."""

    room: str
    floor: int
    is_room: bool


class Drawing(NamedTuple):
    """Nodes floor by floor from the ground, in order; `x` of each node's middle; pieces of arrows, upper end first."""

    floors: list[list[Node]]
    x: dict[Node, float]
    pieces: list[tuple[Node, Node]]


def lay_out(arrows: Mapping[str, set[str]], floor_of: Mapping[str, int]) -> Drawing:
    """Place rooms and passing arrows so that few arrows cross and most are straight."""
    nodes = {Node(room, floor_of[room], True) for room in arrows}
    pieces: set[tuple[Node, Node]] = set()
    for room, found in arrows.items():
        for other in (each for each in found if floor_of[each] < floor_of[room]):
            levels = range(floor_of[room], floor_of[other] - 1, -1)
            way = [
                Node(room if level == levels[0] else other, level, level in (levels[0], levels[-1])) for level in levels
            ]
            nodes.update(way)
            pieces.update(pairwise(way))
    floors = [sorted(node for node in nodes if node.floor == level) for level in range(1 + max(floor_of.values()))]
    ordered = sorted(pieces)
    floors = _untangle(floors, ordered)
    return Drawing(floors, _positions(floors, ordered), ordered)


def _neighbors(pieces: Sequence[tuple[Node, Node]]) -> tuple[dict[Node, list[Node]], dict[Node, list[Node]]]:
    below: dict[Node, list[Node]] = {}
    above: dict[Node, list[Node]] = {}
    for upper, lower in pieces:
        below.setdefault(upper, []).append(lower)
        above.setdefault(lower, []).append(upper)
    return below, above


def _untangle(floors: list[list[Node]], pieces: Sequence[tuple[Node, Node]]) -> list[list[Node]]:
    """Order each floor by the middle of its neighbors, up and down in turns; keep what crosses least."""
    below, above = _neighbors(pieces)
    best, fewest = [list(floor) for floor in floors], _crossings(floors, below)
    for sweep in range(SWEEPS):
        sides, order = (below, range(len(floors))) if sweep % 2 == 0 else (above, range(len(floors) - 1, -1, -1))
        for level in order:
            place = {node: number / max(1, len(floor) - 1) for floor in floors for number, node in enumerate(floor)}

            def middle(node: Node, place: dict[Node, float] = place, sides: dict[Node, list[Node]] = sides) -> float:
                found = sides.get(node, [])
                return fsum(place[other] for other in found) / len(found) if found else place[node]

            floors[level].sort(key=lambda node: (middle(node), node))
        _swap_neighbors(floors, below, above)
        if (now := _crossings(floors, below)) < fewest:
            best, fewest = [list(floor) for floor in floors], now
    return best


def _swap_neighbors(floors: list[list[Node]], below: dict[Node, list[Node]], above: dict[Node, list[Node]]) -> None:
    """Swap two that stand side by side wherever fewer of their arrows cross then."""
    place = {node: number for floor in floors for number, node in enumerate(floor)}
    for floor in floors:
        for number in range(len(floor) - 1):
            left, right = floor[number], floor[number + 1]
            cost = 0
            for side in (below, above):
                for one in side.get(left, []):
                    for other in side.get(right, []):
                        cost += (place[one] > place[other]) - (place[one] < place[other])
            if cost > 0:
                floor[number], floor[number + 1] = right, left
                place[left], place[right] = number + 1, number


def _crossings(floors: Sequence[Sequence[Node]], below: Mapping[Node, list[Node]]) -> int:
    place = {node: number for floor in floors for number, node in enumerate(floor)}
    count = 0
    for floor in floors:
        seen: list[int] = []
        for node in floor:
            ends = sorted(place[other] for other in below.get(node, []))
            count += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return count


def _positions(floors: Sequence[Sequence[Node]], pieces: Sequence[tuple[Node, Node]]) -> dict[Node, float]:
    """Move each node to the middle of its neighbors, as far as the order and the width of its floor allow."""
    below, above = _neighbors(pieces)
    x: dict[Node, float] = {}
    for floor in floors:
        x.update(zip(floor, _spread(floor, [0.0] * len(floor)), strict=True))
    for sweep in range(2 * SWEEPS):
        side = above if sweep % 2 else below
        for floor in floors:
            wanted = []
            for node in floor:
                both = below.get(node, []) + above.get(node, [])
                found = (side.get(node, []) if sweep < SWEEPS else both) or both
                wanted.append(fsum(x[other] for other in found) / len(found) if found else x[node])
            x.update(zip(floor, _spread(floor, wanted), strict=True))
    left = min(x[node] - width(node) / 2 for node in x)
    return {node: value - left for node, value in x.items()}


def _spread(floor: Sequence[Node], wanted: Sequence[float]) -> list[float]:
    """The places nearest to those that are wanted (least squares) which keep order and distance."""
    offsets, offset = [], 0.0
    for number, node in enumerate(floor):
        if number:
            offset += (width(floor[number - 1]) + width(node)) / 2 + BETWEEN * (
                0.5 + 0.25 * (node.is_room + floor[number - 1].is_room)
            )
        offsets.append(offset)
    blocks: list[tuple[float, int]] = []
    for target, offset in zip(wanted, offsets, strict=True):
        mean, size = target - offset, 1
        while blocks and blocks[-1][0] > mean:
            before, count = blocks.pop()
            mean, size = (mean * size + before * count) / (size + count), size + count
        blocks.append((mean, size))
    means = [mean for mean, size in blocks for _ in range(size)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def width(node: Node) -> float:
    return len(node.room) * LETTER_WIDTH + 2 * BOX_PADDING if node.is_room else LANE_WIDTH
