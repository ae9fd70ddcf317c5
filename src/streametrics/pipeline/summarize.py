"""Runs the second stage of a job: a stored transcript becomes a summary."""

from collections.abc import Callable
from dataclasses import replace

from streametrics.domain.job import JobRequest
from streametrics.domain.transcript import Transcript
from streametrics.pipeline.reporter import JobReporter
from streametrics.summarization.base import Notes, Summarizer, Summary, SummaryRequest

#: Of a summary in the language that is spoken, where none was heard.
DEFAULT_LANGUAGE = "en"


def write(
    transcript: Transcript,
    request: JobRequest,
    *,
    summarizer: Summarizer,
    reporter: JobReporter,
    notes: Notes,
    time_limit_s: float | None = None,
) -> Summary:
    """Summarize a stored transcript in the language asked for. Raises a SummarizerError, and what the reporter raises.

    time_limit_s: how long a live chunk can wait for the model, None where nobody waits.
    """

    def on_text(so_far: str, share: float) -> None:
        reporter.check()
        reporter.written(share, so_far)

    reporter.check()
    asked = replace(_summary_request(transcript, request), time_limit_s=time_limit_s)
    return summarizer.summarize(asked, on_text=on_text, notes=notes)


def write_incremental_notes(
    transcript: Transcript,
    request: JobRequest,
    *,
    summarizer: Summarizer,
    notes: Notes,
    check: Callable[[], None],
) -> int:
    """Write notes on a transcript that still grows; returns how many are new. `check` may raise to stop."""
    return summarizer.write_incremental_notes(_summary_request(transcript, request), notes, check=check)


def _summary_request(transcript: Transcript, request: JobRequest) -> SummaryRequest:
    return SummaryRequest(
        transcript=transcript.text,
        segments=transcript.segments,
        language=request.language or transcript.language or DEFAULT_LANGUAGE,
        streamer=request.streamer,
        game=request.game,
        title=request.title,
        extra_instruction=request.extra_instruction,
        length=request.summary_length,
    )
