"""Where chunks lie: by their clock, by their arrival, late, twice, and when a clock is set."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streametrics.streams.placing import Placement, SentChunk, Timeline, falls_back, first_placement, place, position_of
from streametrics.streams.times import Clock

T0 = 1_780_000_000.0


def offset(seconds: float) -> str:
    return f"{int(seconds // 3600):02}:{int(seconds // 60 % 60):02}:{int(seconds % 60):02}"


def wall(seconds: float) -> str:
    return str(round((T0 + seconds) * 1000))


def run(chunks: Sequence[SentChunk]) -> list[Placement]:
    placed = [first_placement(chunks[0])]
    for chunk in chunks[1:]:
        placed.append(place(placed[-1].timeline, chunk))
    return placed


def spans(placed: Sequence[Placement]) -> list[tuple[float, float]]:
    return [(each.start_s, each.end_s) for each in placed]


def sent(time: str, at_s: float, audio_s: float | None = 30.0) -> SentChunk:
    return SentChunk(time, T0 + at_s, audio_s)


def test_chunks_lie_where_their_offset_says() -> None:
    # Given a client that began an hour into the broadcast and left one chunk out
    placed = run([sent(offset(3600 + at), at + 31) for at in (0, 30, 90)])
    assert spans(placed) == [(0, 30), (30, 60), (90, 120)]
    assert placed[-1].timeline.clock is Clock.OFFSET
    assert placed[-1].timeline.zero == 3600


def test_chunks_lie_where_the_wall_clock_says() -> None:
    placed = run([sent(wall(at), at + 31) for at in (0, 30.25, 60.5)])
    assert spans(placed) == [(0, 30), (30.25, 60.25), (60.5, 90.5)]
    assert placed[-1].timeline.zero == T0


@pytest.mark.parametrize("time", ["00:00:00", "soon", wall(0), ""])
def test_a_time_that_never_changes_is_none(time: str) -> None:
    # Given chunks that came with some jitter, one of which was left out after the third
    placed = run([sent(time, at) for at in (31, 63, 91, 152, 181)])
    # Expect them to follow each other, but for what was left out
    assert spans(placed) == [(0, 30), (30, 60), (60, 90), (121, 151), (151, 181)]
    assert placed[-1].timeline.clock is Clock.ARRIVAL
    assert placed[-1].timeline.zero is None


def test_an_earlier_chunk_that_comes_late_lies_before() -> None:
    placed = run([sent(offset(at), came) for at, came in ((0, 31), (60, 91), (30, 95), (90, 121))])
    assert spans(placed) == [(0, 30), (60, 90), (30, 60), (90, 120)]
    assert [each.is_late for each in placed] == [False, False, True, False]


def test_one_that_was_worked_on_for_longer_lies_where_it_came() -> None:
    placed = run([sent("", 31), sent("", 91), sent("", 61), sent("", 121)])
    assert spans(placed) == [(0, 30), (60, 90), (30, 60), (90, 120)]


def test_chunks_that_come_all_at_once_follow_each_other() -> None:
    placed = run([sent("", 31), *(sent("", 200 + number / 10) for number in range(3))])
    assert spans(placed) == [(0, 30), (169, 199), (199, 229), (229, 259)]


def test_a_clock_that_stands_still_for_one_chunk_does_not_pull_it_back() -> None:
    placed = run([sent(offset(at), came) for at, came in ((0, 31), (30, 61), (30, 91), (90, 121))])
    assert spans(placed) == [(0, 30), (30, 60), (60, 90), (90, 120)]


def test_two_that_send_the_same_broadcast_lie_over_each_other() -> None:
    placed = run([sent(offset(at), came) for at, came in ((0, 31), (30, 61), (30, 62), (60, 91), (60, 92))])
    assert spans(placed) == [(0, 30), (30, 60), (30, 60), (60, 90), (60, 90)]


@pytest.mark.parametrize("jump_s", [-7200, 86_400])
def test_a_clock_that_is_set_makes_no_gap(jump_s: float) -> None:
    # Given a client whose clock is set in the middle
    times = [(0, 0), (30, 30), (60 + jump_s, 60), (90 + jump_s, 90)]
    placed = run([sent(wall(at), came + 31) for at, came in times])
    assert spans(placed) == [(0, 30), (30, 60), (60, 90), (90, 120)]
    assert placed[-1].timeline.has_jumped


def test_one_offset_from_before_the_stream_is_a_mistake() -> None:
    placed = run([sent(offset(at), came) for at, came in ((3600, 31), (3630, 61), (0, 91), (3690, 121))])
    assert spans(placed) == [(0, 30), (30, 60), (60, 90), (90, 120)]
    assert placed[-1].timeline.zero == 3600
    assert not placed[-1].timeline.has_jumped


def test_a_client_that_slept_leaves_a_gap_and_did_not_jump() -> None:
    placed = run([sent(wall(at), at + 31) for at in (0, 30, 3000, 3030)])
    assert spans(placed)[-2:] == [(3000, 3030), (3030, 3060)]
    assert not placed[-1].timeline.has_jumped


def test_a_chunk_without_sound_takes_no_length() -> None:
    placed = run([sent(offset(0), 31), sent(offset(30), 61, None), sent(offset(60), 91)])
    assert spans(placed) == [(0, 30), (30, 30), (60, 90)]


def test_only_an_offset_far_behind_falls_back() -> None:
    timeline = run([sent(offset(at), at + 31) for at in (3600, 3630)])[-1].timeline
    assert falls_back(timeline, offset(10))
    assert not falls_back(timeline, offset(3631 - 300))
    assert not falls_back(timeline, wall(0))
    assert not falls_back(timeline, "soon")
    by_wall = run([sent(wall(at), at + 31) for at in (3600, 3630)])[-1].timeline
    assert not falls_back(by_wall, wall(0))


def test_a_time_of_another_kind_does_not_count() -> None:
    placed = run([sent(offset(0), 31), sent(offset(30), 61), sent(wall(60), 91), sent(offset(90), 121)])
    assert spans(placed) == [(0, 30), (30, 60), (60, 90), (90, 120)]


def test_a_chunk_in_work_has_a_place_already() -> None:
    timeline = run([sent(offset(0), 31), sent(offset(30), 61)])[-1].timeline
    assert position_of(timeline, sent(offset(60), 91, None)) == 60


def test_a_timeline_is_read_as_it_was_stored() -> None:
    timeline = run([sent(offset(0), 31), sent(offset(30), 61)])[-1].timeline
    assert Timeline.from_json(timeline.to_json() | {"of a later version": 1}) == timeline
    assert Timeline.from_json(replace(timeline, zero=None).to_json()).zero is None


times = st.one_of(st.sampled_from(["", "x", "00:00:00"]), st.floats(0, 90_000).map(offset), st.floats(0, 9e7).map(wall))
chunks = st.builds(
    SentChunk, time=times, received_at=st.floats(T0, T0 + 90_000), audio_s=st.one_of(st.none(), st.floats(0.05, 60))
)


@given(st.lists(chunks, min_size=1, max_size=12))
def test_whatever_comes_every_chunk_has_a_place_of_its_length(found: list[SentChunk]) -> None:
    placed = run(found)
    for chunk, place_of_it in zip(found, placed, strict=True):
        assert place_of_it.end_s - place_of_it.start_s == pytest.approx(chunk.audio_s or 0.0, abs=0.003)
    reached = [each.timeline.reached_s for each in placed]
    assert reached == sorted(reached)
    assert reached[-1] == pytest.approx(max(each.end_s for each in placed), abs=0.002)


@given(st.permutations(range(8)), st.booleans())
def test_the_order_in_which_chunks_are_done_does_not_move_them(order: list[int], by_wall: bool) -> None:
    # Given a clock that has advanced, and its chunks in any order
    time = wall if by_wall else offset
    first = [sent(time(0), 31), sent(time(30), 61)]
    placed = run([*first, *(sent(time(60 + 30 * number), 91 + 30 * number) for number in order)])
    assert {each.start_s for each in placed[2:]} == {60.0 + 30 * number for number in range(8)}
    assert [each.start_s for each in placed[2:]] == [60.0 + 30 * number for number in order]
