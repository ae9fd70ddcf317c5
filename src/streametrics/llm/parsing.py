"""Parses what model servers send: answers, refusals and streams of completions."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

#: What a thinking model says to itself, where a server does not keep it apart.
_THINKING = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)

_TOO_LONG = re.compile(
    r"context[ _](length|size|window)|maximum context|exceed_context|too many tokens"
    r"|(prompt|input|request) (is )?too (long|large)|reduce the length",
    re.IGNORECASE,
)

_LONGEST_REASON = 200


def answer_of(text: str) -> str:
    """Remove what a thinking model says to itself, and strip; empty where nothing visible is left."""
    answer = _THINKING.sub(" ", text).strip()
    return answer if any(letter.isprintable() and not letter.isspace() for letter in answer) else ""


def says_too_long(reason: str) -> bool:
    """Tell whether a refusal says that the prompt exceeds the context."""
    return _TOO_LONG.search(reason) is not None


def one_line(reason: object) -> str:
    return " ".join(str(reason or "").split())[:_LONGEST_REASON]


def words_in(messages: Iterable[Mapping[str, object]]) -> int:
    """Count the words: a lower bound of the tokens, as a word is one at least."""
    return sum(len(str(message["content"]).split()) for message in messages)


def bytes_in(messages: Iterable[Mapping[str, object]]) -> int:
    return sum(len(str(message["content"]).encode("utf-8", "replace")) for message in messages)


def json_object(line: bytes) -> dict[str, Any] | None:
    """Parse the JSON object in a line; None where it holds none."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


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
        """Add a line of server-sent events, or a whole answer from a server that does not stream."""
        line = line.strip()
        name, colon, rest = line.partition(b":")
        if line.startswith(b"{"):
            rest = line
        elif not colon or name not in (b"data", b"error"):
            return  # a comment that keeps the connection, or an event's name
        rest = rest.strip()
        if rest == b"[DONE]":
            self.is_over = True
            return
        part = json_object(rest)
        if name == b"error":
            self.error = part or rest.decode(errors="replace")
        elif part is not None:
            self._add(part)

    def _add(self, part: dict[str, Any]) -> None:
        if part.get("error"):
            self.error = part["error"]
            return
        usage = part.get("usage")
        if isinstance(usage, dict) and isinstance(usage.get("prompt_tokens"), int) and usage["prompt_tokens"] > 0:
            self.prompt_tokens = usage["prompt_tokens"]
        choices = part.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
        said = choice.get("delta") or choice.get("message") or {}
        if isinstance(said, dict):
            text = str(said.get("content") or "")
            self.text += text
            self.parts += bool(text or said.get("reasoning_content") or said.get("reasoning"))
        if choice.get("finish_reason"):
            self.finish_reason = str(choice["finish_reason"])
