"""Describes multipart forms for OpenAPI: they are read while they are received, so there is no signature to go by."""

from collections.abc import Mapping, Sequence
from typing import Any

from streametrics.uploads.fields import FILE_FIELD, NO_NULL, PATTERNS

#: Fields that no pattern tells: of a language's code or name, and of a model.
_FORMATS = {
    "language": "language",
    "summary_language": "language",
    "speech_language": "speech-language",
    "model": "whisper-model",
}


def form_body(
    fields: Mapping[str, dict[str, Any]],
    *,
    file_field: str = FILE_FIELD,
    required: Sequence[str] = (),
    is_closed: bool = False,
) -> dict[str, Any]:
    """Describe a form with a file. is_closed: other fields are refused."""
    schema = {
        "type": "object",
        "required": [file_field, *required],
        "properties": {file_field: {"type": "string", "format": "binary"}, **fields},
    }
    closed = {"additionalProperties": False} if is_closed else {}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema | closed}}}}


def text_field(name: str, limit: int, *, pattern: str = NO_NULL) -> dict[str, Any]:
    """Describe a text field of the forms that make jobs. pattern: where the field's name says nothing more."""
    if name in _FORMATS:
        return {"type": "string", "maxLength": limit, "format": _FORMATS[name]}
    return {"type": "string", "maxLength": limit, "pattern": PATTERNS.get(name, pattern)}
