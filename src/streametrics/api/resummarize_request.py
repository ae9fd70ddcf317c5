"""Reads a request to resummarize: another language, another model, an extra instruction."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from streametrics.errors import InvalidRequest
from streametrics.text import languages
from streametrics.uploads.fields import NO_NULL

#: Longest value of each field, in characters; all are optional.
RESUMMARIZE_FIELDS = {"language": 64, "model": 100, "prompt": 500}
#: A model's name, in letters that mean the same in every language of patterns.
MODEL_PATTERN = "[A-Za-z0-9_.:/@-]+"
_MAX_BODY_BYTES = 16_000


@dataclass(frozen=True, slots=True)
class ResummarizeRequest:
    """What should be different; None or empty leaves it as it was."""

    language: str | None = None
    model: str | None = None
    extra_instruction: str = ""


def resummarize_schema(language_field: str = "language") -> dict[str, Any]:
    """Describe the body of a request to resummarize. language_field: the name of the summary's language."""
    schema = {
        "type": "object",
        "properties": {
            language_field: {"type": "string", "maxLength": RESUMMARIZE_FIELDS["language"], "format": "language"},
            "model": {"type": "string", "maxLength": RESUMMARIZE_FIELDS["model"], "pattern": f"^{MODEL_PATTERN}$"},
            "prompt": {"type": "string", "maxLength": RESUMMARIZE_FIELDS["prompt"], "pattern": NO_NULL},
        },
        "additionalProperties": False,
    }
    kinds = ("application/x-www-form-urlencoded", "application/json")
    return {"requestBody": {"required": False, "content": {kind: {"schema": schema} for kind in kinds}}}


async def read_resummarize_request(
    content_type: str, body: AsyncIterator[bytes], *, language_field: str = "language"
) -> ResummarizeRequest:
    """Read and check the fields, sent as JSON or as a plain form. Raises InvalidRequest.

    language_field: the name of the summary's language.
    """
    limits = {language_field if name == "language" else name: limit for name, limit in RESUMMARIZE_FIELDS.items()}
    data = bytearray()
    async for chunk in body:
        data += chunk
        if len(data) > _MAX_BODY_BYTES:
            raise InvalidRequest("The request is too long.")
    fields = _fields(content_type.partition(";")[0].strip().lower(), bytes(data))
    for name, value in fields.items():
        if name not in limits:
            raise InvalidRequest(f"There is no field {name[:40]!r}: {', '.join(limits)} can be given.")
        if len(value) > limits[name]:
            raise InvalidRequest(f"The field '{name}' is longer than {limits[name]} characters.")
        _check_text(name, value)
    model = fields.get("model", "").strip()
    if model and not re.fullmatch(MODEL_PATTERN, model):
        raise InvalidRequest("The field 'model' is no model's name, such as 'mistral' or 'llama3.2:3b'.")
    language = fields.get(language_field, "").strip()
    return ResummarizeRequest(
        language=languages.parse(language) if language else None,
        model=model or None,
        extra_instruction=fields.get("prompt", "").strip(),
    )


def _check_text(name: str, text: str) -> None:
    """Refuse what JSON can express and no database or answer can hold."""
    if "\x00" in text:
        raise InvalidRequest(f"The field '{name}' holds a null character.")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidRequest(f"The field '{name}' holds half a character, a surrogate without the other one.")


def _fields(content_type: str, data: bytes) -> dict[str, str]:
    if not data:
        return {}
    try:
        text = data.decode("utf-8")
        if content_type == "application/json":
            found = json.loads(text)
            if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
                raise InvalidRequest("The JSON must be an object whose values are texts.")
            return found
        if content_type == "application/x-www-form-urlencoded":
            return dict(parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=10))
    except (ValueError, RecursionError) as error:  # the latter by JSON that is nested without end
        raise InvalidRequest("The request's body is damaged: send JSON or a plain form, in UTF-8.") from error
    raise InvalidRequest("Send the fields as JSON or as a plain form: curl -d language=fr …")
