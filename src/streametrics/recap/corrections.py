"""Knows what was taken back: sentences that a later one corrects, and what was read out from chat as false.

By phrases of English, German, French and Spanish; in other languages nothing counts as taken back.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from streametrics.recap.spoken import SpokenSentence
from streametrics.text.pieces import UNSPACED, tokens

_CORRECTS = re.compile(
    r"""
    # English
      \b(?:no|oh|sorry|hang\ on|hold\ on)[,.\s]+(?:wait|sorry|actually|i\ mean|it(?:'s|\ is)\ not)\b
    | \bwait[,.\s]+(?:no|sorry|actually)\b | \bcorrection\b | \bscratch\ that\b | \bi\ stand\ corrected\b
    | \bi\ (?:was\ wrong|misspoke|misread|mixed\ (?:that|it|them)?\ ?up|got\ (?:that|it)\ wrong)\b
    | \bmy\ (?:mistake|bad)\b
    | \bi\ (?:just\ |earlier\ |first\ )?(?:said|told\ you)\b.*\b(?:but|it(?:'s|\ is|\ was)|that(?:'s|\ was)|should)\b
    | \b(?:earlier|before)\ i\ said\b | \bwhat\ i\ said\b.*\bwrong\b | \bforget\ what\ i\ said\b
    | \bnot\ [^,.;]{1,40}[,;]?\ but\ (?!also\b) | \bit(?:'s|\ is)\ not\ [^,.;]{1,40}[,;]\ it(?:'s|\ is)\b
    | \b(?:make|let)\ (?:that|me\ (?:fix|correct))\b
    # German
    | \bnein[,.\s]+(?:warte|moment|doch|sorry|stimmt\ nicht) | \b(?:moment|warte)[,.\s]+(?:nein|falsch)\b
    | \bkorrektur\b | \bich\ korrigiere\b | \bich\ (?:habe|hab)\b.*\bgesagt\b.*\b(?:es|aber|ist|sind|war)\b
    | \bich\ (?:habe|hab)\ mich\ (?:geirrt|vertan|versprochen)\b | \bnicht\ [^,.;]{1,40},\ sondern\b
    # French
    | \bnon[,.\s]+(?:attend|pardon|en\ fait|c'est\ pas) | \b(?:attend[sez]*|pardon)[,.\s]+(?:non|c'est|c'était)\b
    | \bje\ me\ suis\ tromp | \bj'ai\ dit\b.*\b(?:mais|c'est|c'était|en\ fait)\b | \bje\ (?:corrige|rectifie)\b
    | \b(?:n'est\ )?pas\ [^,.;]{1,40},?\ mais\b | \berratum\b
    # Spanish
    | \bno[,.\s]+(?:espera|perd[oó]n|en\ realidad) | \b(?:espera|perd[oó]n)[,.\s]+(?:no|es|era|son)\b
    | \bme\ (?:he\ equivocado|equivoqu[eé])\b | \b(?:he\ dicho|dije)\b.*\b(?:pero|es|son|era)\b | \bcorrecci[oó]n\b
    | \bcorrijo\b | \bno\ [^,.;]{1,40},\ sino\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
_REPORTS = re.compile(
    r"""
      \b(?:somebody|someone|some\ (?:people|guy|one)|chat|people|they|a\ viewer|one\ of\ you|a\ message)\b[^.?!]{0,30}
      \b(?:says?|said|saying|writes?|wrote|writing|claims?|claimed|asks?\ (?:if|whether)|thinks?|tells?|reads?|keeps?)\b
    | \b(?:jemand|einer|der\ chat|leute)\b[^.?!]{0,30}\b(?:schreibt|sagt|meint|behauptet)\b
    | \b(?:quelqu'un|on|le\ chat|certains)\b[^.?!]{0,30}\b(?:dit|écrit|prétend|disent|écrivent)\b
    | \b(?:alguien|el\ chat|algunos)\b[^.?!]{0,30}\b(?:dice|escribe|afirma|dicen|escriben)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
_DENIES = re.compile(
    r"""
      \b(?:not|isn't|ain't|never)\ (?:\w+\ )?(?:true|right|correct|real|happening)\b
    | \b(?:untrue|false|fake|nonsense|made\ up)\b
    | \b(?:don't|do\ not|never)\ believe\b | \bignore\ that\b | \bjust\ a\ rumou?r\b | \bno\ (?:truth|idea\ where)\b
    | \b(?:it|that|this|he|she|they)\ (?:isn't|doesn't|didn't|won't|aren't|wasn't)\b | \bmisinformation\b
    | \bthat(?:'s|\ is)\ (?:just\ |simply\ |plain\ )?(?:wrong|a\ lie|rubbish|bait|a\ joke)\b
    | \b(?:stimmt|wahr|richtig)\ (?:\w+\ )?nicht\b | \bnicht\ (?:wahr|richtig)\b
    | \b(?:falsch|quatsch|unsinn|erfunden)\b
    | \b(?:pas|pas\ du\ tout)\ (?:vrai|exact)\b | \bfaux\b | \bn'importe\ quoi\b | \binventé\b
    | \b(?:no\ es|no\ era)\ (?:verdad|cierto|así)\b | \b(?:falso|mentira|tontería|inventado)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
#: A denial belongs to what was read out at most so many sentences before it.
_DENIED_WITHIN = 2
#: A correction without words of its own corrects what was said at most so many sentences before it.
_NEAR = 3
#: Of the weight of a correction's words, the share that the corrected sentence has.
_LEAST_SHARED = 0.3
#: Words of a correction that say what it is about; with fewer it is not understood alone.
_UNDERSTOOD_FROM = 3
#: What is corrected has so many words of its own.
_LEAST_WORDS = 2
#: A word that more sentences have says nothing of which one is meant.
_MOST_HOLDERS = 12
_LEAST_LETTERS, _STEM_LETTERS = 4, 6


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What is not told, by position.

    corrected: by whom. needs: what has to be told before a correction, which is not understood alone. denied: what was
    read out as false, with the word against it.
    """

    corrected: dict[int, int] = field(default_factory=dict)
    needs: dict[int, int] = field(default_factory=dict)
    denied: frozenset[int] = frozenset()


def taken_back(sentences: Sequence[SpokenSentence]) -> TakenBack:
    """Find what later sentences correct or deny. Each correction takes back one sentence at most."""
    words = [content_words(sentence.text) for sentence in sentences]
    holders: dict[str, list[int]] = {}
    denied: set[int] = set()
    corrected: dict[int, int] = {}
    needs: dict[int, int] = {}
    for position, sentence in enumerate(sentences):
        if _DENIES.search(sentence.text):
            reported = [at for at in range(max(0, position - _DENIED_WITHIN), position + 1) if reports(sentences[at])]
            denied.update((*reported, position) if reported else ())
        if position not in denied and corrects(sentence):
            earlier = _corrected(position, words, holders, sentences, corrected.keys() | denied)
            if earlier is not None and len(words[position] & words[earlier]) < _UNDERSTOOD_FROM - 1:
                needs[position] = earlier
            elif earlier is not None:
                corrected[earlier] = position
        for word in words[position]:
            holders.setdefault(word, []).append(position)
    return TakenBack(corrected, needs, frozenset(denied))


def corrects(sentence: SpokenSentence) -> bool:
    """Tell whether a sentence sounds like a correction."""
    return _CORRECTS.search(sentence.text) is not None


def reports(sentence: SpokenSentence) -> bool:
    """Tell whether a sentence says what others say."""
    return _REPORTS.search(sentence.text) is not None


def content_words(text: str) -> set[str]:
    """List the words that say what a sentence is about: no short ones, no endings, no numbers."""
    return {
        token if UNSPACED.match(token) else token[:_STEM_LETTERS]
        for token in tokens(text)
        if UNSPACED.match(token) or (len(token) >= _LEAST_LETTERS and not any(map(str.isdigit, token)))
    }


def _corrected(
    position: int,
    words: Sequence[set[str]],
    holders: dict[str, list[int]],
    sentences: Sequence[SpokenSentence],
    never: set[int],
) -> int | None:
    """Find the earlier sentence with most of a correction's rare words; else the one before it that has a fact."""
    shared: dict[int, float] = {}
    whole = 0.0
    for word in words[position]:
        held = holders.get(word, [])
        if 0 < len(held) <= _MOST_HOLDERS:
            weight = 1 / len(held)
            whole += weight
            for earlier in held:
                shared[earlier] = shared.get(earlier, 0.0) + weight
    allowed = [each for each in shared if each not in never and shared[each] >= _LEAST_SHARED * whole]
    best = max(allowed, key=lambda each: (len(words[each] & words[position]) >= 2, shared[each], each), default=None)
    if best is not None and len(words[best] & words[position]) >= _UNDERSTOOD_FROM - 1:
        return best
    has_number = _has_number(sentences[position].text)
    for earlier in range(position - 1, max(-1, position - 1 - _NEAR), -1):
        if earlier in never or len(words[earlier]) < _LEAST_WORDS:
            continue
        if not has_number or _has_number(sentences[earlier].text):
            return earlier
    return None


def _has_number(text: str) -> bool:
    return any(map(str.isdigit, text))
