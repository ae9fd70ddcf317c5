"""Classifies IP addresses: loopback, or public, where an untrusted URL may lead to.

The public networks are written out instead of `ipaddress.is_global`, whose tables differ between versions of Python,
and which knows nothing of the IPv4 addresses that some IPv6 addresses carry inside.
"""

import ipaddress

#: Every IPv4 network that is not public: this host, private, shared by carriers, loopback, link-local (cloud metadata),
#: protocols, documentation, 6to4 relays, benchmarks, multicast, and what is reserved. RFC 6890 and its registry.
_CLOSED_IPV4 = [
    ipaddress.IPv4Network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    )
]
#: Public IPv6 is given out of this network alone, so NAT64, mapped, local and multicast addresses are all outside,
_OPEN_IPV6 = ipaddress.IPv6Network("2000::/3")
#: but for these inside it: protocols (Teredo among them), documentation twice, 6to4.
_CLOSED_IPV6 = [ipaddress.IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]
#: The middle of an address that carries an IPv4 one at its end (ISATAP).
_ISATAP = (0x00005EFE, 0x02005EFE)


def is_address(text: str) -> bool:
    """Tell whether this is an address, and not a name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_loopback(name: str) -> bool:
    """Tell whether a name or address can only mean this machine."""
    return name == "localhost" or (is_address(name) and ipaddress.ip_address(name).is_loopback)


def is_public(text: str) -> bool:
    """Tell whether this is the canonical text of an address in the public network."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _CLOSED_IPV4)
    if address.scope_id is not None or address not in _OPEN_IPV6:
        return False
    carries_ipv4 = (int(address) >> 32) & 0xFFFFFFFF in _ISATAP
    return not carries_ipv4 and not any(address in network for network in _CLOSED_IPV6)
