"""Reads JSON bodies within bounds, which the framework would read whole."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from streametrics.errors import InvalidRequest

Model = TypeVar("Model", bound=BaseModel)


async def read_object(request: Request, *, max_bytes: int) -> dict[str, Any]:
    """Read a JSON object. Raises InvalidRequest."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > max_bytes:
            raise InvalidRequest(f"The request is too long: {max_bytes:,} bytes are read at most.")
    try:
        found = json.loads(bytes(data))
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("The body is no JSON.") from error
    if not isinstance(found, dict):
        raise InvalidRequest("The body is no JSON object.")
    return found


def checked(model: type[Model], given: Mapping[str, Any]) -> Model:
    """Make a model of a JSON object. Raises RequestValidationError, of which each field's sentence is told."""
    try:
        return model.model_validate(given, strict=True)
    except ValidationError as error:
        raise RequestValidationError(
            [{**each, "loc": ("body", *each["loc"])} for each in error.errors(include_input=False, include_url=False)]
        ) from error


def body_of(*models: type[BaseModel]) -> dict[str, Any]:
    """Describe a body that is one of these, for a route's `openapi_extra`."""
    schemas = [model.model_json_schema() for model in models]
    schema = schemas[0] if len(schemas) == 1 else {"oneOf": schemas}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
