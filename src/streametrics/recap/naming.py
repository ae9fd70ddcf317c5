"""Finds the key words of a stretch, and makes a title of them or of the shortest phrase that tells."""

import re
from collections import Counter
from collections.abc import Sequence

from streametrics.recap.weighing import Weights
from streametrics.text.letters import letters
from streametrics.text.pieces import EDGES, UNSPACED, clauses, tokens

MOST_TITLE_LETTERS = 49
#: A word of fewer letters is no key word, but where a script has no spaces, or where it has a digit.
_LEAST_LETTERS = 4
#: What a name weighs more.
_NAME = 1.5
#: Letters of a key word in a script without spaces.
_LONGEST_UNSPACED = 12
#: Key words that begin with the same so many letters are one.
_STEM_LETTERS = 5
_WORD = re.compile(r"\S+")
#: A title of a phrase has so many of the best key words, or it is made of the words alone.
_LEAST_KEYWORDS = 2
#: Words of a phrase that can be a title.
_PHRASE_WORDS = range(2, 9)


def keywords(texts: Sequence[str], weights: Weights, most: int) -> list[str]:
    """Find the words that mark texts off from what was said before, as they are written, the best first.

    weights: of these texts.
    """
    written = _written(texts)
    ranked = sorted(filter(_can_be_key, weights.held_by), key=lambda token: (-_key_weight(weights, token), token))
    found: list[str] = []
    for token in ranked:
        if len(found) == most:
            break
        shown = _longest_repeated(token, texts) if UNSPACED.match(token) else written.get(token, token)
        if not any(_are_one(shown, other) for other in found):
            found.append(shown)
    return found


def title(texts: Sequence[str], weights: Weights) -> str:
    """Make a title: a short phrase that has two key words; else key words; else how the first text begins.

    weights: of these texts.
    """
    keys = keywords(texts, weights, 4)
    phrase = _phrase(texts, weights, keys)
    if phrase:
        return phrase[:1].upper() + phrase[1:]
    made = ""
    for key in keys[:3]:
        longer = f"{made}, {key}" if made else key
        if len(longer) <= MOST_TITLE_LETTERS:
            made = longer
    if not made:
        made = _cut(next((text.strip(EDGES + " ") for text in texts if text.strip(EDGES + " ")), ""))
    return made[:1].upper() + made[1:]


def _key_weight(weights: Weights, token: str) -> float:
    """Weigh a key word: it is of the topic, or else news, and a name at best."""
    name = _NAME if weights.is_name(token) else 1.0
    return name * (1 + weights.topic(token)) * (1 + weights.news(token))


def _can_be_key(token: str) -> bool:
    if UNSPACED.match(token):
        return len(token) > 1
    return len(token) >= _LEAST_LETTERS and any(map(str.isalpha, token)) and "'" not in token and "’" not in token


def _written(texts: Sequence[str]) -> dict[str, str]:
    """How each word is mostly written; with small letters, where both are as frequent."""
    forms: dict[str, Counter[str]] = {}
    for text in texts:
        for word in _WORD.findall(text):
            bare = word.strip(EDGES)
            forms.setdefault(bare.casefold(), Counter())[bare] += 1
    return {token: max(counts, key=lambda form: (counts[form], form)) for token, counts in forms.items()}


def _longest_repeated(token: str, texts: Sequence[str]) -> str:
    """Extend a pair of letters to what is said around it nearly each time."""
    said = [text for text in texts if token in text.casefold()]
    found = token
    for _ in range(_LONGEST_UNSPACED - len(token)):
        around: Counter[str] = Counter()
        total = 0
        for text in said:
            at = text.find(found)
            if at < 0:
                continue
            total += 1
            if at and UNSPACED.match(text[at - 1]):
                around[text[at - 1] + found] += 1
            behind = text[at + len(found) : at + len(found) + 1]
            if behind and UNSPACED.match(behind):
                around[found + behind] += 1
        longer, times = max(around.items(), key=lambda each: (each[1], each[0]), default=("", 0))
        if times < 2 or times * 4 < total * 3:
            break
        found = longer
    return found


def _are_one(word: str, other: str) -> bool:
    first, second = word.casefold(), other.casefold()
    if first in second or second in first:
        return True
    return not UNSPACED.match(first) and first[:_STEM_LETTERS] == second[:_STEM_LETTERS]


def _phrase(texts: Sequence[str], weights: Weights, keys: Sequence[str]) -> str:
    """Find the best phrase between marks that has key words and can be a title."""
    wanted = [key.casefold() for key in keys]
    best, best_score = "", 0.0
    for text in texts:
        folded = text.casefold()
        if text.endswith(("?", "？", "؟")) or sum(key in folded for key in wanted) < _LEAST_KEYWORDS:
            continue
        for clause in clauses(text):
            phrase = clause.strip(EDGES + " ")
            if not _can_be_title(phrase) or sum(key in phrase.casefold() for key in wanted) < _LEAST_KEYWORDS:
                continue
            told = tokens(phrase)
            found = sum(weights.topic(token) for token in told) / (len(told) + 2)
            if found > best_score:
                best, best_score = phrase, found
    return best


def _can_be_title(phrase: str) -> bool:
    unspaced = UNSPACED.search(phrase) is not None
    return len(phrase) <= MOST_TITLE_LETTERS and (unspaced or len(phrase.split()) in _PHRASE_WORDS)


def _cut(text: str) -> str:
    """Cut a text to a title's length, between words where it has any, never inside what is one letter."""
    text = " ".join(text.split())
    if len(text) <= MOST_TITLE_LETTERS:
        return text
    kept = ""
    for letter in letters(text):
        if len(kept) + len(letter) > MOST_TITLE_LETTERS - 1:
            break
        kept += letter
    whole = kept.rsplit(" ", 1)[0] if " " in kept else kept
    return f"{whole.rstrip(EDGES + ' ')}…"
