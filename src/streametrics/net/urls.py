"""Parses the addresses of servers, and hides what must not be shown of them."""

import re
from urllib.parse import SplitResult, urlsplit

from streametrics.net import addresses


def with_scheme(url: str) -> str:
    """Complete an address so that a path can follow it; a bare `host:port` is plain HTTP."""
    return (url if "://" in url else f"http://{url}").rstrip("/")


def is_loopback(url: str) -> bool:
    """Tell whether a URL of our settings leads to this machine: in these `*.localhost` counts, in a Host header not."""
    host = parts(url).hostname or ""
    return addresses.is_loopback(host) or host.endswith(".localhost")


def without_credentials(url: str) -> str:
    """Remove user, password and query, so that clients may see the address."""
    split = parts(url)
    return split._replace(netloc=split.netloc.rpartition("@")[2], query="").geturl()


def without_password(url: str) -> str:
    """Mask the password, so that an operator may see the address, in logs too."""
    try:
        split = urlsplit(url)
    except ValueError:  # a bracket in a password, say: better nothing of it than all
        return f"{url.partition('://')[0]}://***"
    masked = re.sub(r"(?i)((?:^|&)[^&=]*password=)[^&]*", r"\1***", split.query)
    netloc = split.netloc.replace(f":{split.password}@", ":***@") if split.password else split.netloc
    if (masked, netloc) == (split.query, split.netloc):
        return url
    return split._replace(netloc=netloc, query=masked).geturl()


def parts(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # a bracket too few; the call itself will say that this is no address
        return urlsplit("http://no-address")
