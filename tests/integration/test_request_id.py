"""Every answer has an id, refusals too; the client's own where it is one, and the log names it."""

import re

import pytest
import requests

from tests.support.media import plain_wav, tone
from tests.support.stack import FIELDS, Stack

NOBODY = "/summarize/status/3a6e1f6e-0000-4000-8000-000000000000"


def ask(service: Stack, path: str, **headers: str) -> requests.Response:
    return requests.get(service.url + path, headers=headers, timeout=30)


@pytest.mark.parametrize("path", ["/", "/health/ready", NOBODY, "/v1/jobs", "/nothing"])
def test_each_answer_has_an_id_of_its_own(path: str, service: Stack) -> None:
    found = {ask(service, path).headers["X-Request-Id"] for _ in range(3)}
    assert len(found) == 3
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in found)


def test_a_refused_page_gets_one_too(service: Stack) -> None:
    answer = ask(service, "/", Origin="https://evil.example")
    assert answer.status_code == 403
    assert answer.headers["X-Request-Id"]


@pytest.mark.parametrize("given", ["abc-123.X:y", "a" * 128])
def test_a_clients_id_is_kept(given: str, service: Stack) -> None:
    assert ask(service, "/", **{"X-Request-Id": given}).headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["", "a" * 129, "a b", "level=ERROR job=x", "\u00e4".encode().decode("latin-1")])
def test_what_is_no_id_is_replaced(given: str, service: Stack) -> None:
    found = ask(service, "/", **{"X-Request-Id": given}).headers["X-Request-Id"]
    assert re.fullmatch("[0-9a-f]{16}", found)


def test_the_log_names_the_request(service: Stack) -> None:
    files = {"audio": ("a.wav", plain_wav(tone(1.0, 16_000), 16_000))}
    headers = {"X-Request-Id": "the-bots-own-17"}
    answer = requests.post(f"{service.url}/summarize/", data=FIELDS, files=files, headers=headers, timeout=30)
    lines = [line for line in service.log().splitlines() if line.endswith(" request=the-bots-own-17")]
    assert len([line for line in lines if answer.json()["task_id"] in line and "event=accepted" in line]) == 1
