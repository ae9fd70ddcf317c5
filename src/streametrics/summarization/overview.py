"""Writes the overview of a long recording, with key moments, from its notes."""

from streametrics.errors import SummaryUnusable, TranscriptTooLong
from streametrics.llm.base import ChatResponse, Message, OnAnswer
from streametrics.summarization import chunking, key_moments, output_validation, prompts
from streametrics.summarization.base import SummaryRequest
from streametrics.summarization.chunking import Line, Timeline
from streametrics.summarization.output_validation import Overview
from streametrics.summarization.progress import SummaryProgress
from streametrics.summarization.prompting import PromptRunner
from streametrics.summarization.prompts import Defect
from streametrics.summarization.token_budget import price

#: Of the answer, in English.
MOMENTS_TOKENS = 700
PLAIN_TOKENS = 300
#: With less room for notes than this, key moments are not asked for: the plain question is shorter.
_LEAST_ROOM_FOR_MOMENTS = 200.0


class OverviewWriter:
    """Asks for one request's overview: as JSON with one repair, as plain text where there is none to be had."""

    def __init__(self, runner: PromptRunner, request: SummaryRequest, timeline: Timeline, *, is_notes: bool) -> None:
        self._runner = runner
        self._request = request
        self._timeline = timeline
        self._is_notes = is_notes
        self._tokens = runner.answer_tokens(MOMENTS_TOKENS, request)
        self._plain_tokens = runner.answer_tokens(PLAIN_TOKENS, request)
        self.with_moments = (
            request.length != "short"
            and bool(timeline.starts_s)
            and self._room_with_moments() >= _LEAST_ROOM_FOR_MOMENTS
        )

    def fits(self, lines: list[Line]) -> bool:
        """Tell whether these lines fit into the prompt without merging."""
        return price(chunking.written(lines)) <= self.room

    @property
    def room(self) -> float:
        """The price that the lines may have."""
        plain = self._runner.room(self._messages("", with_moments=False), self._request, self._plain_tokens)
        return min(plain, self._room_with_moments()) if self.with_moments else plain

    def write(self, lines: list[Line], progress: SummaryProgress) -> tuple[Overview, Defect | None]:
        """Write the overview; returns it and what is still wrong with it after a second try. Raises SummaryUnusable."""
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
                    return key_moments.distinct(found), None
                asked = prompts.again(messages, self._request, defect)
            if defect is Defect.UNUSABLE:
                raise SummaryUnusable(output_validation.NO_SUMMARY)
        return (key_moments.distinct(found), defect) if found is not None else self._plain(text, progress, begin)

    def _plain(self, text: str, progress: SummaryProgress, begin: float) -> tuple[Overview, Defect | None]:
        messages = self._messages(text, with_moments=False)
        instruction, given = prompts.instruction(messages), prompts.given(messages)

        def on_answer(so_far: str, share: float) -> None:
            progress.report(begin + (1 - begin) * share, output_validation.so_far(so_far, instruction, given=given))

        said, defect = self._runner.prose(messages, self._request, max_tokens=self._plain_tokens, on_answer=on_answer)
        return Overview(said), defect

    def _structured(self, messages: list[Message], progress: SummaryProgress, begin: float) -> Overview | None:
        """Ask for JSON; returns its overview (whole, cut or repaired), or the prose that came instead, or None."""

        instruction = prompts.instruction(messages)

        def on_answer(so_far: str, share: float) -> None:
            progress.report(begin + (1 - begin) * share, key_moments.so_far(so_far, instruction, self._timeline))

        schema = prompts.OVERVIEW_SCHEMA
        answer = self._runner.ask(messages, max_tokens=self._tokens, schema=schema, on_answer=on_answer)
        found = output_validation.parse_overview(answer.text, self._timeline)
        if found is None:
            found = self._repaired(answer, on_answer)
        if found is None and "{" not in answer.text:
            said = output_validation.prose(answer.text, was_cut=answer.was_cut, given=prompts.given(messages))
            found = Overview(said) if said else None
        return found

    def _repaired(self, answer: ChatResponse, on_answer: OnAnswer) -> Overview | None:
        messages = prompts.repair(answer.text)
        try:
            second = self._runner.ask(
                messages, max_tokens=self._tokens, schema=prompts.OVERVIEW_SCHEMA, on_answer=on_answer
            )
        except TranscriptTooLong:
            return None  # the broken answer is too long to be sent back
        return output_validation.parse_overview(second.text, self._timeline)

    def _room_with_moments(self) -> float:
        try:
            return self._runner.room(self._messages("", with_moments=True), self._request, self._tokens)
        except TranscriptTooLong:
            return 0.0

    def _messages(self, text: str, *, with_moments: bool) -> list[Message]:
        return prompts.overview(self._request, text, is_notes=self._is_notes, with_moments=with_moments)
