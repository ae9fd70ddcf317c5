"""Summarizes with a chat model, from ten words to ten hours.

A short transcript is one prompt. A long one is cut into pieces, each becomes a note, notes are merged until they fit
into one prompt, and that one asks for an overview with key moments. No prompt exceeds the model's context, and every
word of the transcript is in one of them.
"""

import contextlib
from collections.abc import Callable
from typing import TypeVar

from streametrics.domain.job import Warn
from streametrics.llm.base import ChatModel, ModelHealth
from streametrics.settings import Settings
from streametrics.summarization import language_check, output_validation, prompts, spoken_names
from streametrics.summarization.base import Notes, OnText, Summary, SummaryRequest, is_silent, silent_summary
from streametrics.summarization.chunking import Line, Piece, Timeline
from streametrics.summarization.map_reduce import NoteWriter
from streametrics.summarization.output_validation import Overview
from streametrics.summarization.overview import OverviewWriter
from streametrics.summarization.progress import SummaryProgress
from streametrics.summarization.prompting import PromptRunner, PromptTooLong
from streametrics.summarization.prompts import Defect
from streametrics.text import sentences

#: Tokens that two or three sentences need, in English. Without a bound some answers never end.
SUMMARY_TOKENS = 160
#: A recording of more than this many seconds gets an overview with key moments.
LONG_FROM_S = 600.0
#: After so many prompts that the server finds too long, no smaller ones are tried.
_MOST_REFUSALS = 5

#: Characters of a field of the upload in which names are looked for.
_LONGEST_FIELD = 200

Found = TypeVar("Found")


class LlmSummarizer:
    """Summarizes with one chat model; thread-safe, as the model is."""

    def __init__(self, model: ChatModel, settings: Settings) -> None:
        self.source = model.source
        self._model = model
        self._live_max_s = settings.live_max_s
        self._runner = PromptRunner(model)

    def summarize(
        self, request: SummaryRequest, *, on_text: OnText | None = None, notes: Notes | None = None
    ) -> Summary:
        """See `Summarizer`. While pieces are read, `on_text` is given an empty text and a growing share; then the
        overview as it is written. It is also called while the model is silent, as often as the model calls back."""
        if is_silent(request.transcript):
            return silent_summary(request)
        language_check.load()
        progress = SummaryProgress(on_text)
        return _until_it_fits(lambda: self._summarize(request, progress, notes))

    def write_incremental_notes(self, request: SummaryRequest, notes: Notes, *, check: Callable[[], None]) -> int:
        """Write notes on every piece but the last, which the next words may change. A note that the model cannot write
        is left to the end."""

        def write() -> int:
            note_writer = NoteWriter(self._runner, request, notes)
            return sum(
                note_writer.write_incremental_notes(piece, check) for piece in note_writer.cut(_lines(request))[:-1]
            )

        return _until_it_fits(write)

    def warm_up(self) -> None:
        self._model.warm_up()

    def health(self) -> ModelHealth:
        return self._model.health()

    def _summarize(self, request: SummaryRequest, progress: SummaryProgress, notes: Notes | None) -> Summary:
        lines = _lines(request)
        note_writer = NoteWriter(self._runner, request, notes)
        cut = note_writer.cut(lines)
        length_s = Timeline.of(lines).end_s
        # Somebody waits for a live chunk: one call, if it fits
        is_short = 0 < length_s <= self._live_max_s or (len(cut) == 1 and length_s <= LONG_FROM_S)
        if request.length != "long" and (is_short or (request.length == "short" and len(cut) == 1)):
            messages = prompts.summary(request, _spelled(request.transcript, request))
            tokens = self._runner.answer_tokens(SUMMARY_TOKENS, request)
            if self._runner.fits(messages, tokens):
                instruction, given = prompts.instruction(messages), prompts.given(messages)
                text, defect = self._runner.prose(
                    messages,
                    request,
                    max_tokens=tokens,
                    on_answer=lambda so_far, share: progress.report(
                        share, output_validation.so_far(so_far, instruction, given=given)
                    ),
                    urgent=request.time_limit_s is not None,
                )
                return self._summary(Overview(text), request, defect, unusable_pieces=0)
        return self._summarize_long(request, lines, note_writer, cut, progress)

    def _summarize_long(
        self,
        request: SummaryRequest,
        lines: list[Line],
        note_writer: NoteWriter,
        cut: list[Piece],
        progress: SummaryProgress,
    ) -> Summary:
        timeline = Timeline.of(lines)
        writer = OverviewWriter(self._runner, request, timeline, is_notes=False)
        if not writer.fits(lines):
            writer = OverviewWriter(self._runner, request, timeline, is_notes=True)
            # One call for each piece, about one in eight for merging, and the last one
            calls = len(cut) + len(cut) // 8 + 1
            lines = note_writer.all(cut, progress, end=len(cut) / calls)
            lines = note_writer.merged(lines, writer.room, progress, end=1 - 1 / calls)
        found, defect = writer.write(lines, progress)
        return self._summary(found, request, defect, unusable_pieces=note_writer.unusable)

    def _summary(
        self, found: Overview, request: SummaryRequest, defect: Defect | None, *, unusable_pieces: int
    ) -> Summary:
        warnings = []
        if defect is Defect.OTHER_LANGUAGE:
            warnings.append(Warn("summary_language", language_check.warning(request.language)))
        if unusable_pieces:
            message = (
                f"The model wrote nothing on {unusable_pieces} part(s) of this recording; their first words stand in."
            )
            warnings.append(Warn("summary_incomplete", message))
        return Summary(
            found.rendered(), self.source, self._model.model, tuple(warnings), prompts.PROMPT_VERSION, found.moments
        )


def _lines(request: SummaryRequest) -> list[Line]:
    """Return the segments with their times or, without any, the sentences of the transcript; with names put right."""
    timed = [Line(_line(each.text, request), each.start, each.end) for each in request.segments]
    lines = timed or [Line(_line(text, request)) for text in sentences.split(request.transcript)]
    return [line for line in lines if line.text]


def _line(text: str, request: SummaryRequest) -> str:
    return prompts.one_line(_spelled(text, request))


def _spelled(text: str, request: SummaryRequest) -> str:
    """Spell names as the upload's fields do. This is all that the fields are for."""
    streamer, game, title = (field[:_LONGEST_FIELD] for field in (request.streamer, request.game, request.title))
    return spoken_names.corrected(text, (streamer, game), title)


def _until_it_fits(write: Callable[[], Found]) -> Found:
    """Retry in smaller pieces while the server finds a prompt too long: the token estimates learn from each refusal."""
    for _ in range(_MOST_REFUSALS):
        with contextlib.suppress(PromptTooLong):
            return write()
    return write()
