"""Which fields of a chat request a server understands: learned from its refusals, and remembered."""

import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any

_TEMPERATURE = 0.2

#: What a refusal says when it is about a field that can be left out, or sent under another name.
_ABOUT = {
    "response_format": re.compile(r"response_format|json_?schema|schema|grammar|structured|guided", re.IGNORECASE),
    "stream_options": re.compile(r"stream_options|include_usage", re.IGNORECASE),
    "temperature": re.compile(r"temperature", re.IGNORECASE),
    "max_tokens": re.compile(r"max_completion_tokens", re.IGNORECASE),
}


class Dialect:
    """Thread-safe: fields are only ever given up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._refused: frozenset[str] = frozenset()

    def body(
        self, model: str, messages: Sequence[Mapping[str, object]], max_tokens: int, schema: dict[str, Any] | None
    ) -> dict[str, Any]:
        """The request in words that the server has not refused; the answer's length is always bounded."""
        fields: dict[str, Any] = {
            "model": model,
            "messages": list(messages),
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": _TEMPERATURE,
            "max_tokens": max_tokens,
        }
        if schema is not None:
            form = {"name": "answer", "schema": schema, "strict": True}
            fields["response_format"] = {"type": "json_schema", "json_schema": form}
        refused = self._refused
        understood = {name: value for name, value in fields.items() if name not in refused}
        if "max_tokens" in refused:
            understood["max_completion_tokens"] = max_tokens
        return understood

    def learned_from(self, reason: str, body: dict[str, Any]) -> bool:
        """Whether the refusal of this body was about a field that will not be sent again."""
        for name, about in _ABOUT.items():
            if name in body and about.search(reason):
                with self._lock:
                    self._refused |= {name}
                return True
        return False
