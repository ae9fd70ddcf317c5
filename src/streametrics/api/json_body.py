"""Reads JSON bodies within bounds, which the framework would read whole."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from streametrics.errors import InvalidRequest

Model = TypeVar("Model", bound=BaseModel)


async def read_bounded(body: AsyncIterator[bytes], *, max_bytes: int, refusal: str) -> bytes:
    """Read a body. Raises InvalidRequest with this refusal where it is longer."""
    data = bytearray()
    async for chunk in body:
        data += chunk
        if len(data) > max_bytes:
            raise InvalidRequest(refusal)
    return bytes(data)


async def read_object(request: Request, *, max_bytes: int) -> dict[str, Any]:
    """Read a JSON object. Raises InvalidRequest."""
    refusal = f"The request is too long: {max_bytes:,} bytes are read at most."
    data = await read_bounded(request.stream(), max_bytes=max_bytes, refusal=refusal)
    try:
        found = json.loads(data)
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
    schemas = [_whole(model.model_json_schema()) for model in models]
    schema = schemas[0] if len(schemas) == 1 else {"oneOf": schemas}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _whole(schema: dict[str, Any]) -> dict[str, Any]:
    """Put the schemas of inner models in their places: references within a schema lead nowhere in the document."""
    inner = schema.pop("$defs", {})

    def put(value: Any) -> Any:  # noqa: ANN401 - a piece of JSON
        if isinstance(value, dict):
            if "$ref" in value:
                return {
                    **put(inner[value["$ref"].rsplit("/", 1)[-1]]),
                    **{k: v for k, v in value.items() if k != "$ref"},
                }
            return {name: put(each) for name, each in value.items()}
        return [put(each) for each in value] if isinstance(value, list) else value

    found: dict[str, Any] = put(schema)
    return found
