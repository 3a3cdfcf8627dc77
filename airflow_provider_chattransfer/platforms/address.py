# SPDX-License-Identifier: Apache-2.0
"""Where a service is: the base URL of a connection, in one spelling, checked before a secret is sent there."""

from __future__ import annotations

import ipaddress
import re
import socket
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, urlsplit

from ..chats.inputs import as_whole_number, shown

USUAL_PORTS = {"https": 443, "http": 80}

LONGEST_NAME, LONGEST_LABEL = 253, 63
"""Letters of a host's name, and of a part of it between two dots (RFC 1035)."""

LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")

OWN_NAMES = frozenset(
    {
        "localhost",
        "localhost.localdomain",
        "localhost4",
        "localhost4.localdomain4",
        "localhost6",
        "localhost6.localdomain6",
        "loopback",
        "ip6-localhost",
        "ip6-loopback",
        "host.docker.internal",
        "host.containers.internal",
    }
)
"""What usual files of hosts, and the two usual runners of containers, call the machine itself."""

HOSTS = Path("/etc/hosts")
"""Names that the machine's administrator has given to addresses, its own among them (``hosts(5)``)."""

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


def base_url(host: str | None, *, port: object = None, schema: str | None = None, of: str = "host") -> str:
    """``https://example.bitrix24.com`` and the like, without a slash at the end; equal addresses give equal text.

    ``host`` may carry a scheme, a port and a path; without a scheme it is https, and the usual port is left out. A name
    comes out in small ASCII letters (IDNA) without a dot at its end, an IP address as RFC 5952 writes it.

    Raises ``ValueError``, naming ``of``, for what is not an address, and for plain http to a host that is not
    loopback: credentials travel in every request. The message leaves out what follows the host: a webhook's whole
    address is its secret.
    """
    text = (host or "").strip()
    if not text.strip("/"):
        raise ValueError(f"{of}: empty; it must be the address of the service")
    if schema not in (None, "", "http", "https"):
        given = shown(str(schema).partition("/")[0])
        raise ValueError(f"schema: {given} is neither http nor https; a path belongs to the {of} (as %2F in a URI)")
    if "@" in unicodedata.normalize("NFKC", text):
        raise ValueError(f"{of}: an address must not contain a login; use the connection's own fields")
    if "://" not in text:
        text = f"{schema or 'https'}://{text}"
    scheme, _, rest = text.partition("://")
    scheme, (authority, slash, behind) = scheme.lower(), rest.partition("/")
    name, number = _split(authority)
    known = canonical_host(name) if scheme in USUAL_PORTS and text.isprintable() else None
    path = _path(f"{slash}{behind}")
    if known is None or path is None or number == 0:
        raise ValueError(f"{of}: {_shown(text)} is not the address of a service")
    if scheme == "http" and not is_loopback(known):
        raise ValueError(
            f"{of}: {_shown(text)} is plain http; only https may be used, except on loopback, since credentials "
            "travel along"
        )
    number = number or (as_whole_number(port, of="port", least=1, most=65535) if port not in (None, "", 0) else None)
    own = f":{number}" if number and number != USUAL_PORTS[scheme] else ""
    return f"{scheme}://{f'[{known}]' if ':' in known else known}{own}{path}"


def canonical_host(name: str) -> str | None:
    """The one spelling of a host: a name in small ASCII letters, or an IP address without brackets; ``None`` for what
    is neither.

    ``127.1``, ``2130706433`` and ``0x7f.0.0.1``, which some programs take for addresses, are none. An IPv4 address
    within IPv6 (``::ffff:127.0.0.1``) is that address.
    """
    if name.startswith("[") and name.endswith("]"):
        return _ip_text(name[1:-1]) if ":" in name else None
    if len(name) > LONGEST_NAME + 1:
        return None
    if not name.isascii() or "xn--" in name.lower():
        name = _in_ascii(name) or ""
    name = name.lower().removesuffix(".")
    labels = name.split(".")
    if re.fullmatch(r"\d+|0x[0-9a-f]*", labels[-1]):
        return _ip_text(name)
    good = len(name) <= LONGEST_NAME and all(len(part) <= LONGEST_LABEL and LABEL.fullmatch(part) for part in labels)
    return name if good else None


def is_loopback(hostname: str) -> bool:
    """Whether ``hostname``, in its one spelling, is this machine for sure: plain http to it leaves no network card."""
    found = _ip(hostname)
    return hostname == "localhost" if found is None else found.is_loopback


def may_lead_to(address: str, *, known: str) -> bool:
    """Whether what a service told of where it is, ``address``, can be followed from ``known``, which a user gave.

    Both are base URLs. This machine by any of its names is no such place unless ``known`` is on it; an address that is
    good for one network cable only (link-local: also where clouds give out a machine's credentials), and one that is
    nobody's, is never one. Nothing is looked up.
    """
    told, own = (urlsplit(url).hostname or "" for url in (address, known))
    if told == own:
        return True
    return not _is_nobodys(told) and (is_this_machine(own) or not is_this_machine(told))


def is_this_machine(hostname: str) -> bool:
    """Whether ``hostname``, in its one spelling, is a name or an address of this machine, as far as it can tell
    without asking anybody."""
    found = _ip(hostname)
    if found is not None:
        return found.is_loopback or found.is_unspecified or _is_own_address(found)
    host = socket.gethostname().lower().removesuffix(".")
    if hostname in OWN_NAMES or hostname.endswith(".localhost") or hostname in {host, host.partition(".")[0]}:
        return True
    return any(is_this_machine(address) for address in _in_file_of_hosts(hostname))


def _in_file_of_hosts(hostname: str) -> Iterator[str]:
    """The addresses that the machine's own file of hosts has for a name, each in its one spelling."""
    try:
        lines = HOSTS.read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        address, *names = line.partition("#")[0].split() or [""]
        if hostname in (canonical_host(name) for name in names) and (known := _ip_text(address)):
            yield known


def _is_nobodys(hostname: str) -> bool:
    found = _ip(hostname)
    if found is None or found.is_loopback:
        return False
    return found.is_link_local or found.is_unspecified or found.is_multicast or found.is_reserved


def _is_own_address(address: Ip) -> bool:
    """Only a machine's own addresses can be bound to. Nothing is sent."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as bound:
        bound.bind((str(address), 0))
        return True
    return False


def _split(authority: str) -> tuple[str, int | None]:
    """Host and port of ``host:port``; the port is ``None`` where there is none, and 0 for one that cannot be."""
    found = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(?::(\d{0,5}))?", authority, re.ASCII)
    if found is None:
        return authority, 0
    number = int(found[2]) if found[2] else None
    return found[1], 0 if number is not None and number > 65535 else number


def _path(path: str) -> str | None:
    """A path as it is sent, without a slash at its end; ``None`` for what a server may take for another."""
    parts = [part for part in path.split("/") if part]
    if any(mark in path for mark in "?#\\") or {".", ".."} & set(parts):
        return None
    return "".join(f"/{quote(part, safe='%:;=!$&()*+,~')}" for part in parts)


def _in_ascii(name: str) -> str | None:
    """A name with letters beyond ASCII, as DNS has it (IDNA 2008 after the mapping of UTS 46)."""
    import idna

    try:
        return idna.encode(name, uts46=True).decode()
    except UnicodeError:
        return None


def _ip(hostname: str) -> Ip | None:
    try:
        return ipaddress.ip_address(hostname)
    except ValueError:
        return None


def _ip_text(text: str) -> str | None:
    found = _ip(text)
    if found is None or "%" in text:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


def _shown(address: str) -> str:
    """An address for a message, without what follows the host."""
    scheme, _, rest = address.partition("://")
    ends = (place for place, letter in enumerate(rest) if set(unicodedata.normalize("NFKC", letter)) & set("/?#\\%"))
    host = rest[: next(ends, len(rest))]
    return shown(f"{scheme}://{host}{'/…' if len(host) < len(rest.rstrip('/')) else ''}")
