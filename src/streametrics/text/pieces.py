"""Divides overlong sentences into pieces, and text into the tokens that are counted when sentences are weighed.

Scripts without spaces (Chinese, Japanese, Thai, Khmer, Lao, Burmese) are counted in pairs of letters.
"""

import re

#: Scripts that put no spaces between words.
UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
#: What stands around a word, and is none of it.
EDGES = "\"'“”‘’«»„()[]{}<>*_-–—.,;:!?…。、，！？؟،।"
_CLAUSE_END = re.compile(r"(?<=[,;:،؛])\s+|(?<=[、，；：])\s*|(?<=\s[-–—])\s+")

#: A sentence longer than this is taken apart: Whisper can write minutes without a full stop.
_LONGEST_WORDS, _LONGEST_LETTERS = 30, 180
#: Letters of a script without spaces that are shown as one piece.
_PIECE_LETTERS = 60


def pieces(sentence: str) -> list[str]:
    """Divide a sentence between clauses, where it is too long for one piece; a clause that is, between words."""
    if fits(sentence):
        return [sentence]
    found: list[str] = []
    for clause in clauses(sentence):
        if found and fits(f"{found[-1]} {clause}"):
            found[-1] = f"{found[-1]} {clause}"
        else:
            found.extend(_windows(clause))
    return found


def clauses(sentence: str) -> list[str]:
    """Divide a sentence behind its commas, colons and dashes."""
    return _CLAUSE_END.split(sentence)


def fits(text: str) -> bool:
    """Tell whether a text is no longer than one piece may be."""
    return len(text) <= _LONGEST_LETTERS and text.count(" ") < _LONGEST_WORDS


def _windows(clause: str) -> list[str]:
    """Cut a clause without marks between words, or between letters in a script without spaces."""
    if fits(clause):
        return [clause]
    windows = [""]
    for word in clause.split():
        for start in range(0, len(word), _PIECE_LETTERS):
            part = word[start : start + _PIECE_LETTERS]
            joined = f"{windows[-1]} {part}".strip()
            if fits(joined) and not (start or UNSPACED.search(part)):
                windows[-1] = joined
            else:
                windows.append(part)
    return [window for window in windows if window]


def tokens(text: str) -> list[str]:
    """List a text's words without case and the marks around them; pairs of letters where a script has no spaces."""
    found: list[str] = []
    unspaced = UNSPACED.search(text) is not None
    for word in text.casefold().split():
        bare = word.strip(EDGES)
        if unspaced and len(bare) > 2 and UNSPACED.search(bare):
            found.extend(bare[index : index + 2] for index in range(len(bare) - 1))
        elif bare:
            found.append(bare)
    return found
