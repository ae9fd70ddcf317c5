"""Parses languages given as code, tag or name: of summaries, and those that Whisper transcribes.

The names come out of CLDR through Babel. Reading a name loads one locale only (English, about 7 MB): the API process
imports this module, and all of Babel's locales together take 180 MB.
"""

import re
import unicodedata
from functools import cache

from babel import Locale
from babel.core import UnknownLocaleError, get_global

from streametrics.errors import InvalidRequest
from streametrics.text.language_tables import NO_SPEECH, OTHER_NAMES, OWN_NAMES, WHISPER_CODE_OF, WHISPER_CODES

#: Codes of CLDR's list that name no language to write in.
_NO_LANGUAGE = frozenset({"mul", "und", "zxx"})
#: Where Chinese is written in traditional characters when the tag does not say which.
_TRADITIONAL_REGIONS = frozenset({"HK", "MO", "TW"})
#: No code, tag or name of a language is longer; what is longer is not looked at.
_LONGEST_NAME = 64

#: What stands for a spoken language that is to be detected.
_DETECT = frozenset(("", "auto", "detect"))
#: Whisper learned Cantonese with its third large model.
_WITHOUT_CANTONESE = frozenset(("tiny", "base", "small", "medium", "large-v1", "large-v2"))

#: Fine-tuned on transcriptions alone: it answers in the language that is spoken.
_WITHOUT_TRANSLATION = frozenset(("large-v3-turbo", "turbo"))

_TAG = re.compile(
    r"(?P<language>[a-z]{2,3})(?:-(?P<script>[a-z]{4}))?(?:-(?P<region>[a-z]{2}|[0-9]{3}))?(?:-[a-z0-9]{1,8})*",
    re.IGNORECASE,
)


def parse(text: str) -> str:
    """Parse a code, a BCP 47 tag, or a name in English or in itself, to a canonical tag (`fr`, `pt-BR`, `zh-Hant`).

    Variants and extensions of a tag (`-u-hc-h12`, `-valencia`) are accepted and dropped. Raises InvalidRequest.
    """
    wanted = text.strip()
    tag = None
    if len(wanted) <= _LONGEST_NAME:
        tag = _by_code(wanted) or _names().get(_fold(wanted)) or _by_tag(wanted.replace("_", "-"))
    if tag is None:
        raise InvalidRequest(
            f"Unknown language {_shown(text)}: send a code such as 'en', 'fr' or 'pt-BR', or a name such as 'French'."
        )
    return tag


def parse_speech(text: str) -> str:
    """Parse a language given as a code, a tag or a name, to Whisper's code. Raises InvalidRequest."""
    wanted = text.strip().casefold()
    if wanted in WHISPER_CODES:
        return wanted
    code = parse(text).partition("-")[0]
    code = WHISPER_CODE_OF.get(code, code)
    if code not in WHISPER_CODES:
        raise InvalidRequest(
            f"Whisper does not know the spoken language {_shown(text)}: send one that it knows, such as 'en' or"
            " 'French', or leave the field out to have it detected."
        )
    return code


def parse_speech_or_detect(text: str) -> str | None:
    """Parse a spoken language as `parse_speech` does; None where it is to be detected. Raises InvalidRequest."""
    return None if text.strip().casefold() in _DETECT else parse_speech(text)


def parse_spoken(text: str, whisper_model: str) -> str | None:
    """Parse a spoken language that a model knows; None where it is to be detected. Raises InvalidRequest.

    whisper_model: see `require_spoken`.
    """
    code = parse_speech_or_detect(text)
    if code is not None:
        require_spoken(code, whisper_model)
    return code


def require_spoken(code: str, whisper_model: str) -> None:
    """Check that a model knows a language, as far as its name tells. Raises InvalidRequest.

    whisper_model: a name of Whisper's, or a path to weights of one's own, of which nothing is known here.
    """
    name = whisper_model.strip().casefold()
    if name.endswith(".en") and code != "en":
        raise InvalidRequest(
            f"The model '{name}' knows English alone: leave 'speech_language' out, or set WHISPER_MODEL to one that is "
            "not for English."
        )
    if code == "yue" and name in _WITHOUT_CANTONESE:
        raise InvalidRequest(
            f"The model '{name}' does not know Cantonese (yue): send 'zh', leave the field out to have the language "
            "detected, or set WHISPER_MODEL=large-v3."
        )


def require_translating(whisper_model: str) -> None:
    """Check that a model has learned to translate, as far as its name tells. Raises InvalidRequest.

    whisper_model: see `require_spoken`.
    """
    name = whisper_model.strip().casefold()
    if name.endswith(".en"):
        reason = "knows English alone"
    elif name in _WITHOUT_TRANSLATION:
        reason = "has not learned to translate"
    else:
        return
    raise InvalidRequest(
        f"The model '{name}' {reason}: set WHISPER_MODEL to one that translates, such as 'small' or 'large-v3'."
    )


def english_name(tag: str) -> str:
    """Return the English name of a tag from `parse`, such as `Brazilian Portuguese`."""
    return _name(tag, Locale("en"))


def own_name(tag: str) -> str:
    """Return a language's own name, such as `português (Brasil)`; the English one where CLDR does not know.

    Loads the language's locale (and Babel keeps it), so this is for the worker, not for the API process.
    """
    if tag in OWN_NAMES:
        return OWN_NAMES[tag]
    language, script, _ = _subtags(tag)
    for name in (f"{language}_{script}", language):
        try:
            return _name(tag, Locale.parse(name))
        except (UnknownLocaleError, ValueError):
            continue
    return english_name(tag)


def no_speech_sentence(tag: str) -> str:
    """Return the summary of a recording without speech, in the language of a tag from `parse`, else in English."""
    language, script, _ = _subtags(tag)
    for key in (f"{language}-{script}", language, "en"):
        if key in NO_SPEECH:
            return NO_SPEECH[key]
    raise AssertionError("English is in the table")


def _by_code(code: str) -> str | None:
    """Look up a code of CLDR. These come before names (`ga` is Irish, not Ga), and names before other codes (`Kom`)."""
    known = code.lower() in Locale("en").languages and "_" not in code
    return code.lower() if known and code.lower() not in _NO_LANGUAGE else None


def _by_tag(tag: str) -> str | None:
    match = _TAG.fullmatch(tag)
    if match is None:
        return None
    english = Locale("en")
    code = match["language"].lower()
    if code not in english.languages:  # withdrawn codes (`iw`) and those of three letters (`fra`)
        code = get_global("language_aliases").get(code, "")
    language, _, implied_script = code.partition("_")
    if language not in english.languages or language in _NO_LANGUAGE:
        return None
    script = (match["script"] or implied_script).title()
    region = (match["region"] or "").upper()
    if (script and script not in english.scripts) or (region and region not in english.territories):
        return None
    return "-".join(part for part in (language, script, region) if part)


@cache
def _names() -> dict[str, str]:
    english = {_fold(name): code.replace("_", "-") for code, name in Locale("en").languages.items()}
    own = {_fold(name): tag for tag, name in OWN_NAMES.items()}
    other = {_fold(name): tag for name, tag in OTHER_NAMES.items()}
    everything = other | own | english
    return {name: tag for name, tag in everything.items() if tag not in _NO_LANGUAGE}


def _fold(name: str) -> str:
    """Fold case and accents, so that `Francais` and `FRANÇAIS` are one name."""
    decomposed = unicodedata.normalize("NFKD", " ".join(name.casefold().split()))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def _subtags(tag: str) -> tuple[str, str, str]:
    match = _TAG.fullmatch(tag)
    if match is None:
        return tag, "", ""
    language, script, region = match["language"], match["script"] or "", match["region"] or ""
    if language == "zh" and region in _TRADITIONAL_REGIONS:
        script = script or "Hant"
    return language, script, region


def _name(tag: str, locale: Locale) -> str:
    language, script, region = _subtags(tag)
    whole = locale.languages.get(tag.replace("-", "_"))
    if whole:
        return str(whole)
    base = locale.languages.get(language)
    if base is None:
        raise ValueError(tag)
    details = [locale.scripts.get(script, script), locale.territories.get(region, region)]
    shown = ", ".join(detail for detail in details if detail)
    return f"{base} ({shown})" if shown else str(base)


def _shown(text: str) -> str:
    """Shorten untrusted text and make it printable, for logs and pages."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text.strip())
    return repr(printable if len(printable) <= 40 else printable[:39] + "…")
