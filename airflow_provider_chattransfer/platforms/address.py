# SPDX-License-Identifier: Apache-2.0
"""Read where a service is: the base URL of a connection, in one spelling, checked before a secret is sent there."""

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

MAX_HOST_LETTERS = 253
"""The length of a host's name (RFC 1035)."""

MAX_LABEL_LETTERS = 63
"""The length of a part of a host's name between two dots (RFC 1035)."""

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
"""Names that usual hosts files, and the two common container runtimes, give to the machine itself."""

HOSTS = Path("/etc/hosts")
"""Names that the machine's administrator has given to addresses, its own included (``hosts(5)``)."""

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


def base_url(host: str | None, *, port: object = None, schema: str | None = None, of: str = "host") -> str:
    """Return the base URL, such as ``https://example.bitrix24.com``, without a final slash.

    Equal addresses give equal text.

    ``host`` may carry a scheme, a port and a path. Without a scheme it is https, and the usual port is left out. A name
    comes out in small ASCII letters (IDNA) without a final dot, an IP address as RFC 5952 writes it.

    Raises ``ValueError``, naming ``of``, for what is no address, and for plain http to a host that is not loopback:
    credentials travel in every request. The message leaves out what follows the host, since a webhook's whole address
    is its secret.
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
    """Return the canonical spelling of a host: a name in small ASCII letters, or an IP address without brackets.

    ``None`` for anything else.

    ``127.1``, ``2130706433`` and ``0x7f.0.0.1``, which some programs take for addresses, are refused. An IPv4 address
    within IPv6 (``::ffff:127.0.0.1``) becomes that IPv4 address.
    """
    if name.startswith("[") and name.endswith("]"):
        return _ip_text(name[1:-1]) if ":" in name else None
    if len(name) > MAX_HOST_LETTERS + 1:
        return None
    if not name.isascii() or "xn--" in name.lower():
        name = _in_ascii(name) or ""
    name = name.lower().removesuffix(".")
    labels = name.split(".")
    if re.fullmatch(r"\d+|0x[0-9a-f]*", labels[-1]):
        return _ip_text(name)
    good = len(name) <= MAX_HOST_LETTERS and all(
        len(part) <= MAX_LABEL_LETTERS and LABEL.fullmatch(part) for part in labels
    )
    return name if good else None


def is_loopback(hostname: str) -> bool:
    """Tell whether ``hostname``, in its canonical spelling, is certainly this machine.

    Plain http to it leaves no network card.
    """
    found = _ip(hostname)
    return hostname == "localhost" if found is None else found.is_loopback


def may_lead_to(address: str, *, known: str) -> bool:
    """Tell whether ``address``, which a service named as its own, can be followed from ``known``, which a user gave.

    Both are base URLs. This machine, by any of its names, is refused unless ``known`` is on it. So are link-local
    addresses (where clouds hand out a machine's credentials) and addresses that belong to nobody. Nothing is looked up.
    """
    told, own = (urlsplit(url).hostname or "" for url in (address, known))
    if told == own:
        return True
    return not _is_nobodys(told) and (is_this_machine(own) or not is_this_machine(told))


def is_this_machine(hostname: str) -> bool:
    """Tell whether ``hostname``, in its canonical spelling, is a name or an address of this machine.

    Only as far as that is known without a look-up.
    """
    found = _ip(hostname)
    if found is not None:
        return found.is_loopback or found.is_unspecified or _is_own_address(found)
    host = socket.gethostname().lower().removesuffix(".")
    if hostname in OWN_NAMES or hostname.endswith(".localhost") or hostname in {host, host.partition(".")[0]}:
        return True
    return any(is_this_machine(address) for address in _in_file_of_hosts(hostname))


def _in_file_of_hosts(hostname: str) -> Iterator[str]:
    """Return the addresses that the machine's hosts file has for a name, each in its canonical spelling."""
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
    """Tell whether a socket can be bound to the address: only a machine's own can. Nothing is sent."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as bound:
        bound.bind((str(address), 0))
        return True
    return False


def _split(authority: str) -> tuple[str, int | None]:
    """Split ``host:port``; the port is ``None`` where there is none, and 0 for one that cannot be."""
    found = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(?::(\d{0,5}))?", authority, re.ASCII)
    if found is None:
        return authority, 0
    number = int(found[2]) if found[2] else None
    return found[1], 0 if number is not None and number > 65535 else number


def _path(path: str) -> str | None:
    """Return a path as it is sent, without a final slash; ``None`` for a path that a server may read as another."""
    parts = [part for part in path.split("/") if part]
    if any(mark in path for mark in "?#\\") or {".", ".."} & set(parts):
        return None
    return "".join(f"/{quote(part, safe='%:;=!$&()*+,~')}" for part in parts)


def _in_ascii(name: str) -> str | None:
    """Return a name with letters beyond ASCII as DNS has it (IDNA 2008 after the mapping of UTS 46)."""
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
    """Return an address for a message, without what follows the host."""
    scheme, _, rest = address.partition("://")
    ends = (place for place, letter in enumerate(rest) if set(unicodedata.normalize("NFKC", letter)) & set("/?#\\%"))
    host = rest[: next(ends, len(rest))]
    return shown(f"{scheme}://{host}{'/…' if len(host) < len(rest.rstrip('/')) else ''}")
