"""What readers are told of a transcript's making."""

import pytest

from streametrics.domain.warnings import tracks_left_out


@pytest.mark.parametrize(
    ("taken", "left_out", "total", "mixed", "said"),
    [
        ([2], ["1"], 2, False, "Of 2 sound tracks, track 2 was transcribed. Left out: track 1."),
        ([1, 2], [], 2, False, "Of 2 sound tracks, one track was transcribed at a time (1 or 2), wherever somebody"),
        ([1, 2], ["3"], 3, True, "Of 3 sound tracks, 2 were mixed and transcribed. Left out: track 3."),
    ],
)
def test_tracks_that_were_left_out_are_named(
    taken: list[int], left_out: list[str], total: int, mixed: bool, said: str
) -> None:
    (warning,) = tracks_left_out(taken, left_out, total, mixed=mixed)
    assert warning.message.startswith(said)


@pytest.mark.parametrize(("taken", "mixed"), [([1], False), ([1, 2], True)])
def test_nothing_is_said_where_all_were_transcribed(taken: list[int], mixed: bool) -> None:
    assert tracks_left_out(taken, [], len(taken), mixed=mixed) == ()


def test_of_many_tracks_the_first_are_named() -> None:
    (warning,) = tracks_left_out([1], [str(number) for number in range(2, 1001)], 1000)
    assert "track 11, 989 more." in warning.message
    assert len(warning.message) < 400
