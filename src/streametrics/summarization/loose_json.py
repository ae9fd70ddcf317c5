"""Reads strings out of JSON that a model wrote: whole, cut off, or with the faults that models make.

Nothing is built but a list of strings with their keys, so neither depth nor size of the JSON matters.
"""

import re
from dataclasses import dataclass
from json import loads

#: JSON begins an answer like this; a time in brackets does not.
BEGINS = re.compile(r"\s*(?:\{\s*(?:[\"'“}]|[a-z_]{1,30}\s*:\s*[\"'“\[{])|\[\s*[\"'\[{\]])")
#: What may become the beginning of JSON.
MAY_BEGIN = re.compile(r"\s*[\[{][\s\[{]*")

#: Behind a bracket, a comma or a colon a string may begin.
_BEFORE_STRINGS = ("{", "[", ",", ":")
#: What follows a quotation mark that ends its string; models forget to escape those inside.
_ENDS_STRING = re.compile(r"\s*(?:\Z|[:}\]]|,\s*(?:\Z|[\"'“{\[}\]\dtfn-]|\w{1,30}\s*:))")
_CUT_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)\\(?:u[0-9a-fA-F]{0,3})?\Z")
_BARE_QUOTE = re.compile(r'(?<!\\)"')
_BARE_KEY = re.compile(r"(?P<key>\w+)\s*\Z")
_LONGEST_KEY = 40
_DEEPEST = 100


@dataclass(frozen=True, slots=True)
class Leaf:
    """A string in JSON. keys: those of the objects it lies in, lower case, outermost first, at most some of them."""

    text: str
    keys: tuple[str, ...]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """The strings of a JSON text; `end` is where it ends, the text's length where it never does."""

    leaves: tuple[Leaf, ...]
    end: int
    is_whole: bool


def read(text: str) -> Reading:
    """Read from the first bracket on."""
    return _Reader(text).read()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._leaves: list[Leaf] = []
        #: The open brackets, and the keys under which the outer ones stand.
        self._open: list[str] = []
        self._keys: list[str] = []
        self._key = ""
        #: The last letter that is no space.
        self._before = ""

    def read(self) -> Reading:
        position = 0
        while position < len(self._text):
            letter = self._text[position]
            position += 1
            if letter in "\"'“" and self._before in _BEFORE_STRINGS:
                position = self._string(position)
            elif letter in "{[":
                self._enter(letter)
            elif letter in "}]":
                self._leave()
                if not self._open:
                    return Reading(tuple(self._leaves), position, True)
            elif letter == "," and self._open[-1:] == ["{"]:
                self._key = ""
            elif letter == ":" and self._open[-1:] == ["{"] and not self._key:
                self._key = self._bare_key(position - 1)
            if not letter.isspace():
                self._before = letter
        return Reading(tuple(self._leaves), len(self._text), False)

    def _enter(self, bracket: str) -> None:
        self._open.append(bracket)
        if len(self._open) <= _DEEPEST:
            self._keys.append(self._key)
        self._key = ""

    def _leave(self) -> None:
        if self._open:
            self._open.pop()
        if len(self._open) < len(self._keys):
            self._key = self._keys.pop()

    def _string(self, start: int) -> int:
        """Read a string that begins at `start`; returns where what follows it begins."""
        quote = "”" if self._text[start - 1] == "“" else self._text[start - 1]
        position = start
        while position < len(self._text):
            if self._text[position] == quote and _ENDS_STRING.match(self._text, position + 1):
                self._found(start, position, is_whole=True)
                return position + 1
            position += 2 if self._text[position] == "\\" else 1
        self._found(start, len(self._text), is_whole=False)
        return len(self._text)

    def _bare_key(self, end: int) -> str:
        """Read a key without quotation marks, which ends here; empty where there is none."""
        match = _BARE_KEY.search(self._text[max(0, end - _LONGEST_KEY) : end])
        return match["key"].lower() if match else ""

    def _found(self, start: int, end: int, *, is_whole: bool) -> None:
        text = unescaped(self._text[start:end])
        names_value = self._open[-1:] == ["{"] and not self._key
        if names_value:
            self._key = text.strip().lower() or " "
        else:
            keys = tuple(key for key in (*self._keys, self._key) if key)
            self._leaves.append(Leaf(text, keys, is_whole))


def unescaped(inside: str) -> str:
    """Unescape the inside of a JSON string, which may have been cut within an escape."""
    inside = _CUT_ESCAPE.sub(r"\1", inside)
    quoted = _BARE_QUOTE.sub(r'\\"', inside.replace("\\'", "'"))
    try:
        return str(loads(f'"{quoted}"', strict=False))
    except ValueError:
        return inside.replace("\\n", " ").replace("\\", "")
