"""Separates the answer of a model from its thoughts and from the marks of its chat template.

Servers are meant to do this, and many do it only for the templates that they know. Rather than a list of models, kinds
of marks are known: tags around thoughts (`<think>`, `[THINK]`, `<|begin_of_thought|>`), channels of which
the final one counts, headers that begin somebody's turn, and marks that end one. The answer ends at the first of the
last.
"""

import html
import re
from dataclasses import dataclass
from enum import Enum, auto

from streametrics.llm import template_marks as marks
from streametrics.llm.template_marks import Mark

_ESCAPED = re.compile(r"&(?:lt|gt|quot|apos|amp|nbsp|#39|#34|#60|#62);")
#: What is left of channels where a server drops the marks alone.
_CHANNELS_WITHOUT_MARKS = re.compile(r"\s*analysis(?=[A-Z\"'“\d]).*?(?:assistant\s?final(?P<answer>.*)|\Z)", re.DOTALL)
_FINAL_WITHOUT_MARKS = re.compile(r"\s*(?:assistant)?final(?=[A-Z\"“])")
#: As Ollama's command line shows thoughts.
_THINKING_ALOUD = re.compile(r"\s*thinking(?:\.\.\.|…)\s.*?(?:\.\.\.|…)done thinking\.?", re.DOTALL | re.IGNORECASE)
#: What may become one of these, while the text grows.
_BEGINNINGS = ("analysis", "assistant final", "assistantfinal", "final", "thinking...", "thinking…")
_THINKING_ALOUD_BEGINS = re.compile(r"\s*thinking(?:\.\.\.|…)", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class VisibleAnswer:
    """What a model means to be read. began_in_thought: its thoughts ended, and no mark had begun them."""

    text: str
    began_in_thought: bool = False


def visible(text: str, *, is_whole: bool = True) -> VisibleAnswer:
    """Remove thoughts and marks; `is_whole`: nothing follows. Empty text where nothing visible is left."""
    if _ESCAPED.search(text):
        text = html.unescape(text)
    if not is_whole:
        text = marks.MARK_BEGINS.sub("", text)
        if any(each.startswith(text.strip().lower()) for each in _BEGINNINGS):
            return VisibleAnswer("")
    text = _COMMENT.sub(" ", text)
    if (leaked := _CHANNELS_WITHOUT_MARKS.match(text)) is not None:
        text = leaked["answer"] or ""
    for pattern in (_FINAL_WITHOUT_MARKS, _THINKING_ALOUD):
        if (aside := pattern.match(text)) is not None:
            text = text[aside.end() :]
    if not is_whole and _THINKING_ALOUD_BEGINS.match(text):
        return VisibleAnswer("")
    reader = _Reader(text, is_whole=is_whole)
    answer = reader.read()
    return VisibleAnswer(answer if _is_visible(answer) else "", reader.began_in_thought)


def _is_visible(text: str) -> bool:
    return any(letter.isprintable() and not letter.isspace() for letter in text)


class _Mode(Enum):
    ANSWER = auto()
    THOUGHT = auto()  #: until its tag is closed
    HIDDEN = auto()  #: somebody else's turn, or another channel: until a header or a channel
    HEADER = auto()  #: the name of who speaks follows
    CHANNEL = auto()  #: the name of a channel follows


#: A tag is told from a mention of it by what stands so many characters around it.
_AROUND = 80
#: Tags of unknown names that may be blocks of thoughts; each search costs a look at the rest.
_MOST_SEARCHES = 8
_ENDING_TURNS = frozenset({"im_end", "eot_id", "endoftext", "end_of_turn", "end_of_text", "s", "eos", "return"})
#: Words from which on a tag within a line holds the answer, and is no example of a tag.
_ANSWER_WORDS = 5


class _Reader:
    """Reads a text from mark to mark. began_in_thought: see `VisibleAnswer`."""

    def __init__(self, text: str, *, is_whole: bool) -> None:
        self.began_in_thought = False
        self._text = text
        self._is_whole = is_whole
        self._mode = _Mode.ANSWER
        self._shown = ""
        #: The tags that the answer and the thought stand in.
        self._answer_tag: str | None = None
        self._thought_tag = ""
        self._depth = 0
        self._searches = 0
        self._is_over = False

    def read(self) -> str:
        position = 0
        for match in marks.MARK.finditer(self._text):
            mark = Mark.of(match)
            self._take(self._text[position : mark.start])
            position = mark.end
            if not self._act(mark):
                self._take(match[0])
            if self._is_over:
                return self._shown.strip()
        rest = self._text[position:]
        if self._is_whole or self._mode not in (_Mode.HEADER, _Mode.CHANNEL) or len(rest.split()) > 1:
            self._take(rest)
        if not self._is_whole and self._depth > 0:
            return ""
        return self._shown.strip()

    def _take(self, text: str) -> None:
        match self._mode:
            case _Mode.ANSWER:
                self._shown += text
            case _Mode.HEADER if marks.THOUGHT_TURN.match(text):
                self._mode = _Mode.HIDDEN
            case _Mode.HEADER if text.strip():
                named = marks.ROLE_NAME.match(text)
                if named is None and (answer := marks.ANSWER_TURN.match(text)) is not None:
                    text = text[answer.end() :]
                self._begin_turn(named["role"] if named else "assistant")
                self._take(text[named.end() :] if named else text)
            case _Mode.CHANNEL if text.strip():
                channel = marks.CHANNEL_NAME.match(text)
                if channel is not None and channel["own"]:
                    self._restart(_Mode.ANSWER)
                    self._take(text[channel.end() :])
                else:
                    self._mode = _Mode.HIDDEN
            case _:
                pass

    def _act(self, mark: Mark) -> bool:
        """Do what a mark says; False where it is none, but a part of the text."""
        name = mark.name
        if self._mode is _Mode.ANSWER and not mark.has_bar and self._is_mentioned(mark):
            return False
        if name == "channel":
            self._mode = _Mode.CHANNEL
        elif name in marks.THOUGHT_ENDS:
            self._thought(mark, closes=True)
        elif (thought := marks.THOUGHT.fullmatch(name)) is not None:
            if mark.is_square and mark.is_lower and not self._is_block(mark):
                return False
            self._thought(mark, closes=mark.closes or bool(thought["end"]))
        elif not mark.closes and marks.TURN.fullmatch(name) and (mark.has_bar or name == "start_of_turn"):
            self._header()
        elif mark.has_bar and marks.CONTENT.fullmatch(name):
            self._mode = _Mode.ANSWER if self._mode is _Mode.HEADER else self._mode
        elif mark.has_bar and marks.ROLE.fullmatch(name):
            self._header()
            self._begin_turn(name)
        elif name == "inst" and mark.is_square and not mark.is_lower:
            self._instruction(mark)
        elif (answer := marks.ANSWER.fullmatch(name)) is not None and not (mark.is_square and mark.is_lower):
            return self._answer(mark, closes=mark.closes or bool(answer["end"]))
        elif name not in marks.HTML_TAGS and self._is_block(mark):
            self._thought(mark, closes=mark.closes)
        elif mark.is_square and not mark.is_lower:
            return marks.SQUARE.fullmatch(name) is not None and self._end(mark)
        elif mark.has_bar or (not mark.is_square and marks.BARE.fullmatch(name)):
            return self._end(mark)
        else:
            return False
        return True

    def _thought(self, mark: Mark, *, closes: bool) -> None:
        if not closes:
            self._depth += 1
            self._thought_tag = self._thought_tag if self._mode is _Mode.THOUGHT else mark.name
            self._mode = _Mode.THOUGHT
            return
        self._depth -= 1
        if self._mode is not _Mode.THOUGHT:
            self.began_in_thought = self.began_in_thought or _is_visible(self._shown)
            self._depth = 0
            self._restart(_Mode.ANSWER)
        self._mode = _Mode.ANSWER

    def _header(self) -> None:
        self._is_over = self._mode is _Mode.ANSWER and _is_visible(self._shown)
        self._mode = _Mode.HEADER

    def _begin_turn(self, role: str) -> None:
        is_own = role.lower().removesuffix("_token") in marks.OWN_ROLES
        self._mode = _Mode.ANSWER if is_own else _Mode.HIDDEN

    def _instruction(self, mark: Mark) -> None:
        """`[INST]` begins the prompt, repeated before the answer or invented after it."""
        if self._mode is _Mode.HIDDEN and mark.closes:
            self._restart(_Mode.ANSWER)
        elif not self._end(mark) or not self._is_over:
            self._mode = _Mode.ANSWER if mark.closes else _Mode.HIDDEN

    def _answer(self, mark: Mark, *, closes: bool) -> bool:
        if closes and self._answer_tag == mark.name:
            self._is_over = _is_visible(self._shown)
            return True
        if closes:
            return mark.has_bar and self._end(mark)
        if self._mode is _Mode.THOUGHT and (not self._is_whole or self._closing(self._thought_tag, mark.end)):
            return True  # a heading of the thoughts, or what is thought of as an answer
        before = self._shown.rstrip(" ")
        if not (mark.has_bar or not before or before.endswith("\n") or self._holds_an_answer(mark)):
            return False
        self._restart(_Mode.ANSWER)
        self._answer_tag = mark.name
        return True

    def _end(self, mark: Mark) -> bool:
        """Take a mark that begins or ends a text, or one of a template that nobody knows."""
        if self._mode is _Mode.ANSWER:
            self._is_over = _is_visible(self._shown)
        elif self._mode is _Mode.THOUGHT:
            # Of a thought that a turn's end ends, nothing is left.
            self._is_over = mark.name in _ENDING_TURNS
        return True

    def _restart(self, mode: _Mode) -> None:
        """Drop what was shown: it was none of the answer."""
        self._shown, self._answer_tag, self._mode = "", None, mode

    def _is_block(self, mark: Mark) -> bool:
        """Tell whether a mark of any name begins a block that stands before the answer, or ends that block."""
        if mark.closes:
            return self._mode is _Mode.THOUGHT and mark.name == self._thought_tag
        if self._mode is not _Mode.ANSWER or _is_visible(self._shown):
            return False
        if not self._is_whole:
            return True
        ends = self._closing(mark.name, mark.end)
        return ends is not None and _is_visible(self._text[ends.end() :])

    def _holds_an_answer(self, mark: Mark) -> bool:
        """Tell whether a tag within a line goes on to the end, and holds more than an example would."""
        ends = self._closing(mark.name, mark.end)
        if ends is None or _is_visible(self._text[ends.end() :]):
            return False
        return len(self._text[mark.end : ends.start()].split()) >= _ANSWER_WORDS

    def _closing(self, name: str, position: int) -> re.Match[str] | None:
        self._searches += 1
        if self._searches > _MOST_SEARCHES:
            return None
        spelled = re.escape(name).replace("_", r"[\s_▁-]+")
        pattern = rf"[<\[◁【⟨][|｜]?\s*(?:/|end_(?:of_)?)\s*{spelled}\s*[|｜]?[>\]▷】⟩]"
        return re.compile(pattern, re.IGNORECASE).search(self._text, position)

    def _is_mentioned(self, mark: Mark) -> bool:
        """Tell whether a sentence is about a tag: it stands in quotation marks, or in the middle of a sentence."""
        before = self._text[max(0, mark.start - _AROUND) : mark.start]
        after = self._text[mark.end : mark.end + _AROUND]
        if before[-1:] in tuple("\"'“‘«„「`") and (after[:1] in tuple("\"'”’»“」`") or not after):
            return True
        if re.search(r"[\w,] +$", before) is None or after.lstrip()[:1].isupper():
            return False
        return re.match(r" +[^\W\d_]|[,.;:!?)]", after) is not None
