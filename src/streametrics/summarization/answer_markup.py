"""Takes the text out of what a model wraps it in: fences, JSON, tags, quotation marks, Markdown."""

import re
from dataclasses import dataclass, replace

from streametrics.summarization import answer_phrases, loose_json
from streametrics.summarization.loose_json import Leaf
from streametrics.text import sentences

#: JSON in a fence in JSON: no more layers than this are taken off.
_MOST_LAYERS = 4

_FENCE_LINE = re.compile(r"^[ \t]*(?:`{3,}|~{3,}|'''|\"\"\")[ \t]*[\w+-]{0,20}[ \t]*$", re.MULTILINE)
_FENCE_AROUND = re.compile(r"\A\s*`{3,}(?:(?:json|text|markdown|md|txt|plaintext|yaml|xml|html)\b)?|`{3,}\s*\Z")
_THOUGHT_FENCE = re.compile(
    r"^[ \t]*`{3,}[ \t]*(?:think(?:ing)?|thoughts?|reasoning|analysis|scratchpad)[ \t]*$.*?(?:^[ \t]*`{3,}[ \t]*$|\Z)",
    re.MULTILINE | re.DOTALL | re.IGNORECASE,
)
#: The same tags in square brackets, where they come out of JSON.
_SQUARE_TAG = re.compile(r"\[/?(?:SUMMARY|ANSWER|OUTPUT|RESPONSE|RESULT)\]")
_SQUARE_TAG_BEGINS = re.compile(r"\[/?[A-Z]{1,10}\Z|\[/\Z")
_LINE_BREAK_TAG = re.compile(r"<br\s*/?>|</(?:p|div|li|h[1-6]|tr)>", re.IGNORECASE)
_FORMAT_TAG = re.compile(
    r"</?(?:p|b|i|u|em|strong|div|span|ul|ol|li|h[1-6]|code|pre|a|blockquote)(?:\s[^<>]{0,200})?>", re.I
)
_TAG_AROUND = re.compile(r"\A\s*<(?P<name>\w{1,40})(?:\s[^<>]{0,80})?>(?P<inner>.*)</(?P=name)>\s*\Z", re.DOTALL)
_TAGS_BEFORE = re.compile(r"\A\s*(?:<\w{1,40}(?:\s[^<>]{0,80})?>\s*){1,4}")
_TAGS_AFTER = re.compile(r"(?:\s*</\w{1,40}>){1,4}\s*\Z")
_BOXED = re.compile(r"\A\s*(?:\\\[|\$)?\s*\\boxed\{(?:\\text\{)?(?P<inner>.*?)\}*\s*(?:\\\]|\$)?\s*\Z", re.DOTALL)

#: What a program writes where it has nothing.
_NO_VALUE = re.compile(r"null|none|undefined|nan|n/a|true|false|\{\}|\[\]", re.IGNORECASE)

#: What may stand before JSON: nothing, or a line that announces it.
_BEFORE_JSON = re.compile(r"\A(?P<before>[^{\[]{0,300}?)(?=[{\[])")
_CONTENT_KEY = re.compile(
    rf"(?:{answer_phrases.SUMMARY}|{answer_phrases.ANSWER}|content|message|body|description|sentences?|paragraph|value)"
)
_OTHER_KEY = re.compile(
    r"reason|thought|think|analysis|reflect|plan|title|headline|name|role|lang|time|date|(?:^|_)id|type|status|model|error"
    r"|code|note|confidence|transcript|input|prompt|instruction|question|user|meta|keyword|tag|source|streamer|game|refus"
)

_RULE = re.compile(r"(?:[-*_=~–—]\s*){3,}|\|?[\s:|-]*-{2,}[\s:|-]*\|?")
_QUOTED_LINE = re.compile(r"(?:>\s*)+")
_HEADING = re.compile(r"(?:#{2,6}\s*|#\s+)(?P<text>.*?)\s*#*")
_RULED_HEADING = re.compile(r"(?P<rule>={2,}|-{2,}|\*{3,})\s*(?P<text>[^=*\n]{1,60}?)\s*(?P=rule)")
_BULLET = re.compile(r"(?:[-*+•·‣▪◦●○■–—➤➢→✅✔☑»]|\[[ xX]\])\s+(?=\S)")
_NUMBER = re.compile(r"\(?(?P<number>\d{1,2})[.)]\s+(?=\S)")
_BARE_NUMBER = re.compile(r"\(?\d{1,2}[.)]?")
_BOLD_LINE = re.compile(r"(?:\*\*|__)(?P<text>[^*_]+)(?:\*\*|__)\s*[:：]?|(?:\*\*|__)[^*_]+[:：](?:\*\*|__)")
_TABLE_ROW = re.compile(r"\|(?P<cells>.*?)\|?")
_LINK = re.compile(r"!?\[(?P<text>[^\[\]\n]{1,200})\]\([^()\s]{1,500}\)")
_INLINE = (
    re.compile(r"(?<!\w)(\*{1,3}|_{1,3}|~~)(?=\S)(?P<text>[^*_~]+?)(?<=\S)\1(?!\w)"),
    re.compile(r"(?<!`)(`{1,2})(?P<text>[^`\n]+?)\1(?!`)"),
)
_LEFT_OVER = re.compile(r"\*{2,}|_{2,}(?=\s|$)|(?<!\S)_{2,}|^\s*[*_`]+(?=\S)|(?<=\S)[*_]+\s*$|\\(?=[*_#`>\[\]])|`{2,}")

#: A line that is longer than this and has no end goes on in the next.
_WRAPPED = 40
#: Pairs of quotation marks around a whole answer.
_QUOTES = {
    '"': '"',
    "“": '”"',
    "„": "“”",
    "«": "»",
    "‹": "›",
    "「": "」",
    "『": "』",
    "'": "'",
    "‘": "’",
    "”": "”",
    "《": "》",
}


@dataclass(frozen=True, slots=True)
class Block:
    """A line of an answer, or a paragraph that was wrapped. is_heading: it names what follows, and is no sentence."""

    text: str
    is_item: bool = False
    is_heading: bool = False
    opens_paragraph: bool = False


def unwrapped(text: str, *, is_whole: bool) -> str:
    """Take an answer out of fences, tags and JSON; empty where the JSON holds no text, or none yet."""
    text = _SQUARE_TAG.sub("", _THOUGHT_FENCE.sub("", text))
    if not is_whole:
        text = _SQUARE_TAG_BEGINS.sub("", text)
    for _ in range(_MOST_LAYERS):
        before = text
        text = _FENCE_AROUND.sub("", _FENCE_LINE.sub("", text)).strip()
        text = _FORMAT_TAG.sub("", _LINE_BREAK_TAG.sub("\n", text))
        for around in (_TAG_AROUND, _BOXED):
            if (match := around.match(text)) is not None:
                text = match["inner"]
        text = _TAGS_AFTER.sub("", _TAGS_BEFORE.sub("", text))
        if not is_whole and loose_json.MAY_BEGIN.fullmatch(text):
            return ""
        inner = _in_json(text, is_whole=is_whole)
        text = text if inner is None else inner
        if text == before:
            break
    return "" if _NO_VALUE.fullmatch(text.strip()) else text.strip()


def _in_json(text: str, *, is_whole: bool) -> str | None:
    """Find the text in JSON that is all of an answer, but for a line before it; None where there is no such JSON."""
    match = _BEFORE_JSON.match(text)
    if match is None or not loose_json.BEGINS.match(text, match.end()):
        return None
    before = match["before"].strip()
    if before and before[-1] not in ":：\n" and "\n" not in match["before"]:
        return None
    found = loose_json.read(text[match.end() :])
    rest = text[match.end() + found.end :].strip(" \n`")
    named = [leaf for leaf in found.leaves if not _is_aside(leaf) and any(map(_CONTENT_KEY.search, leaf.keys))]
    prose = [leaf for leaf in found.leaves if not _is_aside(leaf) and _is_prose(leaf.text)]
    if not is_whole:
        return "\n".join(leaf.text for leaf in named if named)
    if named or (prose and not before and not _is_prose(rest)):
        return _joined(named or prose)
    return "" if not before and not _is_prose(rest) and not prose and _is_all_json(rest) else None


def _is_all_json(rest: str) -> bool:
    return not any(letter.isalnum() for letter in rest)


def _joined(leaves: list[Leaf]) -> str:
    texts = [leaf.text for leaf in leaves]
    return texts[0] if len(texts) == 1 else "\n".join(f"- {text}" for text in texts)


def _is_aside(leaf: Leaf) -> bool:
    return any(_OTHER_KEY.search(key) and not _CONTENT_KEY.fullmatch(key) for key in leaf.keys)


def _is_prose(text: str) -> bool:
    return len(text.split()) > 2 or (not text.isascii() and len(text) > 7)


def blocks(text: str, *, is_whole: bool) -> list[Block]:
    """Split a text into its lines, without Markdown; lines that were only wrapped are put together."""
    lines = text.splitlines()
    numbered = sum(_NUMBER.match(line.strip()) is not None for line in lines)
    found: list[Block] = []
    opens, leads = True, False
    for line in lines:
        line = _QUOTED_LINE.sub("", line.strip(), count=1) if line.strip().startswith(">") else line.strip()
        if not line or _RULE.fullmatch(line) or (not is_whole and _BARE_NUMBER.fullmatch(line)):
            opens = True
            continue
        if numbered == 1 and not leads and not is_whole and _NUMBER.match(line):
            break  # a list, once a second number comes
        block = _block(line, counts_numbers=numbered > 1 or leads)
        if not block.text:
            continue
        leads = block.text[-1] in ":：" or block.is_heading
        if found and _goes_on(found[-1], block) and not opens:
            found[-1] = replace(found[-1], text=f"{found[-1].text} {block.text}")
        else:
            found.append(replace(block, opens_paragraph=opens))
        opens = False
    return found


def _block(line: str, *, counts_numbers: bool) -> Block:
    is_item = False
    if (heading := _HEADING.fullmatch(line) or _RULED_HEADING.fullmatch(line)) is not None:
        text = _plain(heading["text"])
        return Block(text, is_heading=not sentences.ends(text))
    for mark in (_BULLET, _NUMBER) if counts_numbers else (_BULLET,):
        if (match := mark.match(line)) is not None:
            line, is_item = line[match.end() :], True
    is_bold = _BOLD_LINE.fullmatch(line) is not None
    if (row := _TABLE_ROW.fullmatch(line)) is not None:
        line = ", ".join(cell.strip() for cell in row["cells"].split("|") if cell.strip())
    text = _plain(line)
    return Block(text, is_item=is_item, is_heading=is_bold and not sentences.ends(text) and not is_item)


def _goes_on(before: Block, block: Block) -> bool:
    is_open = not sentences.ends(before.text) and before.text[-1] not in ":："
    return is_open and len(before.text) >= _WRAPPED and not (before.is_heading or block.is_heading or block.is_item)


def _plain(line: str) -> str:
    """Remove the marks of Markdown within a line."""
    line = _LINK.sub(lambda match: match["text"], line)
    for _ in range(2):  # bold in italics
        for pattern in _INLINE:
            line = pattern.sub(lambda match: match["text"], line)
    return _LEFT_OVER.sub("", line).strip()


def unquoted(text: str, *, is_whole: bool) -> str:
    """Remove quotation marks around the whole of a text; of one that grows, the one that opens it."""
    closing = _QUOTES.get(text[:1])
    if closing is None or len(text) < 2:
        return text
    inner = text[1:].rstrip()
    if inner[-1:] in tuple(closing) and not any(mark in inner[:-1] for mark in (text[0], *closing)):
        return inner[:-1].strip()
    if inner[-2:-1] in tuple(closing) and inner[-1] in ".。" and not any(mark in inner[:-2] for mark in closing):
        return f"{inner[:-2]}{inner[-1]}"
    return text if is_whole or any(mark in inner for mark in closing) else inner
