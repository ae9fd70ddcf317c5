"""Renders keys for `/v1/keys`, and reads the request for a new one."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from streametrics.api.job_bodies import instant
from streametrics.auth.api_keys import MAX_NAME
from streametrics.auth.principal import KeyRecord

#: Scopes of routes that do not exist yet.
_LATER = ("overlay", "moderate")


def _known_scope(given: object) -> object:
    if given in ("read", "submit", "admin"):
        return given
    if given in _LATER:
        raise PydanticCustomError(
            "scope", "'overlay' and 'moderate' come with their routes: choose 'read', 'submit' or 'admin' for now"
        )
    raise PydanticCustomError("scope", "a scope is 'read', 'submit' or 'admin'")


KeyScope = Literal["read", "submit", "admin"]
_KeyName = Annotated[str, Field(min_length=1, max_length=MAX_NAME, json_schema_extra={"format": "key-name"})]


class KeyWanted(BaseModel):
    """What a new key is to be."""

    model_config = ConfigDict(extra="forbid")

    name: _KeyName = Field(description="To tell it by; no other key has it.", examples=["overlay"])
    scope: Annotated[KeyScope, BeforeValidator(_known_scope)] = Field(
        description="`submit` sends jobs and reads its own, `read` reads those of the key named by `for`, `admin` does "
        "everything.",
    )
    reads_for: _KeyName | None = Field(
        default=None,
        alias="for",
        description="The name of the key whose jobs it sees. Left out, a `submit` key's is itself, and an "
        "administrator's new key has jobs of its own.",
        examples=["bot"],
    )


class Key(BaseModel):
    """A key as it is listed: what it may do and for whom, never the key itself."""

    model_config = ConfigDict(serialize_by_alias=True)

    id: str = Field(examples=["6f1f7c0e-9d3b-4a55-8f0e-0d6f9a5f2b11"])
    name: str = Field(examples=["overlay"])
    scope: KeyScope
    reads_for: str | None = Field(
        alias="for", description="The name of the key whose jobs it sees; null where that is itself, or was removed."
    )
    created_at: str = Field(examples=["2026-11-30T19:13:02.000Z"])


class KeyList(BaseModel):
    """A page of keys, the oldest first."""

    data: list[Key]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last one.")


class KeyMade(Key):
    """A new key. This answer is the only one that holds it."""

    key: str | None = Field(
        description="The key itself, shown this once: null where the same call is repeated.", examples=["sm_…"]
    )
    note: str = Field(description="What to do with it, for people.")


def key_body(record: KeyRecord, names: Mapping[str, str]) -> Key:
    """Render a key. names: of all keys, by their ids."""
    return Key.model_validate(_members(record, names))


def made_body(record: KeyRecord, names: Mapping[str, str], key: str | None, note: str) -> KeyMade:
    """Render a new key with the key itself, None in the answer to a repeated call."""
    return KeyMade.model_validate(_members(record, names) | {"key": key, "note": note})


def _members(record: KeyRecord, names: Mapping[str, str]) -> dict[str, object]:
    return {
        "id": record.key_id,
        "name": record.name,
        "scope": record.scope.value,
        "for": None if record.owner == record.key_id else names.get(record.owner),
        "created_at": instant(record.created_at),
    }
