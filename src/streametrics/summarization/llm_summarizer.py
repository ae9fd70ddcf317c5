"""Summaries by a language model, of ten words or of ten hours.

A short transcript is one prompt. A long one is cut into pieces, each becomes a note, notes are merged until they fit
into one prompt, and that one asks for an overview with key moments. No prompt is larger than the model's context, and
every word of the transcript is in one of them.
"""

import contextlib
from collections.abc import Callable
from typing import TypeVar

from streametrics.domain.job import Warn
from streametrics.llm.base import ChatModel, ModelHealth
from streametrics.settings import Settings
from streametrics.summarization import language_check, output_validation, prompts
from streametrics.summarization.base import Notes, OnText, Summary, SummaryRequest, is_silent, silent_summary
from streametrics.summarization.chunking import Line, Piece, Timeline
from streametrics.summarization.map_reduce import Noting
from streametrics.summarization.overview import OverviewWriter
from streametrics.summarization.progress import Progress
from streametrics.summarization.prompting import Asker, Refused
from streametrics.summarization.prompts import Defect
from streametrics.text import sentences

#: Tokens that two or three sentences need, in English. Without a bound some answers never end.
SUMMARY_TOKENS = 160
#: A recording of more than this many seconds gets an overview with key moments.
LONG_FROM_S = 600.0
#: So often a server may find a prompt too long before it is believed that nothing fits.
_MOST_REFUSALS = 5

Found = TypeVar("Found")


class ModelSummarizer:
    """One model's summaries; thread-safe, as the model is."""

    def __init__(self, model: ChatModel, settings: Settings) -> None:
        self.source = model.source
        self._model = model
        self._live_max_s = settings.live_max_s
        self._asker = Asker(model)

    def summarize(
        self, request: SummaryRequest, *, on_text: OnText | None = None, notes: Notes | None = None
    ) -> Summary:
        """As the contract says. `on_text` hears, while pieces are read, an empty text and a share that grows; then
        the overview as it is written. It is also called while the model is silent, as often as the model calls."""
        if is_silent(request.transcript):
            return silent_summary(request)
        language_check.load()
        progress = Progress(on_text)
        return _until_it_fits(lambda: self._written(request, progress, notes))

    def write_ahead(self, request: SummaryRequest, notes: Notes, *, check: Callable[[], None]) -> int:
        """Notes on every piece but the last one, which the next words may change. One that the model cannot write
        is left to the end."""

        def write() -> int:
            noting = Noting(self._asker, request, notes)
            return sum(noting.write_ahead(piece, check) for piece in noting.cut(_lines(request))[:-1])

        return _until_it_fits(write)

    def warm_up(self) -> None:
        self._model.warm_up()

    def health(self) -> ModelHealth:
        return self._model.health()

    def _written(self, request: SummaryRequest, progress: Progress, notes: Notes | None) -> Summary:
        lines = _lines(request)
        noting = Noting(self._asker, request, notes)
        cut = noting.cut(lines)
        length_s = Timeline.of(lines).end_s
        # Somebody waits for a live chunk: one call, if it fits
        if 0 < length_s <= self._live_max_s or (len(cut) == 1 and length_s <= LONG_FROM_S):
            messages = prompts.summary(request)
            tokens = self._asker.answer_tokens(SUMMARY_TOKENS, request)
            if self._asker.fits(messages, tokens):
                instruction = prompts.instruction(messages)
                text, defect = self._asker.prose(
                    messages,
                    request,
                    max_tokens=tokens,
                    on_answer=lambda so_far, share: progress.tell(share, output_validation.so_far(so_far, instruction)),
                    urgent=request.time_limit_s is not None,
                )
                return self._summary(text, request, defect, unusable_pieces=0)
        return self._of_long(request, lines, noting, cut, progress)

    def _of_long(
        self, request: SummaryRequest, lines: list[Line], noting: Noting, cut: list[Piece], progress: Progress
    ) -> Summary:
        timeline = Timeline.of(lines)
        writer = OverviewWriter(self._asker, request, timeline, is_notes=False)
        if not writer.fits(lines):
            writer = OverviewWriter(self._asker, request, timeline, is_notes=True)
            # One call for each piece, about one in eight for merging, and the last one
            calls = len(cut) + len(cut) // 8 + 1
            lines = noting.all(cut, progress, end=len(cut) / calls)
            lines = noting.merged(lines, writer.room, progress, end=1 - 1 / calls)
        found, defect = writer.write(lines, progress)
        return self._summary(found.rendered(), request, defect, unusable_pieces=noting.unusable)

    def _summary(self, text: str, request: SummaryRequest, defect: Defect | None, *, unusable_pieces: int) -> Summary:
        warnings = []
        if defect is Defect.OTHER_LANGUAGE:
            warnings.append(Warn("summary_language", language_check.warning(request.language)))
        if unusable_pieces:
            said = (
                f"The model wrote nothing on {unusable_pieces} part(s) of this recording; their first words stand in."
            )
            warnings.append(Warn("summary_incomplete", said))
        return Summary(text, self.source, self._model.model, tuple(warnings), prompts.PROMPT_VERSION)


def _lines(request: SummaryRequest) -> list[Line]:
    """The segments with their times; without any, the sentences of the transcript."""
    timed = [Line(prompts.one_line(each.text), each.start, each.end) for each in request.segments]
    lines = timed or [Line(prompts.one_line(text)) for text in sentences.split(request.transcript)]
    return [line for line in lines if line.text]


def _until_it_fits(write: Callable[[], Found]) -> Found:
    """Write again, in smaller pieces, as long as the server finds a prompt too long: the estimates learn from it."""
    for _ in range(_MOST_REFUSALS):
        with contextlib.suppress(Refused):
            return write()
    return write()
