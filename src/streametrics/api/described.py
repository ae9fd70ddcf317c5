"""The base of bodies that are described with optional fields."""

from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import SkipJsonSchema


def _without_defaults(schema: dict[str, Any]) -> None:
    """Drop defaults: what is absent is absent, and a generated client must not take it for 0 or null."""
    for described in schema["properties"].values():
        described.pop("default", None)


class Described(BaseModel):
    """A body of ours for the document; optional fields that are typed `Absent` are never null."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)


Absent: TypeAlias = SkipJsonSchema[None]
