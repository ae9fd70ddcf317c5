"""Makes text of a model server harmless: nothing in it moves a terminal's cursor or breaks a JSON answer."""

import re

#: Escape sequences of terminals (CSI; OSC and its like up to their end; all others), in 7 and in 8 bits.
_ESCAPE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def harmless(text: str) -> str:
    """Remove terminal escapes, control and direction characters and lone surrogates; line breaks and tabs stay.

    Two halves of a character that came in two pieces are put together first.
    """
    if _SURROGATE.search(text):
        paired = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        text = _SURROGATE.sub("", paired)
    return _CONTROL.sub(" ", _ESCAPE.sub("", text))


def one_line(text: object) -> str:
    """Make any value one harmless line; empty for None."""
    return " ".join(harmless(str(text or "")).split())
