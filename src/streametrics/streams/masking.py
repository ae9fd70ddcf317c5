"""Masks telephone numbers and e-mail addresses: what was said once by mistake is not to be read in every recap.

Numbers are told by how they are written. What can be a quantity (viewers, scores, prices, years, dates, times) stays,
unless words before it say that it is a number to be called.
"""

import itertools
import re
import unicodedata

#: What stands for what is masked; in no language.
MASK = "***"

_MAILBOX = r"[\w.+%-]{1,64}"
_EMAIL = re.compile(rf"(?<![\w.+%-]){_MAILBOX}@(?:[\w-]{{1,63}}\.)+[^\W\d_]{{2,24}}(?!\w)")
#: Hosts that nobody names but for an address, as in "zoe at gmail dot com".
_HOSTS = (
    "gmail|googlemail|hotmail|outlook|live|yahoo|ymail|icloud|aol|proton|protonmail|gmx|web|freenet|t-online|orange|"
    "wanadoo|laposte|libero|naver|qq|163|126|mail|yandex"
)
_AT = r"(?:at|arroba|arobase|chiocciola|собака|ät)"
_DOT = r"(?:\.|\s(?:dot|punkt|point|punto|ponto|точка)\s)"
_SPOKEN_EMAIL = re.compile(
    rf"(?<!\w)[\w.+-]{{1,64}}(?:{_DOT}[\w+-]{{1,64}}){{0,3}}\s{_AT}\s(?:{_HOSTS}){_DOT}[^\W\d_]{{2,6}}(?!\w)", re.I
)

#: Digits with what people write between them; a comma or a colon is in no telephone number.
_DIGITS = re.compile(
    r"(?<![A-Za-z0-9_=#@:,.$€£¥₩₹-])(?:\((?=\+?\d{1,5}\)))?(?:\+\s?)?\d(?:[ \u00a0\u202f().\-/‐-–]{0,3}\d){6,17}"
    r"(?![A-Za-z0-9_%€$£¥])"
)
_DATE = re.compile(r"(?<!\d)(?:\d{1,2}[./-]\d{1,2}[./-]\d{4}|\d{4}[./-]\d{1,2}[./-]\d{1,2})(?!\d)")
_NORTH_AMERICAN = re.compile(r"(?:1[ .-])?\(?[2-9]\d{2}\)?[ .-]{1,2}\d{3}[ .-]\d{4}")
_CHINESE_MOBILE = re.compile(r"1[3-9]\d[ -]?\d{4}[ -]?\d{4}")
_INDIAN_MOBILE = re.compile(r"[6-9]\d{4}[ -]\d{5}")
#: Words before a number to be called, in the languages that are spoken most.
_CALL = re.compile(
    r"(?:\b(?:tel|telephone|telefon\w*|téléphone\w*|tel[ée]fono\w*|telefone\w*|phone(?: number)?|cell|mobile|handy\w*|"
    r"whats ?app|signal|telegram|my number|meine nummer|mon numéro|mi número|call (?:me|us|him|her|them)|text me|"
    r"ring me|ruf\w*|anruf\w*|appelle\w*|appelez|llám\w*|llama\w*|chiama\w*|liga\w*)\b|телефон|номер|звони|"
    r"电话|電話|手机|手機|携帯|号码|전화|휴대폰|هاتف|رقمي)[^\d\n]{0,25}$",
    re.I,
)
#: Words behind a quantity, which is none to be called.
_COUNTED = re.compile(
    r"\s?(?:points?|views?|viewers?|followers?|subs?|subscribers?|people|times|gold|coins?|xp|damage|dollars?|euros?|"
    r"pounds?|yen|bits|likes?|downloads?|punkte|zuschauer|aufrufe|vues|spectateurs|puntos|espectadores|"
    r"人|分|点|回|円|元|万|億|次|명|원)(?:\b|(?<=[^\x00-\x7f]))",
    re.I,
)
#: Digits as words, in languages in which numbers to be called are said digit by digit.
_SAID = [
    "zero|oh one two three four five six seven eight nine",
    "null eins zwei|zwo drei vier fünf sechs sieben acht neun",
    "zéro un deux trois quatre cinq six sept huit neuf",
    "cero uno dos tres cuatro cinco seis siete ocho nueve",
]
_VALUES = [{word: value for value, words in enumerate(said.split(" ")) for word in words.split("|")} for said in _SAID]
_RUNS = [
    re.compile(rf"(?<!\w)(?:{'|'.join(values)})(?:[\s,.-]{{1,3}}(?:{'|'.join(values)})){{6,14}}(?!\w)", re.I)
    for values in _VALUES
]


def mask_contacts(text: str) -> str:
    """Put `***` in place of telephone numbers and e-mail addresses."""
    if "@" in text:
        text = _EMAIL.sub(MASK, text)
    text = _SPOKEN_EMAIL.sub(MASK, text)
    # In one script of digits, of the same length.
    plain = text if text.isascii() else "".join(map(_plain_digit, text))
    made, reached = [], 0
    for found in _DIGITS.finditer(plain):
        if _is_called(found, plain):
            made += [text[reached : found.start()], MASK]
            reached = found.end()
    text = "".join([*made, text[reached:]])
    for run, values in zip(_RUNS, _VALUES, strict=True):
        text = run.sub(lambda found, values=values: _said(found, values), text)  # type: ignore[misc]
    return text


def _plain_digit(char: str) -> str:
    return str(unicodedata.digit(char)) if char.isdecimal() else char


def _is_called(found: re.Match[str], text: str) -> bool:
    """Tell whether digits are a number to be called, by how they are written and what stands around them."""
    written = found[0].removeprefix("(")
    groups = re.findall(r"\d+", written)
    count = sum(map(len, groups))
    if count > 15 or _DATE.search(written) or _COUNTED.match(text, found.end()):
        return False
    if written.startswith("+"):
        return count >= 10 or (count >= 8 and not _is_in_thousands(groups))
    if written.startswith("00") and not written.startswith(("00.", "000")):
        return count >= 10
    if groups[0].startswith("0") and groups[0] != "0":
        return count >= 9
    if any(form.fullmatch(written) for form in (_NORTH_AMERICAN, _CHINESE_MOBILE, _INDIAN_MOBILE)):
        return True
    is_quantity = _is_in_thousands(groups) and len(groups) > 1
    return not is_quantity and _CALL.search(text, max(found.start() - 60, 0), found.start()) is not None


def _is_in_thousands(groups: list[str]) -> bool:
    """Tell whether groups of digits are those of one large number, as 1 234 567."""
    return len(groups[0]) <= 3 and all(len(group) == 3 for group in groups[1:])


def _said(found: re.Match[str], values: dict[str, int]) -> str:
    """Mask digits that were said one by one, but for those of somebody who counts."""
    digits = [values[word] for word in re.findall(r"\w+", found[0].casefold())]
    steps = {after - before for before, after in itertools.pairwise(digits)}
    return found[0] if steps <= {1} or steps <= {-1} or steps <= {0} else MASK
