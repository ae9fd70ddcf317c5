"""Rows of API keys: names that are given once, owners, and keys that are gone while a process still knows them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from streametrics.auth.api_keys import digest_of, new_key
from streametrics.auth.principal import NewKey, Principal, Scope
from streametrics.database.api_keys import MAX_READ_KEYS, KeyRecords
from streametrics.database.engine import Database
from streametrics.errors import KeyNameTaken, KeyUnknown, TooManyKeys, Unauthorized
from tests.support.stack import database


@pytest.fixture
def records(tmp_path: Path) -> Iterator[KeyRecords]:
    with database(tmp_path) as url:
        opened = Database(url)
        yield KeyRecords(opened)
        opened.close()


def key(name: str, scope: Scope = Scope.READ, reads_for: str | None = None) -> NewKey:
    return NewKey(name, scope, digest_of(new_key().encode()), reads_for)


def submitter(records: KeyRecords, name: str) -> Principal:
    key_id = records.add(key(name, Scope.SUBMIT))
    return Principal(key_id, Scope.SUBMIT, key_id)


def test_a_key_makes_keys_of_its_own_owner_alone(records: KeyRecords) -> None:
    ada, bob = submitter(records, "ada"), submitter(records, "bob")
    records.add(key("page"), maker=ada)
    records.add(key("by name", reads_for="ada"), maker=ada)
    owners = {record.name: record.owner for record in records.all()}
    assert owners["page"] == owners["by name"] == ada.owner
    for name in ("bob", "nobody"):
        with pytest.raises(KeyUnknown, match=name):
            records.add(key("x", reads_for=name), maker=ada)
    with pytest.raises(KeyNameTaken, match="page"):
        records.add(key("page"), maker=bob)


@pytest.mark.parametrize("scope", [Scope.SUBMIT, Scope.ADMIN])
def test_a_removed_key_that_is_still_known_makes_and_removes_nothing(scope: Scope, records: KeyRecords) -> None:
    key_id = records.add(key("leaked", scope))
    page = records.add(key("page", reads_for="leaked"))
    leaked = Principal(key_id, scope, key_id)
    records.remove(key_id)
    with pytest.raises(Unauthorized):
        records.add(key("lives on"), maker=leaked)
    with pytest.raises(Unauthorized):
        records.remove(page, remover=leaked)
    assert [record.name for record in records.all()] == ["page"]


def test_a_key_makes_so_many_and_an_administrator_any_number(records: KeyRecords) -> None:
    ada = submitter(records, "ada")
    for number in range(MAX_READ_KEYS):
        records.add(key(str(number)), maker=ada)
    with pytest.raises(TooManyKeys):
        records.add(key("one more"), maker=ada)
    records.add(key("one more", reads_for="ada"))


def test_a_key_is_removed_once(records: KeyRecords) -> None:
    key_id = records.add(key("ada", Scope.SUBMIT))
    records.remove(key_id)
    with pytest.raises(KeyUnknown):
        records.remove(key_id)
