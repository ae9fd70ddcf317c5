"""The last prompt of a long recording: an overview with key moments out of its notes."""

from streametrics.errors import SummaryUnusable, TranscriptTooLong
from streametrics.llm.base import Answer, Message, OnAnswer
from streametrics.summarization import chunking, output_validation, prompts
from streametrics.summarization.base import SummaryRequest
from streametrics.summarization.chunking import Line, Timeline
from streametrics.summarization.output_validation import Overview
from streametrics.summarization.progress import Progress
from streametrics.summarization.prompting import Asker
from streametrics.summarization.prompts import Defect
from streametrics.summarization.token_budget import price

#: Of the answer, in English.
MOMENTS_TOKENS = 700
PLAIN_TOKENS = 300
#: With less room for notes than this, key moments are not asked for: the plain question is shorter.
_LEAST_ROOM_FOR_MOMENTS = 200.0


class OverviewWriter:
    """Asks for one request's overview: as JSON with one repair, as plain text where there is none to be had."""

    def __init__(self, asker: Asker, request: SummaryRequest, timeline: Timeline, *, is_notes: bool) -> None:
        self._asker = asker
        self._request = request
        self._timeline = timeline
        self._is_notes = is_notes
        self._tokens = asker.answer_tokens(MOMENTS_TOKENS, request)
        self._plain_tokens = asker.answer_tokens(PLAIN_TOKENS, request)
        self.with_moments = bool(timeline.starts_s) and self._room_with_moments() >= _LEAST_ROOM_FOR_MOMENTS

    def fits(self, lines: list[Line]) -> bool:
        """Whether these lines need no merging before."""
        return price(chunking.written(lines)) <= self.room

    @property
    def room(self) -> float:
        """What the lines may be priced at."""
        plain = self._asker.room(self._messages("", with_moments=False), self._request, self._plain_tokens)
        return min(plain, self._room_with_moments()) if self.with_moments else plain

    def write(self, lines: list[Line], progress: Progress) -> tuple[Overview, Defect | None]:
        """The overview, and what is still wrong with it after a second try. Raises SummaryUnusable."""
        text = chunking.written(lines)
        begin = progress.share
        found: Overview | None = None
        defect: Defect | None = None
        if self.with_moments:
            asked = messages = self._messages(text, with_moments=True)
            instruction = prompts.instruction(messages)
            for _ in range(2):
                found = self._structured(asked, progress, begin)
                if found is None:
                    break
                defect = output_validation.defect(found.text, instruction, self._request.language)
                if defect is None:
                    return found, None
                asked = prompts.again(messages, self._request, defect)
            if defect is Defect.UNUSABLE:
                raise SummaryUnusable("The model only repeated what it was told.")
        return (found, defect) if found is not None else self._plain(text, progress, begin)

    def _plain(self, text: str, progress: Progress, begin: float) -> tuple[Overview, Defect | None]:
        messages = self._messages(text, with_moments=False)
        instruction = prompts.instruction(messages)

        def on_answer(so_far: str, share: float) -> None:
            progress.tell(begin + (1 - begin) * share, output_validation.so_far(so_far, instruction))

        said, defect = self._asker.prose(messages, self._request, max_tokens=self._plain_tokens, on_answer=on_answer)
        return Overview(said), defect

    def _structured(self, messages: list[Message], progress: Progress, begin: float) -> Overview | None:
        """The overview out of JSON, whole, cut or repaired; or the prose that came instead. None for neither."""

        instruction = prompts.instruction(messages)

        def on_answer(so_far: str, share: float) -> None:
            progress.tell(begin + (1 - begin) * share, output_validation.overview_so_far(so_far, instruction))

        schema = prompts.OVERVIEW_SCHEMA
        answer = self._asker.ask(messages, max_tokens=self._tokens, schema=schema, on_answer=on_answer)
        found = output_validation.parse_overview(answer.text, self._timeline)
        if found is None:
            found = self._repaired(answer, on_answer)
        if found is None and "{" not in answer.text:
            said = output_validation.prose(answer.text, was_cut=answer.was_cut)
            found = Overview(said) if said else None
        return found

    def _repaired(self, answer: Answer, on_answer: OnAnswer) -> Overview | None:
        messages = prompts.repair(answer.text)
        try:
            second = self._asker.ask(
                messages, max_tokens=self._tokens, schema=prompts.OVERVIEW_SCHEMA, on_answer=on_answer
            )
        except TranscriptTooLong:
            return None  # the broken answer is too long to be sent back
        return output_validation.parse_overview(second.text, self._timeline)

    def _room_with_moments(self) -> float:
        try:
            return self._asker.room(self._messages("", with_moments=True), self._request, self._tokens)
        except TranscriptTooLong:
            return 0.0

    def _messages(self, text: str, *, with_moments: bool) -> list[Message]:
        return prompts.overview(self._request, text, is_notes=self._is_notes, with_moments=with_moments)
