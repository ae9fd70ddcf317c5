"""How the channels of several tracks are brought together in time."""

from hypothesis import given
from hypothesis import strategies as st

from streametrics.audio.interleaving import TrackAligner


def aligner(*channels: int, max_lead: int = 1000) -> tuple[TrackAligner, list[tuple[int, int]]]:
    padded: list[tuple[int, int]] = []
    return (
        TrackAligner(channels, block=10, max_lead=max_lead, on_pad=lambda track, count: padded.append((track, count))),
        padded,
    )


def samples(value: int, count: int) -> bytes:
    return value.to_bytes(2, "little") * count


def test_one_track_passes_in_blocks() -> None:
    aligned, _ = aligner(2)
    planes = [samples(1, 25), samples(2, 25)]
    blocks = [*aligned.add(0, planes), *aligned.finish()]
    assert [len(block[0]) // 2 for block in blocks] == [10, 10, 5]
    assert [b"".join(block[channel] for block in blocks) for channel in (0, 1)] == planes


def test_a_track_waits_for_the_other_and_is_silent_behind_its_end() -> None:
    aligned, padded = aligner(1, 1)
    assert list(aligned.add(0, [samples(1, 30)])) == []
    assert list(aligned.add(1, [samples(2, 10)])) == [[samples(1, 10), samples(2, 10)]]
    rest = list(aligned.finish())
    assert rest == [[samples(1, 10), samples(0, 10)]] * 2
    assert padded == [(1, 20)]


def test_a_track_from_which_nothing_comes_does_not_hold_up_the_others() -> None:
    aligned, padded = aligner(1, 2, max_lead=20)
    blocks = [block for _ in range(10) for block in aligned.add(0, [samples(1, 10)])]
    assert len(blocks) == 8
    assert all(block == [samples(1, 10), samples(0, 10), samples(0, 10)] for block in blocks)
    assert sum(count for _, count in padded) == 80


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40)), max_size=60))
def test_nothing_is_lost_and_all_channels_are_of_one_length(pieces: list[tuple[int, int]]) -> None:
    aligned, _ = aligner(1, 1, 1)
    blocks = [block for track, count in pieces for block in aligned.add(track, [samples(track + 1, count)])]
    blocks += aligned.finish()
    for track in range(3):
        heard = b"".join(block[track] for block in blocks)
        assert heard.count(track + 1) == sum(count for each, count in pieces if each == track)
    assert all(len({len(channel) for channel in block}) == 1 and 0 < len(block[0]) <= 20 for block in blocks)
