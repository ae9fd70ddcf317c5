"""Tells a summary from what an assistant says around it: announcements, offers, notes, excuses, thinking aloud.

First by phrases of the languages most spoken, then by form: what is no content shares no words with what was said.
"""

import re
from functools import lru_cache

from streametrics.summarization import answer_offers, answer_phrases

_Patterns = tuple[re.Pattern[str], ...]

_SUMMARY = re.compile(answer_phrases.SUMMARY)
_MATERIAL = re.compile(f"{answer_phrases.SUMMARY}|{answer_phrases.TRANSCRIPT}")
_TRANSCRIPT = re.compile(answer_phrases.TRANSCRIPT)
_JSON = re.compile(r"\b(?:json|markdown|xml|yaml)\b")
_HERE_IS = re.compile(rf"(?:(?:{answer_phrases.YES})[\s,.!，。！、]*)?(?:{answer_phrases.HERE_IS})")
_HERE_IS_ANYWHERE = re.compile(answer_phrases.HERE_IS)
_YES = re.compile(rf"(?:{answer_phrases.YES})(?:[\s,!.，。！、…]+(?:{answer_phrases.YES}))*[\s,!.，。！…]*")
_YES_BEGINS = re.compile(rf"(?:{answer_phrases.YES})\s*[,!.，。！、…]")
_ANSWER = re.compile(rf"(?:{answer_phrases.ANSWER})")
_ASSISTANT = re.compile(rf"(?:{answer_phrases.ASSISTANT})")
_TURN = re.compile(rf"(?:#+\s*)?(?:{answer_phrases.USER}|{answer_phrases.ASSISTANT})\s*[:：]", re.IGNORECASE)
_TURNS_IN_LINE = re.compile(
    rf"(?<=[.!?。！？])\s+(?:{answer_phrases.USER})\s*[:：].*?(?:{answer_phrases.ASSISTANT})\s*[:：]",
    re.IGNORECASE | re.DOTALL,
)
_TITLE = re.compile(rf"(?:{answer_phrases.TITLE})\s*[:：]")
_BARE_ROLE = re.compile(r"(?:user|human|assistant|model|system)")
#: A sentence in quotation marks, or one that begins so.
_QUOTED = re.compile(r"[\"“„«「『‹](?P<inner>[^\"“”»「」』›]+)[\"“”»」』›](?P<rest>.*)", re.DOTALL)
_REPORTED = re.compile(
    rf"(?:[,?!;:»”\"]|[a-z]:)\s(?:(?:{answer_phrases.REPORTED})\b"
    rf"|(?:(?!(?:[dl]')?(?:{answer_phrases.USER}|{answer_phrases.NOBODY})\b)[^\W\d][\w'-]*\s){{1,3}}(?:{answer_phrases.REPORTED})\b)"
    r"|[，、](?!用户|用戶|我|提示|ユーザー)[^，、。]{1,12}(?:说|說|问|問|道|言う|聞く|尋ねる)"
)
#: A label in brackets: `[Summary]`.
_BRACKETED_LABEL = re.compile(
    r"[\[【［(（](?P<head>[^\[\]【】［］()（）\n]{1,40})[\]】］)）]\s*[:：]?\s*(?P<rest>\S.*)", re.DOTALL
)
_NOTE = re.compile(rf"(?:{answer_phrases.NOTE})\s*(?:[:：]|\bthat\b|\bque\b|\bdass\b|,)\s*(?P<rest>.*)", re.DOTALL)
_COUNT = re.compile(
    r"(?:word|character|token|sentence)s?\b.{0,20}\d"
    r"|\d+\s*(?:words|characters|tokens|sentences|mots|wörter|palabras|слов|字)"
)
_LIST_HEAD = re.compile(answer_phrases.LIST_HEAD)
_MAY_BE_LABEL = re.compile(r"(?P<head>[^:：\n]{1,200}?)\s*(?:(?<!\d)[:：]|\s[–—-]\s)(?P<rest>.*)", re.DOTALL)

#: Words that an announcement before a colon may have, and a label.
_LONGEST_ANNOUNCEMENT = 30
_LONGEST_LABEL = 6
#: Of the words of a sentence, as many are said elsewhere where it has content.
_SHARED = 0.34
_LEAST_LETTERS = 4
#: Sentences that were judged: of an answer that grows, all but the last stay the same.
_REMEMBERED = 256
_UNSPACED = re.compile(r"[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]+")
_WORD = re.compile(r"[^\W\d_]+")


def _all(patterns: tuple[str, ...]) -> _Patterns:
    return tuple(re.compile(pattern, re.DOTALL) for pattern in patterns)


def _openings(patterns: tuple[str, ...]) -> _Patterns:
    """Reduce each alternative to what stands before `.*`: a sentence that begins so may come to match."""
    found: list[str] = []
    for pattern in patterns:
        depth, start = 0, 0
        for position, letter in enumerate(f"{pattern}|"):
            depth += (letter == "(") - (letter == ")")
            if letter == "|" and depth == 0:
                found.append(pattern[start:position].partition(".*")[0])
                start = position + 1
    return (re.compile("|".join(f"(?:{opening})" for opening in found)),)


_CLOSINGS, _SORRY, _SORRY_FOR = _all(answer_offers.CLOSINGS), _all(answer_offers.SORRY), _all(answer_offers.SORRY_FOR)
_I_AM, _CANNOT, _PLEASE = _all(answer_offers.I_AM), _all(answer_offers.CANNOT), _all(answer_offers.PLEASE)
_REASONING = _all(answer_offers.REASONING)
_OPENINGS = _openings((*answer_offers.CLOSINGS, *answer_offers.I_AM, *answer_offers.CANNOT, answer_phrases.NOTE))


def folded(text: str) -> str:
    """Lower the case, straighten apostrophes, and remove what stands around a sentence."""
    return text.casefold().replace("’", "'").replace("‘", "'").strip(' \t\n*_#>()[]{}~`"“”„«»「」¿¡–—-')


def is_yes(sentence: str) -> bool:
    """Tell whether a sentence only says that the request was understood."""
    return sentence[:1] not in tuple('"“„«「') and _YES.fullmatch(folded(sentence)) is not None


def announces(sentence: str) -> bool:
    """Tell whether a sentence announces a summary: `Here is a summary of the stream.`"""
    low = folded(sentence)
    if len(low.split()) > _LONGEST_ANNOUNCEMENT or not (_MATERIAL.search(low) or _JSON.search(low)):
        return False
    return _HERE_IS.match(low) is not None or (_UNSPACED.match(low) is not None and bool(_HERE_IS_ANYWHERE.search(low)))


def is_lead_in(line: str, said: str) -> bool:
    """Tell whether a line that ends in a colon only leads to what follows. said: all other words."""
    low = folded(line).rstrip(":： ")
    if len(low.split()) > _LONGEST_ANNOUNCEMENT:
        return False
    if _MATERIAL.search(low) or _HERE_IS.match(low) or _YES_BEGINS.match(low) or _LIST_HEAD.fullmatch(low):
        return True
    return not shares_words(low, said)


def after_label(text: str, said: str) -> str | None:
    """Return what follows a label in a line (`Summary:`, `Here is the summary:`); None where it has none."""
    bracketed = _BRACKETED_LABEL.match(text)
    if bracketed is not None and is_summary_label(bracketed["head"]):
        return bracketed["rest"]
    match = _MAY_BE_LABEL.match(text)
    if match is None:
        return None
    head, rest = folded(match["head"]), match["rest"].strip().lstrip("|>").lstrip()
    words = len(head.split())
    is_dash = text[match.end("head") :].lstrip()[:1] in "–—-"
    if is_dash:
        return rest if words <= 3 and (_SUMMARY.match(head) or _YES.fullmatch(head)) else None
    is_label = words <= _LONGEST_LABEL and (
        _ANSWER.fullmatch(head) is not None
        or _ASSISTANT.fullmatch(head) is not None
        or _LIST_HEAD.fullmatch(head) is not None
        or (_SUMMARY.search(head) is not None and _is_only_a_label(head, said))
    )
    names_both = words <= _LONGEST_ANNOUNCEMENT and _SUMMARY.search(head) and _TRANSCRIPT.search(head)
    return rest if is_label or names_both or announces(match["head"]) else None


def is_summary_label(text: str) -> bool:
    """Tell whether a line begins with `Summary:` or is that alone: what came before it was no summary."""
    low = folded(text)
    head = re.split(r"[:：]", low, maxsplit=1)[0].strip(" *_")
    return (
        len(head.split()) <= 3
        and (":" in low or "：" in low or head == low)
        and bool(re.fullmatch(rf"(?:(?:final|brief|short|concise|my|the)\s)*(?:{answer_phrases.SUMMARY})\w*", head))
    )


def is_final_answer(text: str) -> bool:
    """Tell whether a line begins with `Final answer:` or `Answer:`."""
    head, colon, _ = folded(text).partition(":")
    return bool(colon) and _ANSWER.fullmatch(head.strip(" *_")) is not None


def is_named_title(line: str) -> bool:
    """Tell whether a line is a title that says so: `Title: …`."""
    return _TITLE.match(folded(line)) is not None


def is_speech(sentence: str, *, is_first: bool) -> bool:
    """Tell whether a sentence tells what somebody in the recording says, in quotation marks or by `…, says Ada`.

    is_first: a first one that is all in quotation marks may as well be the whole answer.
    """
    quoted = _QUOTED.match(sentence.strip())
    if quoted is not None and (not is_first or any(letter.isalpha() for letter in quoted["rest"])):
        return True
    return _REPORTED.search(sentence.replace("’", "'").casefold()) is not None


def is_title(line: str) -> bool:
    """Tell whether a line without an end is short enough for a title."""
    return len(line.split()) <= 10 and len(line) <= 80


def begins_turn(line: str) -> bool:
    """Tell whether a line begins somebody's turn: `User: …`, or `user` where a server drops a template's marks."""
    if _BARE_ROLE.fullmatch(line.strip()):
        return True
    return _TURN.match(line.strip(" *_")) is not None


def is_own_turn(line: str) -> bool:
    if line.strip() in ("assistant", "model"):
        return True
    head, colon, _ = re.sub("：", ":", folded(line)).partition(":")
    return bool(colon) and _ASSISTANT.fullmatch(head.strip(" *_")) is not None


def before_turns(line: str) -> str:
    """Cut a line before turns that a model goes on to write within it."""
    match = _TURNS_IN_LINE.search(line)
    return line[: match.start()] if match else line


@lru_cache(maxsize=_REMEMBERED)
def is_closing(sentence: str) -> bool:
    """Tell whether a sentence is an offer, a wish or a remark of the assistant's, after a summary."""
    low = folded(sentence)
    if any(pattern.match(low) for pattern in (*_CLOSINGS, *_I_AM, *_CANNOT)):
        return True
    is_bracketed = sentence.lstrip(" *_")[:1] in tuple("([（［【") and not _BRACKETED_LABEL.match(
        sentence.lstrip(" *_")
    )
    if _COUNT.match(low) or (is_bracketed and (_MATERIAL.search(low) or _COUNT.search(low))):
        return True
    note = _NOTE.match(low)
    return note is not None and _is_about_itself(note["rest"])


@lru_cache(maxsize=_REMEMBERED)
def may_become_remark(beginning: str) -> bool:
    """Tell whether a sentence that has begun may come to be an offer, a remark, a label or somebody's turn."""
    low = folded(beginning)
    if beginning.lstrip(" *_")[:1] in tuple("([（［【") or re.search(r"[:：](?!\d)", beginning):
        return True
    return any(pattern.match(low) for pattern in _OPENINGS) or thinks_aloud(beginning)


def is_refusal(sentences: list[str]) -> bool:
    """Tell whether an answer refuses, or asks for the transcript, in its first sentences."""
    if not sentences:
        return False
    if is_speech(sentences[0], is_first=True):
        return False
    low = folded(sentences[0])
    if any(pattern.match(low) for pattern in (*_SORRY, *_I_AM, *_CANNOT)):
        return True
    if _MATERIAL.search(low) and any(pattern.match(low) for pattern in _SORRY_FOR):
        return True
    return any(_asks_for_it(folded(sentence)) for sentence in sentences[:3])


@lru_cache(maxsize=_REMEMBERED)
def thinks_aloud(sentence: str) -> bool:
    """Tell whether a sentence is about the task."""
    if is_speech(sentence, is_first=True):
        return False
    low = folded(sentence)
    return any(pattern.search(low) for pattern in _REASONING)


def has_no_spaces(text: str) -> bool:
    """Tell whether a text is in a script that puts no spaces between words."""
    return _UNSPACED.search(text) is not None


def shares_words(text: str, said: str) -> bool:
    """Tell whether what a text says is said elsewhere, too; true of a text without words."""
    own = words(text)
    return not own or len(own & words(said)) >= len(own) * _SHARED


@lru_cache(maxsize=8)
def words(text: str) -> frozenset[str]:
    """Return the longer words of a text, and pairs of letters where it has no spaces."""
    found: set[str] = set()
    for word in _WORD.findall(text.casefold()):
        if _UNSPACED.search(word):
            found.update(word[start : start + 2] for start in range(len(word) - 1))
        elif len(word) >= _LEAST_LETTERS:
            found.add(word)
    return frozenset(found)


def _is_only_a_label(head: str, said: str) -> bool:
    """Tell whether a short head with the word `summary` names nothing else that was said: `The coach's summary:`."""
    if _SUMMARY.match(head) or _UNSPACED.search(head):
        return True
    others = " ".join(word for word in head.split() if not _SUMMARY.search(word))
    return (
        "'s" not in others and not words(others) & words(said) and not re.search(r"\b(?:her|his|their|its)\b", others)
    )


def _is_about_itself(rest: str) -> bool:
    if _UNSPACED.match(rest):
        return _MATERIAL.search(rest) is not None
    beginning = " ".join(rest.split()[:5])
    return (
        _MATERIAL.search(beginning) is not None
        or re.match(r"(?:i|as an ai|the (?:text|answer))\b", beginning) is not None
    )


def _asks_for_it(low: str) -> bool:
    return _TRANSCRIPT.search(low) is not None and any(pattern.match(low) for pattern in _PLEASE)
