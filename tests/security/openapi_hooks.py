"""What Schemathesis cannot know of our formats: a recording's bytes, names of languages, places in a list."""

import re
import uuid
from collections.abc import Mapping

import schemathesis
from hypothesis import strategies as st

from tests.support.media import plain_wav, tone

RECORDING = plain_wav(tone(0.2, 8_000), 8_000)

schemathesis.openapi.format("binary", st.just(RECORDING))
schemathesis.openapi.format("language", st.sampled_from(["en", "fr", "pt-BR", "German", "日本語"]))
schemathesis.openapi.format("speech-language", st.sampled_from(["en", "de", "French"]))
#: What is installed where nothing else is said.
schemathesis.openapi.format("whisper-model", st.just("base"))
schemathesis.openapi.format("idempotency-key", st.uuids().map(str))
#: As one of `/v1/jobs` is, of a place long ago.
schemathesis.openapi.format("number-cursor", st.sampled_from(["n1", "n16777216"]))
schemathesis.openapi.format("hidden-word", st.sampled_from(["rook", "Elm Street", "東京"]))
schemathesis.openapi.format("search", st.sampled_from(["word", "a:b", "東京", "the rook"]))
schemathesis.openapi.format("since", st.sampled_from(["20m", "1700000000", "2026-01-01T00:00:00Z"]))
schemathesis.openapi.format("chapter-text", st.sampled_from(["Rook endgame", "終盤", "a < b"]))
schemathesis.openapi.format("cursor", st.just("WzEuMCwiMGIwYzdjOWUiXQ"))
#: Random, as a name is given once.
schemathesis.openapi.format("key-name", st.uuids().map(lambda made: f"clé {made}"))

#: Fields that hold a file, whose bytes are `RECORDING`.
_FILES = ("audio", "file")
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
#: Fields that are read more kindly than they are described: blanks around a value do not count, and a value that is
#: blank is none; nor do capitals and leading zeros of a track.
_KINDLY_READ = ("language", "speech_language", "summary_language", "model", "track", "kind", "summary")


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: schemathesis.Case) -> bool:
    """Drop what is read more kindly than it is described, as it would be taken for accepted by mistake."""
    if _ends_before_it_begins(case.query or {}) or {"scope", "since"} <= (case.query or {}).keys():
        return False  # rules between two parameters, which a description cannot say
    if not isinstance(case.body, dict):
        return True
    if _ends_before_it_begins(case.body):
        return False
    if case.operation.label == "POST /v1/keys" and case.body.get("scope") == "read" and not case.body.get("for"):
        return False  # a rule between two fields, which a description cannot say
    if case.operation.method == "patch" and not any(case.body.values()):
        return False  # nothing to change, of any of its fields
    if any(isinstance(case.body.get(name), str) and not _is_plain(name, case.body[name]) for name in _KINDLY_READ):
        return False
    if any(isinstance(case.body.get(name), str) for name in _FILES):
        return False  # the text that a path below /v1/audio answered, taken for the `audio` of another
    # A form has texts only: a null or a number of the generator's would be sent as the valid text of it.
    return case.media_type not in _FORMS or all(isinstance(value, str | bytes) for value in case.body.values())


def _ends_before_it_begins(query: Mapping[str, object]) -> bool:
    """Tell whether a stretch of a transcript is none, which no schema can say."""
    try:
        return float(str(query["start"])) >= float(str(query["end"]))
    except (KeyError, ValueError):
        return False


def _is_plain(name: str, value: str) -> bool:
    read = value.strip()
    return bool(read) and value == (read.casefold().lstrip("0") if name == "track" else read)


@schemathesis.hook
def map_query(context: schemathesis.HookContext, query: object) -> object:
    """A long poll is right to wait; the fuzzing is not to wait with it."""
    if isinstance(query, dict):
        wait = query.get("wait")
        if isinstance(wait, int | float) and wait > 1:
            return query | {"wait": 1}
    return query


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, object]) -> None:
    """Take a new Idempotency-Key for every call: one that comes back with another request is refused, and rightly."""
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and re.fullmatch("[!-~]{1,255}", key):
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
