"""What is read from a server's address, and what of it is shown."""

import pytest

from streametrics.net import addresses, urls


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:11434", True),
        ("http://LOCALHOST", True),
        ("http://models.localhost/v1", True),
        ("http://127.0.0.1:8000", True),
        ("http://127.8.9.10", True),
        ("http://[::1]:8000/v1", True),
        ("http://192.168.0.2", False),
        ("http://[2001:db8::1]", False),
        ("http://localhost.example", False),
        ("http://localhost@example", False),
        ("http://[::1", False),
        ("", False),
    ],
)
def test_a_url_of_this_machine_is_known(url: str, expected: bool) -> None:
    assert urls.is_loopback(url) is expected


def test_a_name_that_a_client_gives_is_believed_less() -> None:
    assert addresses.is_loopback("localhost")
    assert not addresses.is_loopback("models.localhost")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://127.0.0.1:6390/0", "redis://127.0.0.1:6390/0"),
        ("redis://:secret@queue:6379/0", "redis://:***@queue:6379/0"),
        ("redis://queue/0?db=1&password=secret", "redis://queue/0?db=1&password=***"),
        ("redis://:sec[ret@queue/0", "redis://***"),
        ("rediss://ada:secret@queue/1?timeout=2", "rediss://ada:***@queue/1?timeout=2"),
        ("redis://ada@queue", "redis://ada@queue"),
        ("redis://secret:secret@queue/secret", "redis://secret:***@queue/secret"),
    ],
)
def test_an_operator_sees_all_but_the_password(url: str, shown: str) -> None:
    assert urls.without_password(url) == shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://ada:secret@models:8000/v1?key=secret", "http://models:8000/v1"),
        ("http://models:8000/v1", "http://models:8000/v1"),
        ("http://[::1", "http://no-address"),
    ],
)
def test_a_client_sees_where_a_server_is_and_nothing_else(url: str, shown: str) -> None:
    assert urls.without_credentials(url) == shown
