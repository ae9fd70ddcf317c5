"""Parses what model servers send: answers, refusals and streams of completions."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from streametrics.errors import SummaryUnusable
from streametrics.llm import thoughts, untrusted_text
from streametrics.llm.thoughts import VisibleAnswer

_TOO_LONG = re.compile(
    r"context[ _](length|size|window)|maximum context|exceed_context|too many tokens"
    r"|(prompt|input|request) (is )?too (long|large)|reduce the length",
    re.IGNORECASE,
)

_LONGEST_REASON = 200


#: No tokenizer has longer tokens on average; a server that sends more writes on past its bound.
_LONGEST_TOKEN = 64


class MalformedAnswer(SummaryUnusable):
    """What the model server sent is no answer of a chat model: see its log, and check its address."""


def answer_of(text: str, *, is_whole: bool = True) -> VisibleAnswer:
    """Reduce what a model wrote to what it means to be read; nothing in it harms a terminal or a JSON answer."""
    return thoughts.visible(untrusted_text.harmless(text), is_whole=is_whole)


def refuse_endless(text: str, tokens: int, max_tokens: int) -> None:
    """Raise SummaryUnusable where a server sends far more than it was asked for."""
    if tokens > 2 * max_tokens or len(text) > _LONGEST_TOKEN * max_tokens:
        raise SummaryUnusable("The model server wrote on past the bound that it was given.")


def says_too_long(reason: str) -> bool:
    """Tell whether a refusal says that the prompt exceeds the context."""
    return _TOO_LONG.search(reason) is not None


def one_line(reason: object, key: str = "") -> str:
    """Make a server's words one short line that can be shown. key: replaced, as some servers repeat it."""
    line = untrusted_text.one_line(reason)
    return (line.replace(key, "…") if key else line)[:_LONGEST_REASON]


def words_in(messages: Iterable[Mapping[str, object]]) -> int:
    """Count the words: a lower bound of the tokens, as a word is one at least."""
    return sum(len(str(message["content"]).split()) for message in messages)


def bytes_in(messages: Iterable[Mapping[str, object]]) -> int:
    return sum(len(str(message["content"]).encode("utf-8", "replace")) for message in messages)


def json_value(text: bytes) -> Any:  # noqa: ANN401 - whatever a server sends
    """Parse JSON; None where it is none, or nested deeper than any answer."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def json_object(line: bytes) -> dict[str, Any] | None:
    """Parse the JSON object in a line, or the only one in a list; None where it holds none."""
    found = json_value(line)
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    return found if isinstance(found, dict) else None


def answer_part(line: bytes) -> dict[str, Any] | None:
    """Parse a line of an answer; None where it was cut off. Raises MalformedAnswer where it is no object."""
    try:
        found = json.loads(line)
    except RecursionError as error:
        raise MalformedAnswer from error
    except ValueError:
        return None
    if not isinstance(found, dict):
        raise MalformedAnswer
    return found


def member(part: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return an object in an object, empty where it is missing. Raises MalformedAnswer where it is something else."""
    found = part.get(name)
    if found is not None and not isinstance(found, dict):
        raise MalformedAnswer
    return found or {}


def content(message: Mapping[str, Any]) -> str:
    """Return the text of a message: a string, or a list of parts of which some are text. Raises MalformedAnswer."""
    found = message.get("content")
    if isinstance(found, list):
        texts = [part.get("text") for part in found if isinstance(part, dict) and _is_text(part.get("type"))]
        if all(isinstance(text, str) for text in texts) and all(isinstance(part, dict) for part in found):
            return "".join(map(str, texts))
    elif found is None or isinstance(found, str):
        return found or ""
    raise MalformedAnswer


def count(value: object) -> int | None:
    """Return a number of tokens; None for what can be none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _is_text(kind: object) -> bool:
    return kind in ("text", "output_text")


class Completion:
    """Collects a streamed completion, line by line."""

    def __init__(self) -> None:
        self.text = ""
        #: Pieces of text or of thinking that came: about one a token.
        self.parts = 0
        #: `stop`, `length`, …; None while the model writes.
        self.finish_reason: str | None = None
        self.prompt_tokens: int | None = None
        #: What the server said instead of going on.
        self.error: object = None
        #: Nothing follows.
        self.is_over = False

    def take(self, line: bytes) -> None:
        """Add a line of server-sent events, or a whole answer from a server that does not stream.

        Raises MalformedAnswer.
        """
        line = line.strip()
        name, colon, rest = line.partition(b":")
        if line.startswith((b"{", b"[")):
            rest = line
        elif not colon or name not in (b"data", b"error"):
            return  # a comment that keeps the connection, or an event's name
        rest = rest.strip()
        if rest == b"[DONE]":
            self.is_over = True
            return
        if name == b"error":
            self.error = json_object(rest) or rest.decode(errors="replace")
        elif rest and (part := answer_part(rest)) is not None:
            self._add(part)

    def _add(self, part: dict[str, Any]) -> None:
        if part.get("error"):
            self.error = part["error"]
            return
        usage = part.get("usage")
        if isinstance(usage, dict):
            self.prompt_tokens = count(usage.get("prompt_tokens")) or self.prompt_tokens
        choices = part.get("choices") or []
        if not isinstance(choices, list) or not all(isinstance(each, dict) for each in choices):
            raise MalformedAnswer
        choice = choices[0] if choices else {}
        said = member(choice, "delta") or member(choice, "message")
        text = content(said)
        self.text += text
        self.parts += bool(text or said.get("reasoning_content") or said.get("reasoning"))
        if choice.get("finish_reason"):
            self.finish_reason = untrusted_text.one_line(choice["finish_reason"])
