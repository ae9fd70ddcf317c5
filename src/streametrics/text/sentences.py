"""Splits text into sentences, in the scripts that Whisper writes. By punctuation only, no grammar."""

import re
from collections.abc import Iterable

#: An end: a mark before a space (not `3.5`, not the initial in `J. Smith`), or a full-width one, which needs no space.
_END = re.compile(
    r"(?:(?<!\b[A-Za-z])\.+|[!?…؟۔।॥።။]+)[\"'»”’)\]]*(?=\s|$)|[。！？｡．]+[」』”’）]*",
)


def split(text: str) -> list[str]:
    """Split a text into sentences, stripped and with their marks; the rest after the last mark is one too."""
    found = []
    start = 0
    for match in _END.finditer(text):
        found.append(text[start : match.end()].strip())
        start = match.end()
    found.append(text[start:].strip())
    return [sentence for sentence in found if sentence]


def join(found: Iterable[str]) -> str:
    """Join sentences, with spaces but behind full-width marks."""
    joined = ""
    for sentence in found:
        space = " " if joined and joined.rstrip("」』”’）")[-1:] not in tuple("。！？｡．") else ""
        joined += f"{space}{sentence}"
    return joined


def ends(text: str) -> bool:
    """Tell whether the text ends with a whole sentence."""
    return any(match.end() == len(text.rstrip()) for match in _END.finditer(text))


def cut_after_last_end(text: str) -> str:
    """Reduce a text that was cut off to its whole sentences; without one, it gets an ellipsis."""
    position = 0
    for match in _END.finditer(text):
        position = match.end()
    whole = text[:position].strip()
    return whole or f"{text.strip()}…"
