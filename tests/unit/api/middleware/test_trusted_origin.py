"""Who may call: each rule with the requests that it lets through and those that it refuses."""

import asyncio
from typing import Any

import pytest

from streametrics.api.middleware.authentication import AuthenticationMiddleware
from streametrics.api.middleware.trusted_origin import EXTENSION_ORIGIN, TrustedOriginMiddleware
from streametrics.auth.api_keys import ApiKeys
from streametrics.settings import Settings

KEY = "k" * 32


def answer(
    *, path: str = "/summarize/", method: str = "POST", server: str = "127.0.0.1", key: str = "", **headers: str
) -> int:
    """The status that a request gets; 200 where the guard lets it through."""
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        sent.append(message)

    headers.setdefault("host", "127.0.0.1:5000")
    settings = Settings(
        internal_api_key=key,
        allowed_hosts="streams.example",  # type: ignore[arg-type] - as it stands in the environment
        allowed_origins="https://my.example, http://other.example:8080/",  # type: ignore[arg-type]
        _env_file=None,
    )
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "server": (server, 5000),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    api_keys = ApiKeys(settings.internal_api_key, list)
    guard = TrustedOriginMiddleware(AuthenticationMiddleware(app, api_keys), settings, api_keys)
    asyncio.run(guard(scope, None, send))  # type: ignore[arg-type]
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:5000", "LOCALHOST:5000", "127.0.0.1:5000", "127.1.2.3", "[::1]:5000", "localhost.:5000"],
)
def test_loopback_names_are_served(host: str) -> None:
    assert answer(host=host) == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:5000",
        "",
        "192.168.1.5:5000",
        "[::1",
        "a b",
        "@localhost:x",
    ],
)
def test_other_names_are_refused(host: str) -> None:
    assert answer(host=host) == 403


def test_a_websocket_is_refused_like_a_request() -> None:
    # No route of ours speaks it yet; the guard must not be what is missing when one does
    def answered(origin: bytes) -> str:
        sent: list[dict[str, Any]] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "websocket.accept"})

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "websocket.connect"}

        headers = [(b"host", b"localhost"), (b"origin", origin)]
        scope = {"type": "websocket", "path": "/", "server": ("127.0.0.1", 5000), "headers": headers}
        settings = Settings(_env_file=None)
        asyncio.run(TrustedOriginMiddleware(app, settings, ApiKeys("", list))(scope, receive, send))
        return str(sent[0]["type"])

    assert answered(b"https://evil.example") == "websocket.close"
    assert answered(b"http://localhost") == "websocket.accept"


def test_names_in_the_settings_are_served() -> None:
    assert answer(host="streams.example:5000") == 200


def test_an_open_address_is_served_with_a_key_only() -> None:
    assert answer(server="192.168.1.5", host="192.168.1.5:5000") == 403
    assert answer(server="192.168.1.5", host="192.168.1.5:5000", key=KEY, x_api_key=KEY) == 200
    assert answer(server="192.168.1.5", host="evil.example:5000", key=KEY, x_api_key=KEY) == 403


@pytest.mark.parametrize(
    "origin",
    [EXTENSION_ORIGIN, "https://my.example", "http://other.example:8080", "http://127.0.0.1:5000"],
)
def test_known_pages_may_call(origin: str) -> None:
    assert answer(origin=origin) == 200


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://localhost:3000",
        "http://my.example",
        "https://my.example.evil.example",
        "chrome-extension://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "",
    ],
)
def test_other_pages_may_not(origin: str) -> None:
    assert answer(origin=origin) == 403


def test_a_key_is_wanted_for_all_but_the_open_paths() -> None:
    assert answer(key=KEY) == 401
    assert answer(key=KEY, x_api_key="wrong") == 401
    assert answer(key=KEY, authorization=f"Basic {KEY}") == 401
    assert answer(key=KEY, x_api_key=KEY) == 200
    assert answer(key=KEY, authorization=f"bearer {KEY}") == 200
    for path in ("/", "/health/live", "/health/ready"):
        assert answer(key=KEY, path=path, method="GET") == 200
    assert answer(key=KEY, path="/metrics", method="GET") == 401


def test_several_different_keys_are_none() -> None:
    assert answer(key=KEY, x_api_key=KEY, authorization=f"Bearer {KEY}") == 200
    assert answer(key=KEY, x_api_key=KEY, authorization="Bearer other") == 401


def test_a_short_key_protects_no_open_address() -> None:
    assert answer(server="192.168.1.5", host="192.168.1.5:5000", key="short", x_api_key="short") == 403


def test_a_key_may_be_of_any_characters() -> None:
    assert answer(key="Schlüssel", x_api_key="Schlüssel") == 200


def test_a_key_does_not_open_the_door_to_other_pages() -> None:
    assert answer(key=KEY, x_api_key=KEY, origin="https://evil.example") == 403


def test_the_key_that_was_published_protects_nothing_and_counts_as_none() -> None:
    assert answer(key="streametrics-secret") == 200
    assert answer(key="streametrics-secret", server="192.168.1.5", host="192.168.1.5") == 403
