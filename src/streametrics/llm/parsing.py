"""What servers and models of every kind write around an answer."""

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
    """The text without what a thinking model says to itself, stripped; empty where nothing can be seen of it."""
    answer = _THINKING.sub(" ", text).strip()
    return answer if any(letter.isprintable() and not letter.isspace() for letter in answer) else ""


def says_too_long(reason: str) -> bool:
    """Whether this refusal is about the context."""
    return _TOO_LONG.search(reason) is not None


def one_line(reason: object) -> str:
    return " ".join(str(reason or "").split())[:_LONGEST_REASON]


def words_in(messages: Iterable[Mapping[str, object]]) -> int:
    """A lower bound of the tokens: a word is one at least."""
    return sum(len(str(message["content"]).split()) for message in messages)


def bytes_in(messages: Iterable[Mapping[str, object]]) -> int:
    return sum(len(str(message["content"]).encode("utf-8", "replace")) for message in messages)


def json_object(line: bytes) -> dict[str, Any] | None:
    """The object in this line; None where it holds none."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
