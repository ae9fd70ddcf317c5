"""Checks the text fields of an upload."""

import re
from collections.abc import Mapping

from streametrics.audio import tracks
from streametrics.domain.job import JobRequest
from streametrics.errors import InvalidRequest
from streametrics.text import languages

FILE_FIELD = "audio"
#: Longest value of each text field, in characters. All but `speech_language` are required.
FIELD_LIMITS = {"streamer": 200, "language": 64, "game": 1_000, "time": 64, "title": 1_000}
OPTIONAL_FIELDS = {"speech_language": 64, "track": 8}
#: What a field may hold where a pattern can tell.
PATTERNS = {"track": "^(|auto|mix|[1-9][0-9]?)$"}
#: What makes a field more than empty: one character that is neither white space nor a control character or byte order
#: mark, some of which are white space in one language of patterns and not in another.
VISIBLE = r"[^\s\x00-\x1f\x7f-\x9f\ufeff]"
#: A pattern for text: JSON and forms can hold a null character, and no database.
NO_NULL = r"^[^\x00]*$"
#: These may be sent without a value.
MAY_BE_EMPTY = ("game", "title", *OPTIONAL_FIELDS)


def job_request(fields: dict[str, str], *, whisper_model: str) -> JobRequest:
    """Check the text fields of an upload. Raises InvalidRequest with the field's name and what it may be.

    whisper_model: as the settings name it; it decides which spoken languages can be asked for.
    """
    for name, limit in (FIELD_LIMITS | OPTIONAL_FIELDS).items():
        if name not in fields:
            if name in OPTIONAL_FIELDS:
                continue
            raise InvalidRequest(
                f"The field '{name}' is missing: {', '.join([FILE_FIELD, *FIELD_LIMITS])} are required "
                "('game' and 'title' may be empty)."
            )
        check_text(name, fields[name], limit, may_be_empty=name in MAY_BE_EMPTY)
    return JobRequest(
        streamer=fields["streamer"],
        language=languages.parse(fields["language"]),
        game=fields["game"],
        time=fields["time"],
        title=fields["title"],
        speech_language=languages.parse_spoken(fields.get("speech_language", ""), whisper_model),
        track=read_track(fields.get("track", "")),
    )


def check_text(name: str, text: str, limit: int, *, may_be_empty: bool = True) -> str:
    """Check that a field's text can be kept: it is not too long, and holds nothing that no database or answer can hold.

    Returns it. Raises InvalidRequest.
    """
    if len(text) > limit:
        raise InvalidRequest(f"The field '{name}' is longer than {limit} characters.")
    if not may_be_empty and not re.search(VISIBLE, text):
        raise InvalidRequest(f"The field '{name}' is empty.")
    if "\x00" in text:
        raise InvalidRequest(f"The field '{name}' holds a null character.")
    if any("\ud800" <= character <= "\udfff" for character in text):  # JSON can express it
        raise InvalidRequest(f"The field '{name}' holds half a character, a surrogate without the other one.")
    return text


def last_values(fields: Mapping[str, list[str]], whisper_model: str) -> JobRequest:
    """Check the fields of `/summarize/`, where of a field that came several times the last one counts."""
    return job_request({name: values[-1] for name, values in fields.items()}, whisper_model=whisper_model)


def read_track(text: str) -> str:
    """Read a sound track; `auto` where none is named. Raises InvalidRequest."""
    try:
        return tracks.parse_track(text) if text.strip() else tracks.AUTO
    except ValueError as error:
        raise InvalidRequest(f"The field 'track' is not valid: {error}.") from error


def shortened(name: str) -> str:
    return repr(name[:40])
