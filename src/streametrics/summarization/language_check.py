"""Detects that a text is in another language than asked for: by its script, then by its words.

It is true only where that is certain: a wrong yes costs a second call, and a false warning. Short texts, mixed ones
and languages that the identifier does not know are never judged. Loading it takes about a second and 90 MB, once, so
this is for the worker alone.
"""

import re
import threading
import unicodedata
from collections import Counter
from functools import cache
from typing import Any

from babel.core import get_global

from streametrics.summarization.prompts import language_name

#: Fewer letters than this are not judged.
_LEAST_LETTERS = 40
_LEAST_LETTERS_UNSPACED = 12
#: A script is a text's own from this share of its letters on: names may be written in another.
_OWN_SCRIPT_SHARE = 0.8
#: Of the identifier's probability.
_SURE, _EXCLUDED = 0.9, 0.02

#: Scripts by the first word of a letter's Unicode name, as CLDR's likely subtags call them.
_SCRIPTS = {
    "LATIN": "Latn", "CYRILLIC": "Cyrl", "GREEK": "Grek", "ARABIC": "Arab", "HEBREW": "Hebr", "ARMENIAN": "Armn",
    "GEORGIAN": "Geor", "DEVANAGARI": "Deva", "BENGALI": "Beng", "GURMUKHI": "Guru", "GUJARATI": "Gujr",
    "TAMIL": "Taml", "TELUGU": "Telu", "KANNADA": "Knda", "MALAYALAM": "Mlym", "SINHALA": "Sinh", "THAI": "Thai",
    "LAO": "Laoo", "KHMER": "Khmr", "MYANMAR": "Mymr", "TIBETAN": "Tibt", "ETHIOPIC": "Ethi", "HANGUL": "Hang",
    "HIRAGANA": "Kana", "KATAKANA": "Kana", "KATAKANA-HIRAGANA": "Kana", "CJK": "Hani",
}  # fmt: skip
#: What a language's likely script is made of.
_MADE_OF = {
    "Jpan": {"Kana", "Hani"},
    "Kore": {"Hang", "Hani"},
    "Hans": {"Hani"},
    "Hant": {"Hani"},
}
#: Written in more scripts than their likely one.
_SEVERAL_SCRIPTS = {"az", "bs", "ff", "ha", "kk", "ks", "ku", "ky", "mn", "ms", "pa", "sd", "sh", "sr", "tg", "tk",
                    "tt", "ug", "uz", "yi", "zgh"}  # fmt: skip
#: Languages that the identifier takes for each other, or that are two names of one.
_RELATIVES = (
    {"no", "nb", "nn", "da"}, {"sr", "hr", "bs", "sh", "sl", "mk", "bg"}, {"ms", "id", "jv", "su"}, {"cs", "sk"},
    {"es", "gl", "pt", "an", "ext", "ca", "oc", "ast"}, {"ru", "uk", "be", "bg", "mk", "sr"}, {"zh", "yue", "wuu"},
    {"en", "pcm", "sco"}, {"de", "lb", "gsw", "nds"}, {"af", "nl", "fy"}, {"fr", "oc", "wa", "gcr", "gcf", "ht"},
    {"it", "lij", "vec", "co", "la"}, {"fa", "tg", "prs"}, {"ar", "ary", "arz"}, {"hi", "ne", "mr", "sa", "mai"},
    {"tl", "fil", "bcl"}, {"kk", "ky", "tt", "ba"}, {"tr", "az", "crh", "tk"}, {"et", "fi"}, {"sv", "no", "nb"},
    {"zu", "xh"}, {"ro", "mo"},
)  # fmt: skip

_LETTER = re.compile(r"[^\W\d_]")


def is_other(text: str, tag: str) -> bool:
    """Tell whether `text` is surely in another language than `tag` (from `languages.parse`) names."""
    letters = _LETTER.findall(text)
    own = _main_script(letters)
    if own is None or len(letters) < (_LEAST_LETTERS_UNSPACED if own in ("Hani", "Kana") else _LEAST_LETTERS):
        return False
    language = tag.partition("-")[0]
    expected = _expected_scripts(tag)
    if expected and own not in expected:
        # Which of its scripts a language is written in the identifier may not know, but English it knows for sure
        return language not in _SEVERAL_SCRIPTS or (own == "Latn" and _words_differ(text, language, only="en"))
    if own == "Hani" and language == "ja":
        return True  # a Japanese sentence without one kana is none
    return _words_differ(text, language)


def load() -> None:
    """Load the language identifier in another thread while a model writes; the first check would wait for it."""
    if not _load_begun.acquire(blocking=False):
        return
    threading.Thread(target=_identifier, name="load-language-identifier", daemon=True).start()


def warning(tag: str) -> str:
    """Return the warning for a second try that was in another language too."""
    return f"The model did not write in the language that was asked for, {language_name(tag)}."


def _main_script(letters: list[str]) -> str | None:
    """Find the script of nearly all letters; None where there are several, or none."""
    counts = Counter(_script(letter) for letter in letters)
    if counts["Kana"]:  # Japanese writes two together
        counts["Kana"] += counts.pop("Hani", 0)
    if not counts:
        return None
    script, count = counts.most_common(1)[0]
    return script if script and count >= len(letters) * _OWN_SCRIPT_SHARE else None


@cache
def _script(letter: str) -> str:
    name = unicodedata.name(letter, "").replace("HALFWIDTH ", "").replace("FULLWIDTH ", "")
    return _SCRIPTS.get(name.partition(" ")[0], "")


def _expected_scripts(tag: str) -> set[str]:
    """Return the scripts that a language is written in; empty where they are not known."""
    language, *rest = tag.split("-")
    script = next((part for part in rest if len(part) == 4 and part.isalpha()), "")
    if not script:
        likely = get_global("likely_subtags").get(language)
        script = likely.split("_")[1] if likely and likely.count("_") == 2 else ""
    if not script:
        return set()
    return _MADE_OF.get(script, {script})


def _words_differ(text: str, language: str, only: str | None = None) -> bool:
    """Tell whether the whole text, and each half of it, is surely in a language that is no relative of the one wanted.

    only: the one other language to look for; None for any.
    """
    known = _identifier()
    wanted = _family(language)
    if not wanted & known.labels:
        return False
    words = text.split()
    half = len(words) // 2
    found = _ranked(known, text)
    top = found[0][0]
    if only not in (None, top) or _share(found, _family(top)) < _SURE or _share(found, wanted) > _EXCLUDED:
        return False
    halves = (" ".join(words[:half]), " ".join(words[half:]))
    return all(_share(_ranked(known, part), wanted) < 0.5 for part in halves if part)


def _family(language: str) -> set[str]:
    """Return a language and those that it is mistaken for."""
    return {language}.union(*(group for group in _RELATIVES if language in group))


class _LanguageIdentifier:
    """Holds py3langid's identifier and the languages that it knows."""

    def __init__(self) -> None:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier  # type: ignore[import-untyped]

        self.identifier: Any = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
        self.labels = frozenset(label for label, _ in self.identifier.rank("a"))


_load_begun = threading.Lock()  # taken once and for good
_loading = threading.Lock()
_loaded: list[_LanguageIdentifier] = []


def _identifier() -> _LanguageIdentifier:
    with _loading:  # two threads would load it twice
        if not _loaded:
            _loaded.append(_LanguageIdentifier())
        return _loaded[0]


def _ranked(known: _LanguageIdentifier, text: str) -> list[tuple[str, float]]:
    return [(label, float(share)) for label, share in known.identifier.rank(text)]


def _share(ranked: list[tuple[str, float]], wanted: set[str]) -> float:
    return sum(share for label, share in ranked if label in wanted)
