"""Reads a request's JSON within bounds; the framework would read it whole, however long it is."""

from typing import TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from streametrics.errors import InvalidRequest

Model = TypeVar("Model", bound=BaseModel)


async def read_json(request: Request, model: type[Model], *, most_bytes: int, too_long: str) -> Model:
    """Read a body into a model. Raises InvalidRequest with `too_long`, RequestValidationError."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > most_bytes:
            raise InvalidRequest(too_long)
    try:
        return model.model_validate_json(bytes(data))
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in found]) from error
