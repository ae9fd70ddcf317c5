"""Keys, against the real API: who may do what, whose jobs are seen by whom, and when a change counts."""

import requests

from tests.support.media import plain_wav, tone
from tests.support.stack import FIELDS, Stack, until

CHUNK = plain_wav(tone(1.0, 16_000), 16_000)


def ask(stack: Stack, method: str, path: str, key: str = "", **request: object) -> requests.Response:
    headers = {"X-API-Key": key} if key else {}
    return requests.request(method, stack.url + path, headers=headers, timeout=30, **request)  # type: ignore[arg-type]


def post(stack: Stack, key: str = "") -> requests.Response:
    return ask(stack, "POST", "/summarize/", key, data=FIELDS, files={"audio": ("a.wav", CHUNK)})


def test_a_job_is_its_keys_and_the_administrators_alone(fresh: Stack) -> None:
    # Given five keys, one of which reads for another, and a job of one of them
    ada, bob = fresh.add_key("ada", "submit"), fresh.add_key("bob", "submit")
    page = fresh.add_key("page", "read", "--for", "ada")
    reader, admin = fresh.add_key("reader", "read"), fresh.add_key("root", "admin")
    fresh.start_api()
    task_id = post(fresh, ada).json()["task_id"]

    def seen_by(key: str) -> int:
        return ask(fresh, "GET", f"/summarize/status/{task_id}", key).status_code

    # Expect it for its own key, the one that reads for it and the administrator; for the others it is not there
    assert [seen_by(key) for key in (ada, page, admin)] == [200, 200, 200]
    assert [seen_by(key) for key in (bob, reader)] == [404, 404]
    assert seen_by("") == seen_by("sm_wrong") == 401
    # Expect what a stranger reads to be the same as for an id that never was
    stranger = ask(fresh, "GET", f"/summarize/status/{task_id}", bob)
    never = ask(fresh, "GET", "/summarize/status/3a6e1f6e-0000-4000-8000-000000000000", bob)
    assert stranger.content == never.content
    # Expect nobody else to redo it
    redo = f"/summarize/{task_id}/resummarize"
    answers = [ask(fresh, "POST", redo, key).status_code for key in (ada, bob, page, "")]
    assert answers == [409, 404, 403, 401]
    # Expect scopes to hold
    assert [post(fresh, key).status_code for key in (reader, page, bob, admin, "")] == [403, 403, 200, 200, 401]
    for path in ("/metrics", "/docs/oauth2-redirect", "/no-such-path"):
        answers = [ask(fresh, "GET", path, key).status_code for key in ("", reader, ada)]
        assert answers == [401, 403, 403], path
    # Expect what is not there below /v1 to be that for each key
    for path in ("/v1/nothing", "/v1/jobsx", "/v1"):
        answers = [ask(fresh, "GET", path, key).status_code for key in ("", reader, ada, admin)]
        assert answers == [401, 404, 404, 404], path
    assert ask(fresh, "GET", "/metrics", admin).status_code == 200
    for path in ("/", "/health/live", "/docs", "/redoc", "/openapi.json"):
        assert ask(fresh, "GET", path).status_code == 200


def test_the_first_key_closes_the_door_and_a_removed_one_opens_nothing(fresh: Stack) -> None:
    # Given a service that is open on this machine
    fresh.start_api()
    open_id = post(fresh).json()["task_id"]
    assert ask(fresh, "GET", "/metrics").status_code == 200
    # When a key is added, expect calls without one to be refused soon, without a restart
    ada = fresh.add_key("ada", "submit")
    path = f"/summarize/status/{open_id}"
    until(lambda: ask(fresh, "GET", path).status_code == 401, within_s=30, what="calls without a key are refused")
    assert ask(fresh, "GET", path, ada).status_code == 404, "it was nobody's of this name"
    # When a second one is added and the first is removed, expect it to be refused
    bob = fresh.add_key("bob", "admin")
    until(lambda: ask(fresh, "GET", path, bob).status_code == 200, within_s=30, what="the new key counts")
    assert fresh.keys("remove", "ada").returncode == 0
    until(lambda: ask(fresh, "GET", path, ada).status_code == 401, within_s=30, what="the removed key is refused")
    # Expect the list to show names and no key
    listed = fresh.keys("list").stdout
    assert "bob" in listed and "admin" in listed and "ada" not in listed
    assert bob not in listed


def test_the_internal_key_is_an_administrators(fresh: Stack) -> None:
    fresh.settings["INTERNAL_API_KEY"] = "the simple way, and long enough"
    ada = fresh.add_key("ada", "submit")
    fresh.start_api()
    task_id = post(fresh, ada).json()["task_id"]

    internal = fresh.settings["INTERNAL_API_KEY"]
    assert ask(fresh, "GET", f"/summarize/status/{task_id}", internal).status_code == 200
    assert ask(fresh, "GET", "/metrics", internal).status_code == 200
    assert post(fresh, internal).status_code == 200


def test_a_new_key_of_an_old_name_inherits_nothing(fresh: Stack) -> None:
    first = fresh.add_key("ada", "submit")
    fresh.start_api()
    task_id = post(fresh, first).json()["task_id"]
    fresh.keys("remove", "ada")
    second = fresh.add_key("ada", "submit")

    def status() -> int:
        return ask(fresh, "GET", f"/summarize/status/{task_id}", second).status_code

    until(lambda: status() != 401, within_s=30, what="the second key counts")
    assert status() == 404
