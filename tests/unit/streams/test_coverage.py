"""How much of a stream was heard: gaps and their reasons, overlaps, and numbers that belong together."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streametrics.domain.transcript import TimeSpan
from streametrics.streams.coverage import SLACK_S, ChunkState, Coverage, Extent, Gap, GapReason, coverage
from streametrics.streams.times import Clock

HEARD, FAILED, FORGOTTEN = ChunkState.HEARD, ChunkState.FAILED, ChunkState.FORGOTTEN


def heard(start_s: float, end_s: float, seq: int | None = None) -> Extent:
    return Extent(start_s, end_s, HEARD, seq=seq)


def counted(*chunks: Extent, clock: Clock = Clock.WALL, in_work: tuple[float, ...] = ()) -> Coverage:
    return coverage(chunks, clock=clock, in_work=in_work)


def gaps(*chunks: Extent, **how: tuple[float, ...]) -> list[tuple[float, float, str]]:
    return [(gap.start_s, gap.end_s, gap.reason.value) for gap in counted(*chunks, **how).gaps]  # type: ignore[arg-type]


def test_the_numbers_are_those_of_the_stream() -> None:
    # Given 73 minutes of which three were not sent
    chunks = [Extent(at, at + 30, HEARD, 22.0, 21.5) for at in range(0, 4380, 30) if not 1200 <= at < 1380]
    found = counted(*chunks)
    assert (found.start_s, found.end_s, found.received_s, found.missing_s) == (0, 4380, 4200, 180)
    assert (found.speech_s, found.transcribed_s, found.overlap_s) == (3080.0, 3010.0, 0.0)
    assert found.ratio == 0.959
    assert found.gaps == (Gap(1200, 1380, GapReason.NOT_SENT),)


def test_nothing_has_no_coverage() -> None:
    assert counted().ratio == 0.0
    assert counted().gaps == ()


@pytest.mark.parametrize(("clock", "slack_s"), SLACK_S.items())
def test_what_a_clock_cannot_tell_is_no_gap(clock: Clock, slack_s: float) -> None:
    within = counted(heard(0, 30), heard(30 + slack_s * 0.9, 60), clock=clock)
    beyond = counted(heard(0, 30), heard(30 + slack_s * 1.1, 60), clock=clock)
    assert (within.missing_s, len(within.gaps)) == (0, 0)
    assert beyond.missing_s == pytest.approx(slack_s * 1.1, abs=0.001)
    assert len(beyond.gaps) == 1


def test_the_same_sound_twice_is_an_overlap() -> None:
    found = counted(heard(0, 30), heard(30, 60), heard(30, 60), heard(60, 90))
    assert (found.received_s, found.overlap_s, found.missing_s) == (90, 30, 0)


def test_a_failed_chunk_is_a_gap_by_its_name() -> None:
    assert gaps(heard(0, 30), Extent(30, 60, FAILED), heard(60, 90)) == [(30, 60, "failed")]
    # One whose sound could not be read has no length: it reaches to the next thing that is known
    assert gaps(heard(0, 30), Extent(30, 30, FAILED), heard(60, 90)) == [(30, 60, "failed")]
    assert gaps(heard(0, 30), Extent(60, 60, FAILED), heard(90, 120)) == [(30, 60, "not_sent"), (60, 90, "failed")]
    assert gaps(heard(0, 30), Extent(30, 60, FAILED)) == [(30, 60, "failed")]


def test_a_forgotten_chunk_is_a_gap_by_its_name() -> None:
    chunks = heard(0, 30), Extent(30, 60, FORGOTTEN), Extent(60, 90, FORGOTTEN), heard(120, 150)
    assert gaps(*chunks) == [(30, 90, "forgotten"), (90, 120, "not_sent")]


def test_a_chunk_in_work_while_later_ones_are_done_is_late() -> None:
    assert gaps(heard(0, 30), heard(60, 90), in_work=(30.0,)) == [(30, 60, "late")]
    assert gaps(heard(0, 30), heard(60, 90), in_work=(90.0,)) == [(30, 60, "not_sent")]


def test_what_a_number_was_given_to_and_is_not_here_was_lost() -> None:
    assert gaps(heard(0, 30, 1), heard(60, 90, 3)) == [(30, 60, "lost")]
    assert gaps(heard(0, 30, 1), heard(60, 90, 2)) == [(30, 60, "not_sent")]
    assert gaps(heard(0, 30, 1), Extent(30, 60, FAILED, seq=2), heard(60, 90, 3)) == [(30, 60, "failed")]


extents = st.builds(
    lambda start, length, state: Extent(start, round(start + length, 3), state),
    st.floats(0, 600).map(lambda value: round(value, 3)),
    st.floats(0, 60).map(lambda value: round(value, 3)),
    st.sampled_from(ChunkState),
)


@given(st.lists(extents, max_size=20), st.sampled_from(Clock), st.lists(st.floats(0, 600), max_size=3))
def test_the_numbers_belong_together(chunks: list[Extent], clock: Clock, in_work: list[float]) -> None:
    found = coverage(chunks, clock=clock, in_work=in_work)
    elapsed_s = found.end_s - found.start_s
    assert found.received_s + found.missing_s == pytest.approx(elapsed_s, abs=0.01)
    assert found.missing_s == pytest.approx(sum(gap.end_s - gap.start_s for gap in found.gaps), abs=0.01)
    assert 0 <= found.ratio <= 1
    assert found.received_s >= -0.001 and found.overlap_s >= 0
    # Gaps are in order, apart, and no heard sound lies in one
    for gap in found.gaps:
        assert found.start_s <= gap.start_s < gap.end_s <= found.end_s
        for chunk in chunks:
            if chunk.state is HEARD:
                assert min(gap.end_s, chunk.end_s) - max(gap.start_s, chunk.start_s) <= 0.001
    assert all(one.end_s <= other.start_s for one, other in zip(found.gaps, found.gaps[1:], strict=False))
    assert all(
        one.reason is not other.reason or one.end_s < other.start_s
        for one, other in zip(found.gaps, found.gaps[1:], strict=False)
    )


@given(st.lists(extents, max_size=12), st.randoms())
def test_the_order_in_which_chunks_came_changes_nothing(chunks: list[Extent], random: object) -> None:
    shuffled = list(chunks)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert coverage(shuffled, clock=Clock.WALL) == coverage(chunks, clock=Clock.WALL)


def test_what_was_forgotten_is_a_gap_in_what_was_heard() -> None:
    chunks = [heard(0, 30), heard(60, 90)]
    found = coverage(chunks, clock=Clock.WALL, forgotten=[TimeSpan(-5, 10), TimeSpan(20, 70), TimeSpan(85, 1e9)])
    told = [(gap.start_s, gap.end_s, gap.reason.value) for gap in found.gaps]
    assert told == [
        (0, 10, "forgotten"),
        (20, 30, "forgotten"),
        (30, 60, "not_sent"),
        (60, 70, "forgotten"),
        (85, 90, "forgotten"),
    ]
    assert (found.received_s, found.missing_s) == (25, 65)


def test_what_was_not_sent_in_a_pause_is_told_so() -> None:
    paused = Extent(90, 120, ChunkState.PAUSED)
    chunks = [heard(0, 30), paused, heard(150, 180), Extent(180, 210, FAILED), heard(210, 240)]
    found = coverage(chunks, clock=Clock.WALL, pauses=[TimeSpan(50, 140), TimeSpan(200, math.inf)])
    told = [(gap.start_s, gap.end_s, gap.reason.value) for gap in found.gaps]
    # Expect a pause to say nothing of what is known better
    assert told == [
        (30, 50, "not_sent"),
        (50, 140, "paused"),
        (140, 150, "not_sent"),
        (180, 210, "failed"),
    ]
