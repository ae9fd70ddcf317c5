"""Writes notes on the pieces of a long transcript, and merges them until one prompt can hold them all."""

import hashlib
import json
from collections.abc import Callable, Sequence

from streametrics.domain.transcript import TimeSpan
from streametrics.errors import SummaryUnusable
from streametrics.llm.base import Message, OnAnswer
from streametrics.summarization import chunking, prompts
from streametrics.summarization.base import Notes, SummaryRequest, is_silent
from streametrics.summarization.chunking import Line, Piece
from streametrics.summarization.progress import SummaryProgress
from streametrics.summarization.prompting import PromptRunner
from streametrics.summarization.token_budget import price

#: A piece is priced at no more, however large the context is: about seven minutes of English. So notes can be written
#: while a recording goes on, a slow server answers within the limit of a call, and a small model still sees it all.
PIECE_TOKENS = 2800
#: Of a note, in English.
NOTE_TOKENS = 300
#: Two notes and their times are to fit into any prompt that merges them; a time costs about so many tokens.
_TIME_TOKENS = 14


class NoteWriter:
    """Writes the notes of one request. kept: where notes are stored and found again; None stores none."""

    def __init__(self, runner: PromptRunner, request: SummaryRequest, kept: Notes | None) -> None:
        self._runner = runner
        self._request = request
        self._kept = kept
        self._tokens = runner.answer_tokens(min(NOTE_TOKENS, runner.budget.context_tokens // 16), request)
        #: Pieces that the model could write nothing about; their own first sentences stand for them.
        self.unusable = 0

    def cut(self, lines: Sequence[Line]) -> list[Piece]:
        """Cut a transcript into pieces; all but the last stay the same while it grows."""
        room = self._runner.room(prompts.note(self._request, ""), self._request, self._tokens)
        return chunking.cut(lines, min(room, PIECE_TOKENS), price)

    def write(self, piece: Piece, on_answer: OnAnswer) -> tuple[str, bool]:
        """Write or find the note on a piece; returns it (empty for silence), and whether it is new.

        Raises SummaryUnusable.
        """
        if is_silent(piece.text):
            return "", False
        start_s, end_s = piece.span.start_s, piece.span.end_s
        span = None if start_s is None or end_s is None else TimeSpan(start_s, end_s)
        return self._written(prompts.note(self._request, piece.text), on_answer, span)

    def write_incremental_notes(self, piece: Piece, check: Callable[[], None]) -> int:
        """Write a note before the summary is asked for; returns how many are new: 0 or 1."""
        check()
        try:
            _, is_new = self.write(piece, lambda *_: check())
        except SummaryUnusable:
            return 0
        return int(is_new)

    def all(self, cut: Sequence[Piece], progress: SummaryProgress, end: float) -> list[Line]:
        """Write a note on every piece with speech; `progress` is brought to the share `end`."""
        notes: list[Line] = []
        for index, piece in enumerate(cut):
            begin = end * index / len(cut)
            progress.report(begin)
            try:
                text, _ = self.write(piece, progress.without_text(begin, end * (index + 1) / len(cut)))
            except SummaryUnusable as error:
                if error is progress.stopped_by:
                    raise
                text = self._in_its_own_words(piece)
            if text:
                notes.append(Line(text, piece.span.start_s, piece.span.end_s))
        return notes

    def merged(self, notes: list[Line], room: float, progress: SummaryProgress, end: float) -> list[Line]:
        """Merge notes as often as it takes until they are priced at `room` at most.

        This ends: no note takes half of a prompt, so any two become one, or fit.
        """
        merging = min(room, self._runner.room(prompts.merge(self._request, ""), self._request, self._tokens))
        largest = merging / 2 - _TIME_TOKENS
        notes = [_clipped(note, largest) for note in notes]
        while price(chunking.written(notes)) > room:
            groups = chunking.cut(notes, merging, price, overlap=False)
            begin, half = progress.share, (progress.share + end) / 2
            step = (half - begin) / len(groups)
            notes = [
                _clipped(self._of_group(group, progress, begin + step * index, step), largest)
                for index, group in enumerate(groups)
            ]
        return notes

    def _of_group(self, group: Piece, progress: SummaryProgress, begin: float, step: float) -> Line:
        progress.report(begin)
        if len(group.lines) == 1:
            return group.lines[0]
        messages = prompts.merge(self._request, group.text)
        try:
            text, _ = self._written(messages, progress.without_text(begin, begin + step))
            if group.span.start_s is not None and group.span.end_s is not None:
                text = chunking.without_false_times(text, group.span.start_s, group.span.end_s)
        except SummaryUnusable as error:
            if error is progress.stopped_by:
                raise
            text = " ".join(line.text for line in group.lines)
        return Line(text, group.span.start_s, group.span.end_s)

    def _written(self, messages: list[Message], on_answer: OnAnswer, span: TimeSpan | None = None) -> tuple[str, bool]:
        key = self._key(messages)
        found = self._kept.get(key) if self._kept is not None else None
        if found is not None:
            return found, False
        text, _ = self._runner.prose(
            messages, self._request, max_tokens=self._tokens, on_answer=on_answer, any_language=True
        )
        if span is not None:
            text = chunking.without_false_times(text, span.start_s, span.end_s)
        if self._kept is not None:
            self._kept.put(key, text, span)
        return text, True

    def _in_its_own_words(self, piece: Piece) -> str:
        self.unusable += 1
        own = piece.lines[piece.repeated :]
        return _clipped(Line(" ".join(line.text for line in own)), NOTE_TOKENS).text

    def _key(self, messages: list[Message]) -> str:
        """Hash all that a note depends on: the piece, the language, the instruction, the model."""
        model = self._runner.model
        words = json.dumps([prompts.PROMPT_VERSION, model.source, model.model, messages], ensure_ascii=False)
        return hashlib.sha256(words.encode("utf-8", "replace")).hexdigest()


def _clipped(note: Line, largest: float) -> Line:
    """Cut a note, between sentences or words, to a beginning that is priced at `largest` at most."""
    text = chunking.split(Line(note.text), largest, price)[0].text
    return Line(text, note.start_s, note.end_s)
