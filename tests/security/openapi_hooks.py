"""What Schemathesis cannot know of our formats: bytes that are a recording, and the names of languages."""

import schemathesis
from hypothesis import strategies as st

from tests.support.media import plain_wav, tone

RECORDING = plain_wav(tone(0.2, 8_000), 8_000)

schemathesis.openapi.format("binary", st.just(RECORDING))
schemathesis.openapi.format("language", st.sampled_from(["en", "fr", "pt-BR", "German", "日本語"]))
schemathesis.openapi.format("speech-language", st.sampled_from(["en", "de", "French"]))

_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: schemathesis.Case) -> bool:
    """A form has texts only: a null or a number of the generator's would be sent as the valid text of it.

    And a spoken language that is empty is none, as a form of a browser sends it, which no format can say.
    """
    if case.media_type not in _FORMS or not isinstance(case.body, dict):
        return True
    if not str(case.body.get("speech_language", "en")).strip():
        return False
    return all(isinstance(value, str | bytes) for value in case.body.values())


@schemathesis.hook
def map_query(context: schemathesis.HookContext, query: object) -> object:
    """A long poll is right to wait; the fuzzing is not to wait with it."""
    if isinstance(query, dict):
        wait = query.get("wait")
        if isinstance(wait, int | float) and wait > 1:
            return query | {"wait": 1}
    return query
