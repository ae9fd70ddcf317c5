"""Another title, another game or a long gap certainly begins a chapter; what two clients disagree on does not."""

from collections.abc import Sequence

import pytest

from streametrics.recap.boundaries import Boundary, Mark
from streametrics.recap.marks import HeardChunk, certain_marks

A, B = ("Opening", "Chess"), ("Endgame", "Chess")


def chunks(*told: tuple[str | None, str | None]) -> list[HeardChunk]:
    """Chunks of 30 s, each with a title and a game."""
    return [HeardChunk(30.0 * at, 30.0 * at + 30, *each) for at, each in enumerate(told)]


@pytest.mark.parametrize(
    ("told", "is_over", "marks"),
    [
        ([A, A, B, B], False, [Mark(60, Boundary.TITLE)]),
        ([A, ("Opening", "Go"), ("Opening", "Go")], False, [Mark(30, Boundary.GAME)]),
        ([A, ("Go now", "Go"), ("Go now", "Go")], False, [Mark(30, Boundary.TITLE)]),
        # The last chunk: the next one says whether it stays so
        ([A, A, B], False, []),
        ([A, A, B], True, [Mark(60, Boundary.TITLE)]),
        # Two clients with two titles, and one chunk with a mistake
        ([A, B, A, B, A, B], False, []),
        ([A, A, B, A, A], True, []),
        # Sent without one, or before they were kept
        ([A, ("", ""), (None, None), A, A], True, []),
        ([("", ""), ("", ""), A, A], True, []),
        ([A, ("", "Chess"), B, B], False, [Mark(60, Boundary.TITLE)]),
        ([], True, []),
    ],
)
def test_a_change_that_stays_begins_a_chapter(
    told: Sequence[tuple[str | None, str | None]], is_over: bool, marks: list[Mark]
) -> None:
    assert certain_marks(chunks(*told), is_over=is_over) == marks


def test_speech_after_a_long_gap_begins_a_chapter() -> None:
    heard = [HeardChunk(at, at + 30, "a", "b") for at in (0.0, 30.0, 239.0, 570.0, 400.0)]
    # Given gaps of 179 s and less, out of order; expect none of them to be long enough
    assert certain_marks(heard, is_over=False) == []
    heard.append(HeardChunk(780.0, 810.0, "a", "b"))
    assert certain_marks(heard, is_over=False) == [Mark(780.0, Boundary.GAP)]


def test_the_same_sound_sent_again_has_no_title_and_changes_nothing() -> None:
    told = chunks(A, A, B, B)
    again = [HeardChunk(chunk.start_s, chunk.end_s, None, None) for chunk in told]
    for ordered in ([*told, *again], [*again, *told]):
        assert certain_marks(ordered, is_over=False) == [Mark(60, Boundary.TITLE)]
