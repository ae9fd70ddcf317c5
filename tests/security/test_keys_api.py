"""`/v1/keys` against the real API: who makes, sees and revokes which key, and from when on that counts."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from streametrics.database.api_keys import MAX_READ_KEYS
from tests.support.stack import Stack, stack

NAMES = ["Zoë 🎮", "配信者", "مُذيع", "बॉट", "می\u200cخواهم", "👩\u200d🔬", "ผู้ประกาศ", "x" * 64]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack(tmp_path_factory.mktemp("keys"), INTERNAL_API_KEY="the operator's own key") as running:
        running.start_api()
        yield running


class Keys:
    """`/v1/keys` as one key sees it."""

    def __init__(self, service: Stack, key: str = "the operator's own key") -> None:
        self.service, self.headers = service, {"X-API-Key": key} if key else {}

    def ask(self, method: str, path: str, **request: Any) -> requests.Response:
        return requests.request(method, self.service.url + path, headers=self.headers, timeout=30, **request)

    def make(self, name: str, scope: str, **more: object) -> requests.Response:
        return self.ask("POST", "/v1/keys", json={"name": name, "scope": scope, **more})

    def made(self, name: str, scope: str, **more: object) -> dict[str, Any]:
        response = self.make(name, scope, **more)
        assert response.status_code == 201, response.text
        return dict(response.json())

    def names(self) -> list[str]:
        return [key["name"] for key in self.ask("GET", "/v1/keys").json()["data"]]

    def revoke(self, key: dict[str, Any]) -> int:
        return self.ask("DELETE", f"/v1/keys/{key['id']}").status_code


def refused(response: requests.Response, status: int, code: str) -> str:
    """The sentence of a refusal."""
    body = response.json()
    assert (response.status_code, body["code"]) == (status, code), body
    assert response.headers["Content-Type"] == "application/problem+json"
    return str(body["detail"])


def test_a_key_is_shown_once_and_works_from_the_next_request_to_its_end(service: Stack) -> None:
    admin = Keys(service)
    response = admin.make("ada", "submit")
    # Expect the key in this answer alone, which nothing keeps
    assert response.status_code == 201 and response.headers["Cache-Control"] == "no-store"
    made = response.json()
    assert "only time" in made["note"] and made["for"] is None and made["created_at"].endswith("Z")
    listed = admin.ask("GET", "/v1/keys")
    assert made["id"] in listed.text and made["key"] not in listed.text and "digest" not in listed.text
    assert made["key"] not in service.log()
    # Expect it to work at once, and no longer as soon as it is revoked
    ada = Keys(service, made["key"])
    assert ada.ask("GET", "/v1/jobs").status_code == 200
    assert admin.revoke(made) == 204
    assert ada.ask("GET", "/v1/jobs").status_code == 401
    assert admin.revoke(made) == 404


def test_a_submit_key_makes_and_revokes_what_reads_for_it_and_nothing_else(service: Stack) -> None:
    admin = Keys(service)
    bob, eve = admin.made("bob", "submit"), admin.made("eve", "submit")
    foreign = admin.made("eve's page", "read", **{"for": "eve"})
    mine = Keys(service, bob["key"])
    page = mine.made("bob's page", "read")
    assert page["for"] == "bob" and mine.made("again", "read", **{"for": "bob"})["for"] == "bob"
    # Expect what it reads to be bob's jobs, and no route for who sends
    reader = Keys(service, page["key"])
    assert reader.ask("GET", "/v1/jobs").status_code == 200
    assert {reader.ask(method, "/v1/keys").status_code for method in ("GET", "POST")} == {403}
    # Expect it to see itself and its own, and strangers' keys to be none that ever were
    assert mine.names() == ["bob", "bob's page", "again"]
    assert [mine.revoke(key) for key in (eve, foreign, {"id": "never"}, {"id": "%00"})] == [404] * 4
    refused(mine.make("x", "read", **{"for": "eve"}), 404, "key_unknown")
    refused(mine.make("x", "read", **{"for": "nobody"}), 404, "key_unknown")
    # Expect no scope to be raised
    for scope in ("submit", "admin"):
        assert "administrator" in refused(mine.make("x", scope), 403, "forbidden")
        assert "administrator" in refused(mine.make("x", scope, **{"for": "bob"}), 403, "forbidden")
    assert mine.revoke(bob) == 403
    assert mine.revoke(page) == 204 and reader.ask("GET", "/v1/jobs").status_code == 401
    assert "x" not in admin.names()


def test_an_administrators_key_does_all_that_the_operators_does(service: Stack) -> None:
    root = Keys(service, Keys(service).made("root", "admin")["key"])
    assert root.ask("GET", "/metrics").status_code == 200
    second = root.made("second", "admin")
    assert {"root", "second"} <= set(root.names())
    assert root.revoke(second) == 204


@pytest.mark.parametrize("name", NAMES)
def test_a_name_may_be_of_any_script_and_is_given_once(name: str, service: Stack) -> None:
    admin = Keys(service)
    assert admin.made(name, "submit")["name"] == name
    assert name in admin.names()
    assert "already" in refused(admin.make(name, "submit"), 409, "key_name_taken")


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"name": "a" * 1000, "scope": "read"}, "64 characters"),
        ({"name": "", "scope": "read"}, "1 character"),
        ({"name": "a\nb", "scope": "read"}, "line breaks"),
        ({"name": "a\x00", "scope": "read"}, "line breaks"),
        ({"name": "a", "scope": "read", "for": "a\x00"}, "line breaks"),
        ({"name": "a", "scope": "overlay"}, "come with their routes"),
        ({"name": "a", "scope": "moderate"}, "come with their routes"),
        ({"name": "a", "scope": "owner"}, "a scope is"),
        ({"name": "a", "scope": ["read"]}, "a scope is"),
        ({"name": "a"}, "scope"),
        ({"scope": "read"}, "name"),
        ({"name": 5, "scope": "read"}, "name"),
        ({"name": "a", "scope": "read", "digest": "0"}, "digest"),
        (["a"], "object"),
    ],
)
def test_what_is_no_key_is_refused_in_a_sentence(body: object, sentence: str, service: Stack) -> None:
    response = Keys(service).ask("POST", "/v1/keys", json=body)
    assert response.status_code == 422 and sentence in response.json()["detail"], response.text


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"name": "\\ud800", "scope": "read"}', b"[" * 3000, b" " * 5000, b"\xff"]
)
def test_what_is_no_json_is_refused(body: bytes, service: Stack) -> None:
    refused(Keys(service).ask("POST", "/v1/keys", data=body), 422, "invalid_request")


def test_a_reader_sees_how_the_service_is_and_nothing_of_others(service: Stack) -> None:
    reader = Keys(service, Keys(service).made("operator's page", "submit")["key"])
    body = reader.ask("GET", "/v1/status").json()
    # Expect what the real processes are: an API alone
    assert not body["ready"] and body["workers"] == []
    assert [queue["name"] for queue in body["queues"]] == ["live", "long", "summarise"]
    assert 0 < body["storage"]["free_bytes"] < body["storage"]["total_bytes"]
    ready = requests.get(f"{service.url}/health/ready", timeout=30).json()
    assert {check["name"]: check["ok"] for check in body["checks"]} == {
        name: check["ok"] for name, check in ready["checks"].items()
    }


def test_keys_are_listed_in_pages(service: Stack) -> None:
    admin = Keys(service)
    for number in range(3):
        admin.made(f"listed {number}", "submit")
    found, cursor = [], ""
    while cursor is not None:
        page = admin.ask("GET", f"/v1/keys?limit=2{cursor and '&cursor=' + cursor}").json()
        assert 1 <= len(page["data"]) <= 2
        found += [key["name"] for key in page["data"]]
        cursor = page["next_cursor"]
    assert found == admin.names() and len(set(found)) == len(found)


def test_a_submit_key_cannot_fill_the_service_with_keys(service: Stack) -> None:
    mine = Keys(service, Keys(service).made("eager", "submit")["key"])
    for number in range(MAX_READ_KEYS):
        mine.made(f"eager {number}", "read")
    assert "revoke one" in refused(mine.make("one more", "read"), 409, "too_many_keys")


def test_without_keys_everybody_here_may_make_one_which_closes_the_door(fresh: Stack) -> None:
    fresh.start_api()
    anybody = Keys(fresh, "")
    made = anybody.made("first", "admin")
    assert "every call needs one" in made["note"]
    # Expect the next call to need it, and the door to open again with the last key
    assert anybody.make("second", "admin").status_code == 401
    assert Keys(fresh, made["key"]).revoke(made) == 204
    assert anybody.names() == []


def test_a_repeated_call_makes_one_key_and_shows_it_once(service: Stack) -> None:
    headers = {"X-API-Key": "the operator's own key", "Idempotency-Key": "once"}

    def make(name: str) -> requests.Response:
        body = {"name": name, "scope": "submit"}
        return requests.post(f"{service.url}/v1/keys", json=body, headers=headers, timeout=30)

    first, again = make("repeated"), make("repeated")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["id"] == again.json()["id"]
    assert first.json()["key"].startswith("sm_") and again.json()["key"] is None
    assert again.headers["Idempotent-Replayed"] == "true"
    assert Keys(service).names().count("repeated") == 1
    refused(make("another"), 422, "idempotency_key_reused")
    # When the key is revoked, expect the repetition to say so
    assert Keys(service).revoke(first.json()) == 204
    refused(make("repeated"), 404, "key_unknown")


def test_a_key_that_could_do_nothing_or_lock_all_out_is_not_made(fresh: Stack, service: Stack) -> None:
    # Given no keys at all; expect the first one to be an administrator's
    fresh.start_api()
    open_to_all = Keys(fresh, "")
    assert "first key" in refused(open_to_all.make("overlay", "read"), 422, "invalid_request")
    assert "first key" in refused(open_to_all.make("bot", "submit"), 422, "invalid_request")
    assert Keys(fresh, open_to_all.made("me", "admin")["key"]).names() == ["me"]
    # And a key that reads to have something to read
    assert "'for'" in refused(Keys(service).make("reads nothing", "read"), 422, "invalid_request")
