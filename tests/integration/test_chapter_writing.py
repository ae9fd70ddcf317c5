"""A model writes of closed chapters, once, fenced, and behind every chunk's own summary; on both databases."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import text, update

from streametrics.auth.principal import LOCAL
from streametrics.database.chapters import ChapterRecords
from streametrics.database.erasure import Erasure
from streametrics.database.tables import jobs
from streametrics.domain.job import JobState
from streametrics.errors import SummarizerUnavailable
from streametrics.jobs.chapter_texts import ChapterTexts
from streametrics.jobs.chapters import ChapterKeeping
from streametrics.jobs.connections import Connections
from streametrics.jobs.recaps import RecapScope, RecapService
from streametrics.jobs.streams import StreamService
from streametrics.llm.base import Message
from streametrics.llm.fake import FakeChatModel
from streametrics.recap.chapters import Chapter
from streametrics.summarization.chapter_writer import ChapterWriter
from streametrics.worker.chapter_writing import CALL_S, REST_S, ChapterWriting
from tests.integration.test_stream_chapters import stream
from tests.support.streams import Streams

ANSWER = {"title": "About the rook", "sentences": [{"text": "The speaker tells about the rook.", "lines": "1"}]}


@pytest.fixture
def closed(streams: Streams) -> Streams:
    """A stream of which the first chapter is closed."""
    stream(streams, *["rook"] * 4, *["king"] * 4)
    assert ChapterKeeping(ChapterRecords(streams.database), streams.records, streams.settings).round() == 1
    return streams


class Clock:
    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return self.s


def writing(
    connections: Connections,
    answer: object = ANSWER,
    *,
    meanwhile: Callable[[], None] = lambda: None,
    clock: Clock | None = None,
    **how: Any,
) -> tuple[ChapterWriting, FakeChatModel]:
    """One that asks a fake model; meanwhile: what happens while it answers."""

    def respond(messages: Sequence[Message], max_tokens: int, schema: dict[str, Any] | None) -> str:
        meanwhile()
        return json.dumps(answer)

    model = FakeChatModel(respond, **how)
    return ChapterWriting(ChapterTexts(connections), ChapterWriter(model), clock=clock or Clock()), model


def first(streams: Streams) -> Chapter:
    return ChapterRecords(streams.database).of(1)[0]


def test_a_model_writes_of_a_chapter_once(closed: Streams, connections: Connections) -> None:
    before, (was,) = first(closed), closed.all()
    work, model = writing(connections)
    assert work.round()
    after = first(closed)
    assert (after.text.title, after.text.summary) == ("About the rook", "The speaker tells about the rook.")
    assert (after.text.source, after.text.model, after.revision) == ("fake", "fake", 2)
    assert (after.start_s, after.end_s, after.text.keywords) == (before.start_s, before.end_s, before.text.keywords)
    # Its sentence lies where the line lies that it was taken from
    (told,) = after.text.sentences
    assert 0 <= told.start_s < told.end_s <= 120 and 0 <= told.first_segment <= told.last_segment <= 3
    (now,) = closed.all()
    assert now.state_version == was.state_version + 1
    assert not work.round() and len(model.calls) == 1
    recap = RecapService(connections, StreamService(connections)).recap(now, RecapScope.STREAM, most_letters=1000)
    assert "The speaker tells about the rook." in recap.text and recap.source == "fake" and recap.model == "fake"


@pytest.mark.parametrize(
    "told",
    [
        {"text": "The speaker tells about the rook.", "lines": "99"},
        {"text": "The speaker meets Hikaru.", "lines": "1"},
        {"text": "The speaker has 77 rooks.", "lines": "1"},
    ],
)
def test_what_nobody_said_goes(told: dict[str, str], closed: Streams, connections: Connections) -> None:
    before = first(closed)
    work, model = writing(connections, {"title": "Meeting Hikaru", "sentences": [told]})
    assert not work.round() and len(model.calls) == 1
    assert first(closed) == before
    assert not work.round() and len(model.calls) == 1  # it is not asked again
    # Beside one that was said, expect that one to stay, and a title of what was said
    stream(closed, *["king"] * 4, *["bishop"] * 4, first=8)
    ChapterKeeping(ChapterRecords(closed.database), closed.records, closed.settings).round()
    good = {"text": "The speaker tells about the king.", "lines": "1"}
    work, _ = writing(connections, {"title": "Meeting Hikaru", "sentences": [told, good]})
    assert work.round()
    second = ChapterRecords(closed.database).of(1)[1]
    assert second.text.summary == good["text"] and "Hikaru" not in second.text.title


def test_a_chunk_goes_before(closed: Streams, connections: Connections) -> None:
    task_id = closed.chunk("waits for its summary", state=JobState.TRANSCRIBED, finished_at=None, streamer="Ada")
    work, model = writing(connections)
    assert not work.round() and model.calls == []

    def finish(state: JobState, finished_at: float | None) -> None:
        with closed.database.write() as connection:
            values = {"state": state, "finished_at": finished_at}
            connection.execute(update(jobs).where(jobs.c.task_id == task_id).values(values))

    finish(JobState.DONE, 1.0)
    # When one comes while the model answers, expect the call to end, and another one when nobody waits
    clock = Clock()

    def come() -> None:
        finish(JobState.SUMMARIZING, None)
        clock.s += 1

    work, model = writing(connections, meanwhile=come, clock=clock)
    assert not work.round() and len(model.calls) == 1 and first(closed).revision == 1
    finish(JobState.DONE, 1.0)
    work, _ = writing(connections)
    assert work.round() and first(closed).revision == 2


def test_a_server_that_fails_is_left_alone_for_a_while(closed: Streams, connections: Connections) -> None:
    clock = Clock()
    work, model = writing(connections, clock=clock, failures=[SummarizerUnavailable()])
    assert not work.round() and not work.round() and len(model.calls) == 1
    clock.s += REST_S
    assert work.round() and first(closed).revision == 2


def test_a_model_that_is_too_slow_is_not_asked_again(closed: Streams, connections: Connections) -> None:
    clock = Clock()

    def take_long() -> None:
        clock.s += CALL_S

    work, model = writing(connections, meanwhile=take_long, clock=clock)
    assert not work.round() and first(closed).revision == 1
    assert not work.round() and len(model.calls) == 1


def test_what_was_erased_meanwhile_does_not_come_back(closed: Streams, connections: Connections) -> None:
    with closed.database.read() as connection:
        sent = connection.execute(text("SELECT task_id FROM stream_chunks ORDER BY start_s")).scalars().all()
    work, _ = writing(connections, meanwhile=lambda: Erasure(closed.database).erase(sent[0]) and None)
    assert not work.round()
    assert first(closed).text.summary == ""


def test_a_person_who_writes_meanwhile_is_right(closed: Streams, connections: Connections) -> None:
    recaps = RecapService(connections, StreamService(connections))
    (found,) = closed.all()

    def edit() -> None:
        recaps.edit_chapter(found.id, "ch_1", LOCAL, title="Mine", summary=None)

    work, model = writing(connections, meanwhile=edit)
    assert not work.round() and first(closed).text.title == "Mine"
    assert not work.round() and len(model.calls) == 1


def test_two_processes_do_not_ask_twice(closed: Streams, connections: Connections) -> None:
    other, other_model = writing(connections)
    work, _ = writing(connections, meanwhile=lambda: other.round() and None)
    assert work.round() and other_model.calls == []


def test_a_process_that_dies_leaves_the_chapter_to_another(closed: Streams, connections: Connections) -> None:
    texts = ChapterTexts(connections)
    assert texts.claim() is not None  # and no more was heard of it
    work, model = writing(connections)
    assert not work.round() and model.calls == []
    with closed.database.write() as connection:
        connection.execute(text("UPDATE streams SET lease_until = lease_until - 181"))
    assert work.round()


def test_an_old_chapter_stays_as_it_was_picked(closed: Streams, connections: Connections) -> None:
    with closed.database.write() as connection:
        connection.execute(text("UPDATE chapters SET closed_at = closed_at - 601"))
    work, model = writing(connections)
    assert not work.round() and model.calls == []
