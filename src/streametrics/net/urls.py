"""What can be told from a server's address without asking it."""

from urllib.parse import SplitResult, urlsplit

from streametrics.net import addresses


def with_scheme(url: str) -> str:
    """The address as a beginning that a path can follow; a bare `host:port` is plain HTTP."""
    return (url if "://" in url else f"http://{url}").rstrip("/")


def is_loopback(url: str) -> bool:
    """Tell whether a URL of our settings leads to this machine: in these `*.localhost` counts, in a Host header not."""
    host = parts(url).hostname or ""
    return addresses.is_loopback(host) or host.endswith(".localhost")


def without_credentials(url: str) -> str:
    """The address as it may be shown to clients too: neither user, password nor query."""
    split = parts(url)
    return split._replace(netloc=split.netloc.rpartition("@")[2], query="").geturl()


def without_password(url: str) -> str:
    """The address as an operator may see it, in logs too: which user, and whether there is a password."""
    split = urlsplit(url)
    if not split.password:
        return url
    return split._replace(netloc=split.netloc.replace(f":{split.password}@", ":***@")).geturl()


def parts(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # a bracket too few; the call itself will say that this is no address
        return urlsplit("http://no-address")
