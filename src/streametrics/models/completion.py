"""One answer of `/v1/chat/completions`, put together from the lines of its stream."""

from typing import Any

from streametrics.llm import parsing


class Completion:
    """The answer so far; `take` is given each line."""

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
        """A line of server-sent events, or a whole answer from a server that does not stream."""
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
        part = parsing.json_object(rest)
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
