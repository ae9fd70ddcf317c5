"""Notes on a long recording are written while it is still being transcribed, and never twice."""

from collections.abc import Callable
from pathlib import Path

import pytest

from streametrics.domain.job import JobKind, JobRequest, JobState, Stage
from streametrics.domain.transcript import Segment, TimeSpan, Transcript
from streametrics.summarization.base import Notes, OnText, Summary, SummaryRequest
from streametrics.summarization.fake import FakeSummarizer
from streametrics.worker.runner import Worker
from tests.support.jobs import Jobs
from tests.support.stack import Stack

REQUEST = JobRequest(streamer="s", language="fr", game="", time="0", title="")


class PiecewiseWriter(FakeSummarizer):
    """Writes a note on every segment but the last one, which may still grow."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []

    def write_incremental_notes(self, request: SummaryRequest, notes: Notes, *, check: Callable[[], None]) -> int:
        new = 0
        for segment in request.segments[:-1]:
            check()
            if notes.get(segment.text) is None:
                span = TimeSpan(segment.start, segment.end)
                notes.put(segment.text, f"note on {segment.text} in {request.language}", span)
                self.written.append(segment.text)
                new += 1
        return new

    def summarize(
        self, request: SummaryRequest, *, on_text: OnText | None = None, notes: Notes | None = None
    ) -> Summary:
        assert notes is not None
        return Summary(" / ".join(notes.get(each.text) or each.text for each in request.segments), "fake")


@pytest.fixture
def jobs(fresh: Stack) -> Jobs:
    settings = fresh.own_settings()
    made = Jobs(settings)
    yield made
    made.close()


def part(text: str) -> Transcript:
    return Transcript((Segment(1.0, 2.0, text),), "en")


def test_notes_follow_the_transcript_and_are_found_by_the_summary(jobs: Jobs, tmp_path: Path) -> None:
    writer = PiecewiseWriter()
    worker = Worker(jobs.settings, jobs.lifecycle, make_summarizer=lambda model: writer, transcriber=None, decoder=None)
    sound = jobs.connections.audio.writer()
    task_id = jobs.service.accept(REQUEST, kind=JobKind.LONG, audio_key=sound.commit(), container="wav")
    whole = jobs.claim(task_id, Stage.TRANSCRIBE, "w")
    assert whole is not None
    pcm = jobs.connections.audio.writer().commit()
    spans = [TimeSpan(60.0 * index, 60.0 * (index + 1)) for index in range(4)]
    jobs.lifecycle.store_parts(whole, audio_key=pcm, audio_s=240.0, spans=spans, warnings=())
    claims = [jobs.claim(task_id, Stage.TRANSCRIBE, "w") for _ in spans]

    # Given parts that are finished out of order: 0, 2, then 1
    for index in (0, 2):
        jobs.lifecycle.store_part(claims[index], part(f"part {index}"))
        worker.write_incremental_notes(task_id)
    assert writer.written == [], "beyond the first gap nothing is certain"
    jobs.lifecycle.store_part(claims[1], part("part 1"))
    worker.write_incremental_notes(task_id)
    worker.write_incremental_notes(task_id)

    # Expect notes on what is certain, each written once
    assert writer.written == ["part 0", "part 1"]
    # And shown to who asks, while the rest is still being heard
    assert jobs.service.status(task_id).state is JobState.TRANSCRIBING
    assert jobs.service.status(task_id).body()["notes"] == [
        {"start": 1.0, "end": 2.0, "text": "note on part 0 in fr"},
        {"start": 61.0, "end": 62.0, "text": "note on part 1 in fr"},
    ]

    # And when the last part is heard, the summary finds them
    jobs.lifecycle.store_part(claims[3], part("part 3"))
    worker.write_incremental_notes(task_id)
    worker.summarize(task_id, "w")
    status = jobs.service.status(task_id)
    assert status.state is JobState.DONE
    assert status.result is not None
    assert status.result["summary"] == "note on part 0 in fr / note on part 1 in fr / part 2 / part 3"
    assert [segment["start"] for segment in status.result["segments"]] == [1.0, 61.0, 121.0, 181.0]
    assert writer.written == ["part 0", "part 1"]
    # Notes tell what was said, so they go with the job's end
    assert jobs.lifecycle.notes(task_id).get("part 0") is None


def test_a_worker_that_stops_leaves_the_rest_to_the_summary(jobs: Jobs) -> None:
    writer = PiecewiseWriter()
    worker = Worker(jobs.settings, jobs.lifecycle, make_summarizer=lambda model: writer, transcriber=None, decoder=None)
    task_id = jobs.service.accept(
        REQUEST, kind=JobKind.LONG, audio_key=jobs.connections.audio.writer().commit(), container="wav"
    )
    whole = jobs.claim(task_id, Stage.TRANSCRIBE, "w")
    assert whole is not None
    spans = [TimeSpan(60.0 * index, 60.0 * (index + 1)) for index in range(3)]
    jobs.lifecycle.store_parts(
        whole, audio_key=jobs.connections.audio.writer().commit(), audio_s=180.0, spans=spans, warnings=()
    )
    for index in range(2):
        claim = jobs.claim(task_id, Stage.TRANSCRIBE, "w")
        assert claim is not None
        jobs.lifecycle.store_part(claim, part(f"part {index}"))

    worker.stopping.set()
    worker.write_incremental_notes(task_id)

    assert writer.written == []
