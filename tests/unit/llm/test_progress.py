"""What is told of an answer that grows, and what is remembered of the one who wants no more of it."""

import pytest

from streametrics.errors import SummarizerBusy
from streametrics.llm.progress import AnswerProgress
from streametrics.summarization.progress import SummaryProgress


def test_a_retry_takes_back_neither_text_nor_share() -> None:
    told: list[tuple[str, float]] = []
    progress = AnswerProgress(lambda text, share: told.append((text, share)))
    progress.grow("Ada beats", 0.5)
    progress.grow("Ada", 0.1)
    progress.on_wait()
    progress.grow("Ada beat it", 1.5)
    assert told == [("Ada beats", 0.5)] * 3 + [("Ada beat it", 1.0)]


@pytest.mark.parametrize("error", [SummarizerBusy("its own"), KeyboardInterrupt()])
def test_what_the_reader_raises_is_told_apart_from_the_servers_own_errors(error: BaseException) -> None:
    def leave(text: str, share: float) -> None:
        raise error

    progress = AnswerProgress(leave)
    assert progress.stopped_by is None
    with pytest.raises(type(error)):
        progress.grow("Ada", 0.1)
    assert progress.stopped_by is error


def test_where_nobody_reads_the_share_is_known_all_the_same() -> None:
    progress = AnswerProgress(None)
    progress.grow("Ada", 0.25)
    assert progress.share == 0.25


def test_notes_fill_their_stretch_of_a_summary_and_show_no_text() -> None:
    told: list[tuple[str, float]] = []
    progress = SummaryProgress(lambda text, share: told.append((text, share)))
    on_answer = progress.without_text(0.2, 0.6)
    on_answer("a note", 0.5)
    on_answer("a whole note", 1.0)
    progress.report(0.8, "The summary")
    assert told == [("", pytest.approx(0.4)), ("", pytest.approx(0.6)), ("The summary", 0.8)]
