"""Languages by code, tag and name."""

import subprocess
import sys

import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st

from streametrics.errors import InvalidRequest
from streametrics.text import languages
from streametrics.text.language_tables import NO_SPEECH, OWN_NAMES, WHISPER_CODES


@pytest.mark.parametrize(
    ("given_text", "tag"),
    [
        ("en", "en"),
        ("FR", "fr"),
        (" fr ", "fr"),
        ("pt-BR", "pt-BR"),
        ("pt_br", "pt-BR"),
        ("zh-Hant", "zh-Hant"),
        ("zh_Hant", "zh-Hant"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("yue", "yue"),
        ("tlh", "tlh"),
        ("French", "fr"),
        ("brazilian portuguese", "pt-BR"),
        ("français", "fr"),
        ("FRANCAIS", "fr"),
        ("Deutsch", "de"),
        ("日本語", "ja"),
        ("العربية", "ar"),
        ("हिन्दी", "hi"),
        ("Klingon", "tlh"),
        ("Bengali", "bn"),
        ("farsi", "fa"),
        ("iw", "he"),
        ("fra", "fr"),
        ("en-US-u-hc-h12", "en-US"),
    ],
)
def test_a_language_is_known_by_code_tag_and_name(given_text: str, tag: str) -> None:
    assert languages.parse(given_text) == tag


@pytest.mark.parametrize(
    "text", ["", " ", "xx", "klingonese", "und", "zxx", "en-XYZW", "1", "fr;de", "Unknown language"]
)
def test_what_is_no_language_is_refused_with_examples(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"'en'.*'French'"):
        languages.parse(text)


def test_a_refusal_repeats_what_was_given_short_and_printable() -> None:
    with pytest.raises(InvalidRequest) as refused:
        languages.parse("<b>\x1b[31m\n" + "x" * 10_000)
    assert "<b>" in str(refused.value)
    assert len(str(refused.value)) < 200
    assert str(refused.value).isprintable()


@given(st.text(max_size=80))
def test_any_text_is_a_stable_tag_or_refused(text: str) -> None:
    try:
        tag = languages.parse(text)
    except InvalidRequest:
        return
    assert languages.parse(tag) == tag


def test_every_language_of_cldr_is_known_by_its_code_and_its_name() -> None:
    known = Locale("en").languages
    for code, name in known.items():
        if code in ("mul", "und", "zxx"):
            continue
        tag = languages.parse(code)
        assert languages.english_name(tag) == name
        if name.lower() not in known:  # a name that is another language's code is that code: `ga` is Irish, not Ga
            assert languages.parse(name) == tag


@pytest.mark.slow
def test_the_own_names_are_those_of_cldr() -> None:
    for tag, name in OWN_NAMES.items():
        locale = Locale.parse(tag, sep="-")
        assert locale.languages[tag.replace("-", "_")] == name
        assert languages.parse(name) == tag


@pytest.mark.parametrize(
    ("tag", "own", "english"),
    [
        ("fr", "français", "French"),
        ("pt-BR", "português (Brasil)", "Brazilian Portuguese"),
        ("fr-JP", "français (Japon)", "French (Japan)"),
        ("zh-TW", "中文 (繁體, 台灣)", "Chinese (Traditional, Taiwan)"),
        ("is", "íslenska", "Icelandic"),
        ("tlh", "Klingon", "Klingon"),
    ],
)
def test_names_are_for_prompts(tag: str, own: str, english: str) -> None:
    assert (languages.own_name(tag), languages.english_name(tag)) == (own, english)


def test_the_codes_of_speech_are_whispers() -> None:
    from whisper.tokenizer import LANGUAGES, TO_LANGUAGE_CODE

    assert set(LANGUAGES) == WHISPER_CODES
    for name, code in TO_LANGUAGE_CODE.items():
        assert languages.parse_speech(name) == code
    for code in LANGUAGES:
        assert languages.parse_speech(code.upper()) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [("pt-BR", "pt"), ("zh-Hant-TW", "zh"), ("nb", "no"), ("Norwegian Bokmål", "no"), ("jv", "jw"), ("fil", "tl")],
)
def test_speech_takes_tags_and_names_too(text: str, code: str) -> None:
    assert languages.parse_speech(text) == code


@pytest.mark.parametrize("text", ["tlh", "Klingon", "nothing", ""])
def test_speech_that_whisper_does_not_know_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="nguage"):
        languages.parse_speech(text)


def test_silence_is_told_in_many_languages_and_in_english_else() -> None:
    assert len(NO_SPEECH) >= 25
    assert len(set(NO_SPEECH.values())) >= len(NO_SPEECH) - 1  # `no` is `nb`
    assert all(languages.parse(tag) == tag for tag in NO_SPEECH)
    assert languages.no_speech_sentence("fr") == "Personne ne parle dans cet enregistrement."
    assert languages.no_speech_sentence("pt-BR") == languages.no_speech_sentence("pt")
    assert languages.no_speech_sentence("zh-TW") == languages.no_speech_sentence("zh-Hant")
    assert languages.no_speech_sentence("sr-Latn-RS") == languages.no_speech_sentence("sr-Latn")
    assert languages.no_speech_sentence("tlh") == "Nobody speaks in this recording."


def test_reading_a_name_loads_the_english_locale_only() -> None:
    # Given a fresh process that reads what an upload may hold
    program = (
        "from babel import localedata; from streametrics.text import languages\n"
        "[languages.parse(text) for text in ('fr', 'pt-BR', '日本語', 'Klingon', 'zh-Hant')]\n"
        "languages.no_speech_sentence('ja')\n"
        "print(*sorted(localedata._cache))"
    )
    # Expect no other language's data in memory: all together would take 180 MB of the web process
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(found.stdout.split()) <= {"root", "en"}
