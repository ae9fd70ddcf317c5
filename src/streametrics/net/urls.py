"""What can be told from a server's address without asking it."""

import contextlib
import ipaddress
from urllib.parse import SplitResult, urlsplit


def with_scheme(url: str) -> str:
    """The address as a beginning that a path can follow; a bare `host:port` is plain HTTP."""
    return (url if "://" in url else f"http://{url}").rstrip("/")


def is_loopback(url: str) -> bool:
    host = parts(url).hostname or ""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost" or host.endswith(".localhost")


def without_credentials(url: str) -> str:
    """The address as it may be shown."""
    split = parts(url)
    return split._replace(netloc=split.netloc.rpartition("@")[2], query="").geturl()


def parts(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # a bracket too few; the call itself will say that this is no address
        return urlsplit("http://no-address")
