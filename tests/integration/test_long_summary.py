"""A summary that takes longer than one task may: it is written in turns, and nothing in it is paid for twice."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from streametrics.domain.job import JobKind, JobRequest, JobState, Stage
from streametrics.domain.transcript import Segment, Transcript
from streametrics.llm.base import Message
from streametrics.llm.fake import FakeChatModel
from streametrics.summarization.base import Summarizer
from streametrics.summarization.extractive import ExtractiveSummarizer
from streametrics.summarization.fallback import FallbackSummarizer
from streametrics.summarization.llm_summarizer import LlmSummarizer
from streametrics.worker.runner import Worker
from tests.support.doubles import ManualClock
from tests.support.jobs import Jobs
from tests.support.stack import Stack

REQUEST = JobRequest(streamer="s", language="en", game="", time="0", title="")
ENGLISH = "Ada beats the dragon on the third try and thanks the chat. Then she sells the sword at the market."
#: Of a task, in seconds: room for three calls of a slow model.
SOFT_LIMIT_S = 540.0


class SlowModel(FakeChatModel):
    """Needs three minutes for a call."""

    def __init__(self, clock: ManualClock, call_s: float = 180.0) -> None:
        super().__init__(self._answer)
        self._clock, self._call_s = clock, call_s

    def _answer(self, messages: Sequence[Message], max_tokens: int, schema: dict[str, Any] | None) -> str:
        self._clock.now += self._call_s
        return ENGLISH if schema is None else json.dumps({"overview": ENGLISH, "moments": []})


@pytest.fixture
def jobs(fresh: Stack) -> Iterator[Jobs]:
    settings = fresh.own_settings()
    made = Jobs(settings)
    yield made
    made.close()


def transcribed(jobs: Jobs, minutes: int) -> str:
    """A recording that is heard, with twelve words every five seconds."""
    task_id = jobs.service.accept(
        REQUEST, kind=JobKind.LONG, audio_key=jobs.connections.audio.writer().commit(), container="wav"
    )
    claim = jobs.claim(task_id, Stage.TRANSCRIBE, "w")
    assert claim is not None
    segments = tuple(
        Segment(index * 5.0, index * 5.0 + 5, " ".join(f"word{index}{x}" for x in "abcdefghijkl"))
        for index in range(minutes * 12)
    )
    jobs.lifecycle.store_transcript(claim, Transcript(segments, "en"), audio_s=minutes * 60.0, warnings=())
    return task_id


def worker(jobs: Jobs, model: FakeChatModel, clock: ManualClock) -> Worker:
    writer: Summarizer = FallbackSummarizer(LlmSummarizer(model, jobs.settings), ExtractiveSummarizer())
    return Worker(
        jobs.settings, jobs.lifecycle, make_summarizer=lambda _: writer, transcriber=None, decoder=None, clock=clock
    )


def test_a_summary_that_takes_longer_than_a_task_goes_on_in_the_next_one(jobs: Jobs) -> None:
    clock = ManualClock()
    model = SlowModel(clock)
    task_id = transcribed(jobs, minutes=60)
    slow = worker(jobs, model, clock)

    turns, progress = 0, [0]
    while jobs.service.status(task_id).state is not JobState.DONE:
        begun = clock.now
        slow.summarize(task_id, "w")
        turns += 1
        assert clock.now - begun <= SOFT_LIMIT_S + 180, "a turn ends with the call that it is in"
        status = jobs.service.status(task_id)
        assert status.state in (JobState.SUMMARIZING, JobState.DONE), status.error
        progress.append(100 if status.state is JobState.DONE else status.progress)
        assert turns < 20

    result = jobs.service.status(task_id).result
    assert result is not None
    assert (result["summary"], result["summary_source"], result["warnings"]) == (ENGLISH, "fake", [])
    assert turns > 2
    assert progress == sorted(progress)
    asked = [call.messages[-1]["content"] for call in model.calls]
    assert len(asked) - len(set(asked)) < turns, "a turn's last call may be asked again, and nothing else"


def test_a_model_that_writes_nothing_in_a_whole_turn_is_given_up(jobs: Jobs) -> None:
    clock = ManualClock()

    class Silent(SlowModel):
        def chat(self, *arguments: Any, on_answer: Any, **options: Any) -> Any:
            while True:
                clock.now += 60
                on_answer("", 0.0)

    task_id = transcribed(jobs, minutes=60)
    worker(jobs, Silent(clock), clock).summarize(task_id, "w")

    result = jobs.service.status(task_id).result
    assert result is not None
    assert result["summary_source"] == "extractive"
    (warning,) = result["warnings"]
    assert warning["code"] == "model_server_timeout"
    assert "9 minutes" in warning["message"]
