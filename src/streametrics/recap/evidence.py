"""Checks what a model wrote against what was said: a name or number without evidence is one that nobody said."""

import re

from streametrics.recap.weighing import ENDS_SENTENCE, MANY_CAPITALS, capitals_inside
from streametrics.text.pieces import EDGES, UNSPACED

_WORD = re.compile(r"\S+")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")


def is_supported(text: str, evidence: str) -> bool:
    """Tell whether each number and each name of a text is in its evidence."""
    said = {_bare(word) for word in _WORD.findall(evidence)}
    if not {_plain(number) for number in _NUMBER.findall(text)} <= {_plain(each) for each in _NUMBER.findall(evidence)}:
        return False
    if UNSPACED.search(evidence) or _capitals_tell_nothing(evidence):
        return True
    return all(_bare(name) in said for name in _names(text) | _names_that_begin(text))


def _names(text: str) -> set[str]:
    """Find the words with a capital inside sentences."""
    return {word for word in capitals_inside(text) if len(word) > 1}


def _names_that_begin(text: str) -> set[str]:
    """Find the words that begin sentences and belong to a name: another word with a capital follows."""
    words = _WORD.findall(text)
    begins = [at for at in range(len(words) - 1) if at == 0 or words[at - 1][-1:] in ENDS_SENTENCE]
    return {
        words[at] for at in begins if words[at][-1:] not in ENDS_SENTENCE and words[at + 1].strip(EDGES)[:1].isupper()
    }


def _capitals_tell_nothing(evidence: str) -> bool:
    words = _WORD.findall(evidence)
    return len(_names(evidence)) > MANY_CAPITALS * max(len(words), 1) and len(words) > 10


def _bare(word: str) -> str:
    """Reduce a word to what is compared: no marks, no capitals, no possessive."""
    return re.sub(r"['’]s?$", "", word.strip(EDGES).casefold())


def _plain(number: str) -> str:
    return re.sub(r"[.,:]", "", number)
