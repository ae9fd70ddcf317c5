"""A model server that fails again and again is left alone for a while, and found again when it has recovered."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from streametrics.domain.transcript import TimeSpan
from streametrics.errors import (
    ModelMissing,
    ModelServerResting,
    SummarizerBusy,
    SummarizerError,
    SummarizerRefused,
    SummarizerTimeout,
    SummarizerUnavailable,
    TranscriptTooLong,
)
from streametrics.llm.base import Condition, ModelHealth
from streametrics.summarization.base import Notes, OnText, Summary, SummaryRequest
from streametrics.summarization.circuit_breaker import RECENT_PROGRESS_S, CircuitBreaker
from streametrics.summarization.extractive import ExtractiveSummarizer
from streametrics.summarization.fake import FakeSummarizer
from streametrics.summarization.fallback import FallbackSummarizer
from tests.support.doubles import ManualClock, Stop

REQUEST = SummaryRequest("We meet a dragon. The dragon burns the bridge. We win and sell the sword.", "en", "Ada")
LIVE = replace(REQUEST, time_limit_s=0.0)
RETRY_S = 30


class Memory:
    """Notes in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def get(self, key: str) -> str | None:
        return self.kept.get(key)

    def put(self, key: str, text: str, span: TimeSpan | None = None) -> None:
        self.kept[key] = text


class Writer(FakeSummarizer):
    """A fake whose notes and growth a test orders. on_call: called first in every call; may raise."""

    def __init__(self, *, writes: int = 0, on_call: Callable[[OnText | None], None] | None = None, **more: Any) -> None:
        super().__init__(**more)
        self.asked_ahead = 0
        self.checked = 0
        self._writes = writes
        self._on_call = on_call

    def summarize(
        self, request: SummaryRequest, *, on_text: OnText | None = None, notes: Notes | None = None
    ) -> Summary:
        if self._on_call is not None:
            self._on_call(on_text)
        return super().summarize(request, on_text=on_text, notes=notes)

    def write_incremental_notes(self, request: SummaryRequest, notes: Notes, *, check: Callable[[], None]) -> int:
        self.asked_ahead += 1
        for number in range(self._writes):
            check()
            notes.put(f"piece {number}", "a note")
        return self._writes

    def health(self) -> ModelHealth:
        self.checked += 1
        return super().health()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(100.0)


@pytest.fixture
def breaker(clock: ManualClock) -> CircuitBreaker:
    return CircuitBreaker(3, RETRY_S, clock)


def fail(breaker: CircuitBreaker, *errors: BaseException) -> None:
    for error in errors:
        with pytest.raises(type(error)), breaker.guard():
            raise error


def opened(breaker: CircuitBreaker) -> CircuitBreaker:
    fail(breaker, SummarizerTimeout(), SummarizerBusy(), SummarizerUnavailable("Nobody is there."))
    return breaker


def passes(breaker: CircuitBreaker) -> bool:
    try:
        with breaker.guard() as call:
            call.ignore_result()
    except ModelServerResting:
        return False
    return True


# The breaker


def test_three_failures_in_a_row_open_it(breaker: CircuitBreaker) -> None:
    fail(breaker, SummarizerTimeout(), SummarizerTimeout())
    assert passes(breaker)
    fail(breaker, SummarizerTimeout("It said nothing."))
    assert not passes(breaker)
    reason = str(breaker.rejection())
    assert "failed 3 times in a row (at last: It said nothing)" in reason
    assert "every 30 seconds" in reason
    assert reason.endswith(".")


@pytest.mark.parametrize("error", [TranscriptTooLong(), SummarizerRefused(), ModelMissing()])
def test_a_refusal_shows_that_the_server_answers(breaker: CircuitBreaker, error: SummarizerError) -> None:
    fail(breaker, SummarizerTimeout(), SummarizerTimeout(), error, SummarizerTimeout(), SummarizerTimeout())
    assert passes(breaker)


def test_a_call_that_was_stopped_says_nothing(breaker: CircuitBreaker) -> None:
    fail(breaker, SummarizerTimeout(), SummarizerTimeout(), Stop(), Stop(), Stop())
    assert passes(breaker)
    fail(breaker, SummarizerTimeout())
    assert not passes(breaker)


def test_one_call_tries_it_after_the_rest(breaker: CircuitBreaker, clock: ManualClock) -> None:
    opened(breaker)
    clock.now += RETRY_S - 1
    assert not passes(breaker)
    clock.now += 1
    assert breaker.rejection() is None
    with breaker.guard():
        # Expect the others to be refused until this one has ended
        assert not passes(breaker)
    assert passes(breaker)
    # And that failures are counted from the beginning
    fail(breaker, SummarizerBusy(), SummarizerBusy())
    assert passes(breaker)


def test_a_try_that_fails_means_another_rest(breaker: CircuitBreaker, clock: ManualClock) -> None:
    opened(breaker)
    clock.now += RETRY_S
    fail(breaker, SummarizerBusy())
    clock.now += RETRY_S - 1
    assert not passes(breaker)
    clock.now += 1
    assert passes(breaker)


def test_a_try_that_was_stopped_leaves_its_place_to_the_next(breaker: CircuitBreaker, clock: ManualClock) -> None:
    opened(breaker)
    clock.now += RETRY_S
    fail(breaker, Stop())
    with breaker.guard():
        pass
    fail(breaker, SummarizerBusy(), SummarizerBusy())
    assert passes(breaker)


def test_of_many_threads_one_tries(breaker: CircuitBreaker, clock: ManualClock) -> None:
    opened(breaker)
    clock.now += RETRY_S
    together = threading.Barrier(8)
    decided = threading.Barrier(8)

    def enter(_: int) -> bool:
        together.wait(5)
        try:
            with breaker.guard():
                decided.wait(5)
        except ModelServerResting:
            decided.wait(5)
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(enter, range(8))) == 1


# The chain


def chain(writer: FakeSummarizer, breaker: CircuitBreaker) -> FallbackSummarizer:
    return FallbackSummarizer(writer, ExtractiveSummarizer(), breaker)


def test_a_resting_server_is_not_asked_and_the_reader_is_told(breaker: CircuitBreaker, clock: ManualClock) -> None:
    writer = Writer(failures=[SummarizerTimeout()] * 3)
    summarizer = chain(writer, breaker)
    codes = [summarizer.summarize(REQUEST).warnings[0].code for _ in range(5)]
    assert codes == ["model_server_timeout"] * 3 + ["model_server_resting"] * 2
    assert (len(writer.calls), writer.checked) == (3, 3)
    # And it is found again
    clock.now += RETRY_S
    assert summarizer.summarize(REQUEST).source == "fake"


def test_without_a_fallback_a_resting_server_fails_the_job_at_once(breaker: CircuitBreaker) -> None:
    writer = Writer(failures=[SummarizerBusy()] * 3)
    summarizer = FallbackSummarizer(writer, None, breaker)
    for _ in range(3):
        with pytest.raises(SummarizerBusy):
            summarizer.summarize(REQUEST)
    with pytest.raises(ModelServerResting, match="3 times in a row"):
        summarizer.summarize(REQUEST)
    assert len(writer.calls) == 3


def test_without_a_fallback_nobody_is_asked_whether_the_server_is_there_and_no_time_is_out(
    breaker: CircuitBreaker,
) -> None:
    writer = Writer(report=ModelHealth(Condition.UNREACHABLE, "Nobody is there."))
    assert FallbackSummarizer(writer, None, breaker).summarize(LIVE).source == "fake"


def test_silence_needs_no_server(breaker: CircuitBreaker) -> None:
    silent = SummaryRequest("", "en")
    assert chain(Writer(), opened(breaker)).summarize(silent).warnings[0].code == "no_speech"


def test_a_server_that_is_not_there_is_found_as_soon_as_it_is_started(breaker: CircuitBreaker) -> None:
    away = chain(Writer(report=ModelHealth(Condition.UNREACHABLE, "Start it.")), breaker)
    codes = [away.summarize(REQUEST).warnings[0].code for _ in range(4)]
    assert codes == ["model_server_unavailable"] * 4
    assert chain(Writer(), breaker).summarize(REQUEST).source == "fake"


def test_live_chunks_that_heard_nothing_by_their_deadline_count(breaker: CircuitBreaker) -> None:
    writer = Writer(on_call=lambda on_text: on_text("", 0.0) if on_text else None)
    summarizer = chain(writer, breaker)
    codes = [summarizer.summarize(LIVE).warnings[0].code for _ in range(4)]
    assert codes == ["model_server_timeout"] * 3 + ["model_server_resting"]


def test_live_chunks_that_are_late_because_the_server_is_busy_do_not_count(
    breaker: CircuitBreaker, clock: ManualClock
) -> None:
    late = chain(Writer(on_call=lambda on_text: on_text("", 0.0) if on_text else None), breaker)
    codes: list[str] = []

    def live_chunk_between_two_notes() -> None:
        clock.now += RECENT_PROGRESS_S - 1
        codes.append(late.summarize(LIVE).warnings[0].code)

    # Given a long recording whose notes are being written, and live chunks that wait for their turn in vain
    chain(Writer(writes=6), breaker).write_incremental_notes(REQUEST, Memory(), check=live_chunk_between_two_notes)
    # Expect them to take the fallback, and nobody to lose the model for it
    assert codes == ["model_server_timeout"] * 6
    assert breaker.rejection() is None
    # Until it gets on no more
    clock.now += RECENT_PROGRESS_S
    for _ in range(3):
        late.summarize(LIVE)
    assert breaker.rejection() is not None


def test_text_that_grows_shows_that_the_server_is_alive(breaker: CircuitBreaker, clock: ManualClock) -> None:
    chain(Writer(), breaker).summarize(REQUEST, on_text=lambda text, share: None)
    assert breaker.made_progress_recently()
    clock.now += RECENT_PROGRESS_S
    assert not breaker.made_progress_recently()


def test_notes_are_written_ahead_unless_the_server_rests(breaker: CircuitBreaker, clock: ManualClock) -> None:
    writer, notes = Writer(writes=2), Memory()
    summarizer = chain(writer, breaker)
    assert summarizer.write_incremental_notes(REQUEST, notes, check=lambda: None) == 2
    assert notes.kept == {"piece 0": "a note", "piece 1": "a note"}
    opened(breaker)
    assert summarizer.write_incremental_notes(REQUEST, notes, check=lambda: None) == 0
    assert writer.asked_ahead == 1
    # And notes that are written end the rest
    clock.now += RETRY_S
    assert summarizer.write_incremental_notes(REQUEST, notes, check=lambda: None) == 2
    assert passes(breaker)


def test_nothing_to_write_ahead_shows_nothing_about_the_server(breaker: CircuitBreaker) -> None:
    summarizer = chain(Writer(writes=0), breaker)
    fail(breaker, SummarizerBusy(), SummarizerBusy())
    summarizer.write_incremental_notes(REQUEST, Memory(), check=lambda: None)
    fail(breaker, SummarizerBusy())
    assert not passes(breaker)


def test_what_check_raises_passes_unchanged(breaker: CircuitBreaker) -> None:
    def stop() -> None:
        raise Stop

    with pytest.raises(Stop):
        chain(Writer(writes=1), breaker).write_incremental_notes(REQUEST, Memory(), check=stop)


def test_nothing_is_written_ahead_by_a_server_that_is_not_there(breaker: CircuitBreaker) -> None:
    writer = Writer(writes=1, report=ModelHealth(Condition.UNREACHABLE, "Start it."))
    for _ in range(5):
        assert chain(writer, breaker).write_incremental_notes(REQUEST, Memory(), check=lambda: None) == 0
    # Expect no call that fails, and none that is counted: a live chunk finds a server that is started now
    assert writer.asked_ahead == 0
    assert breaker.rejection() is None


def test_health_tells_of_the_rest(breaker: CircuitBreaker) -> None:
    assert not chain(Writer(), breaker).health().failing
    opened(breaker)
    health = chain(Writer(), breaker).health()
    assert (health.reachable, health.has_model, health.failing) == (True, True, True)
    assert "3 times in a row" in health.detail
    # What is worse is said first
    missing = ModelHealth(Condition.MODEL_MISSING, "Fetch the model.")
    assert chain(Writer(report=missing), breaker).health() == missing
