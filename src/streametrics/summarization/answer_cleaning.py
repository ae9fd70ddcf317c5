"""Reduces what a model wrote to the summary in it, whole or as far as it has come.

Of an answer that grows, the first sentence of each paragraph is shown when it is whole: nobody can tell before whether
it is a part of the summary, or an announcement, an offer or a thought. Those that follow are shown as they grow, from
their first words on, unless an assistant's remark begins like them.
"""

import re
from dataclasses import dataclass, replace

from streametrics.summarization import answer_markup, answer_phrases, answer_remarks, prompts
from streametrics.summarization.answer_markup import Block
from streametrics.summarization.prompts import Given
from streametrics.text import sentences

NOTHING = Given()

#: Letters from which on a sentence is shown before it ends, in writing with spaces and without: one that opens a
#: paragraph (some scripts have no marks for an end), and any other.
_LONG_OPENING = (160, 60)
_LONG_ENOUGH = (24, 10)
#: Two sentences that think aloud, or a first one, are no content any more.
_THOUGHTS = 2
_MOST_LEAD_INS = 6
_LABEL_IN_LINE = re.compile(
    rf"(?:(?<=[.!?:。！？])\s*|\*\*)(?:final |short |brief )?(?:{answer_phrases.SUMMARY}|(?:final )?answer)\w*"
    r"\s*(?:\*\*)?[:：]",
    re.IGNORECASE,
)
_ASKS_OR_CALLS = re.compile(r"[?!؟？！;՞]+[\"'»”’)\]]*\Z")
_BRACKETED = re.compile(r"[(（\[［【].*[)）\]］】]\.?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Sentence:
    text: str
    is_item: bool = False
    opens_block: bool = False
    opens_paragraph: bool = False


def summary_text(text: str, *, was_cut: bool = False, given: Given = NOTHING) -> str:
    """Return the summary in an answer, as one line; empty where there is none. was_cut: it ends at whole sentences."""
    line = _joined(_read(text, given, is_whole=True))
    line = answer_markup.unquoted(line, is_whole=True)
    return sentences.cut_after_last_end(line) if was_cut and line else line


def shown_so_far(text: str, *, is_whole: bool = False, given: Given = NOTHING) -> str:
    """Return what can be shown of an answer that grows, as one line. is_whole: this part of it is finished."""
    if is_whole:
        return summary_text(text, given=given)
    found = _until_a_turn(_read(text, given, is_whole=False))
    if found and not _is_shown(found[-1], is_first=len(found) == 1):
        found = found[:-1]
    shown = answer_markup.unquoted(_joined(found), is_whole=False)
    return shown if any(letter.isalnum() for letter in shown) else ""


def _until_a_turn(found: list[_Sentence]) -> list[_Sentence]:
    """Cut where a sentence begins as somebody's turn does: what follows tells whether it is one."""
    for index, sentence in enumerate(found):
        if index and answer_remarks.begins_turn(sentence.text):
            return found[:index]
    return found


def _is_shown(last: _Sentence, *, is_first: bool) -> bool:
    """Tell whether a last sentence is whole, or can be shown all the same."""
    if sentences.ends(last.text):
        return True
    limits = _LONG_OPENING if is_first or last.opens_block else _LONG_ENOUGH
    return len(last.text) >= limits[answer_remarks.has_no_spaces(last.text)] and not answer_remarks.may_become_remark(
        last.text
    )


def _read(text: str, given: Given, *, is_whole: bool) -> list[_Sentence]:
    """Read the sentences of the summary; the last one may be unfinished."""
    blocks = answer_markup.blocks(answer_markup.unwrapped(text, is_whole=is_whole), is_whole=is_whole)
    blocks = [block for block in blocks if block.text.casefold() not in given.lines]
    blocks = _without_thoughts(_from_label_on(blocks, is_whole=is_whole), is_whole=is_whole)
    blocks = _until_another_turn(blocks)
    blocks = _without_headings(_without_lead_in(blocks, given, is_whole=is_whole), given, is_whole=is_whole)
    found = [
        _Sentence(sentence, block.is_item, not index, block.opens_paragraph and not index)
        for block in blocks
        for index, sentence in enumerate(sentences.split(prompts.one_line(block.text)))
    ]
    if answer_remarks.is_refusal([sentence.text for sentence in found]):
        return []
    return _without_closing(found, given)


def _from_label_on(blocks: list[Block], *, is_whole: bool) -> list[Block]:
    """Begin at the last `Summary:` at the beginning of a line: what stands before it was no summary."""
    for index in range(len(blocks) - 1, 0, -1):
        text = blocks[index].text
        has_more = index + 1 < len(blocks) or text.rstrip()[-1] not in ":："
        is_label = answer_remarks.is_summary_label(text)
        if answer_remarks.is_final_answer(f"{text}:" if blocks[index].is_heading else text):
            is_label = is_label or _thoughts(blocks[:index]) > 0
        if is_label and (has_more or not is_whole):
            return blocks[index:]
    return blocks


def _without_thoughts(blocks: list[Block], *, is_whole: bool) -> list[Block]:
    """Remove thinking aloud that no mark shows; nothing is left where it cannot be told from the answer."""
    thinking = [index for index, block in enumerate(blocks) if _thoughts([block])]
    if not thinking or (_thoughts(blocks) < _THOUGHTS and not _thinks_first(blocks)):
        return blocks
    last = blocks[thinking[-1]]
    labels = list(_LABEL_IN_LINE.finditer(last.text))
    if labels:
        return [replace(last, text=last.text[labels[-1].end() :].strip(" *_")), *blocks[thinking[-1] + 1 :]]
    if not is_whole:
        return []
    return blocks[thinking[-1] + 1 :] or blocks[: thinking[0]]


def _thoughts(blocks: list[Block]) -> int:
    """Count the sentences that think aloud, and headings above such."""
    found = [each for block in blocks for each in sentences.split(f"{block.text}:" if block.is_heading else block.text)]
    return sum(map(answer_remarks.thinks_aloud, found))


def _thinks_first(blocks: list[Block]) -> bool:
    first = sentences.split(f"{blocks[0].text}:" if blocks[0].is_heading else blocks[0].text)
    if len(blocks) > 1 and blocks[1].opens_paragraph and len(first) > 1:
        return any(map(answer_remarks.thinks_aloud, first))
    return bool(first) and answer_remarks.thinks_aloud(first[0])


def _until_another_turn(blocks: list[Block]) -> list[Block]:
    """Cut where a model goes on to write the next turns; turns before its own are left out."""
    own = next((index for index, block in enumerate(blocks) if answer_remarks.is_own_turn(block.text)), None)
    if own and answer_remarks.begins_turn(blocks[0].text):
        blocks = blocks[own:]
    kept: list[Block] = []
    for block in blocks:
        if kept and answer_remarks.begins_turn(block.text):
            break
        kept.append(replace(block, text=answer_remarks.before_turns(block.text)))
    return [block for block in kept if block.text]


def _without_lead_in(blocks: list[Block], given: Given, *, is_whole: bool) -> list[Block]:
    """Remove what leads to the summary: titles, labels, announcements."""
    for _ in range(_MOST_LEAD_INS):
        if not blocks:
            break
        first, rest = blocks[0], blocks[1:]
        said = "\n".join([given.text, *(block.text for block in rest)])
        if rest and _leads_to(first, rest, said, is_whole=is_whole):
            blocks = rest
            continue
        after = answer_remarks.after_label(first.text, said)
        if after is None:
            after = _after_announcement(first.text)
        if after is None:
            return blocks
        blocks = [replace(first, text=after), *rest] if after else rest
    return blocks


def _leads_to(first: Block, rest: list[Block], said: str, *, is_whole: bool) -> bool:
    if first.is_heading or answer_remarks.is_named_title(first.text):
        return True
    if first.text[-1] in ":：":
        return answer_remarks.is_lead_in(first.text, said)
    if first.is_item or sentences.ends(first.text) or not rest[0].opens_paragraph:
        return answer_remarks.is_summary_label(first.text) and not sentences.ends(first.text)
    return answer_remarks.is_title(first.text) and (not is_whole or sentences.ends(rest[0].text))


def _after_announcement(text: str) -> str | None:
    """Return what follows a sentence that announces the summary; None where the first one does not."""
    first = sentences.split(text)[0]
    if answer_remarks.is_speech(first, is_first=True):
        return None
    if answer_remarks.is_yes(first) or (answer_remarks.announces(first) and sentences.ends(first)):
        return text[text.index(first) + len(first) :].strip()
    return None


def _without_headings(blocks: list[Block], given: Given, *, is_whole: bool) -> list[Block]:
    """Remove headings, and lines that only lead to a list."""
    said = "\n".join([given.text, *(block.text for block in blocks)])
    kept = [
        block
        for block, following in zip(blocks, [*blocks[1:], None], strict=False)
        if not block.is_heading and not _leads_to_list(block, following, said)
    ]
    return kept if kept or not is_whole else blocks


def _leads_to_list(block: Block, following: Block | None, said: str) -> bool:
    if following is None or not following.is_item or block.text[-1] not in ":：":
        return False
    others = said.replace(block.text, "", 1)
    return answer_remarks.is_lead_in(block.text, others)


def _without_closing(found: list[_Sentence], given: Given) -> list[_Sentence]:
    """Cut at the first offer or remark behind a sentence of the summary."""
    kept: list[_Sentence] = []
    for sentence in found:
        is_speech = answer_remarks.is_speech(sentence.text, is_first=not kept)
        is_remark = answer_remarks.is_closing(sentence.text) or (not kept and answer_remarks.is_yes(sentence.text))
        if is_remark and not is_speech:
            if kept:
                return kept
            continue
        kept.append(sentence)
    return kept[: _end_of_content(kept, given)]


def _end_of_content(found: list[_Sentence], given: Given) -> int:
    """Find where a last paragraph begins that asks, calls or stands in brackets, and says nothing that was said."""
    start = max((index for index, each in enumerate(found) if each.opens_paragraph), default=0)
    last = found[start:]
    if not start or answer_remarks.shares_words(
        " ".join(each.text for each in last), "\n".join([given.text, *(each.text for each in found[:start])])
    ):
        return len(found)
    is_bracketed = _BRACKETED.fullmatch(" ".join(each.text for each in last)) is not None
    asks = all(_ASKS_OR_CALLS.search(each.text) for each in last)
    return start if is_bracketed or asks else len(found)


def _joined(found: list[_Sentence]) -> str:
    return sentences.join(_ended(each) if each.is_item and each is not found[-1] else each.text for each in found)


def _ended(item: _Sentence) -> str:
    """End an item of a list as a sentence."""
    if sentences.ends(item.text) or item.text[-1] in ":：,;":
        return item.text
    return f"{item.text}。" if item.text[-1] >= "\u3040" else f"{item.text}."
