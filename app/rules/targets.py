"""Where a webhook may go, as far as its address tells; what a name leads to is seen when it is used.

One strict form, read once: nobody else parses the text, so nobody can read it otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

from app.rules.addresses import Address, Network, is_allowed

LONGEST: Final = 500
_FORM: Final = re.compile(
    r"https://(?P<host>[^\s/?#@\\:\[\]%]{1,253}|\[[0-9a-fA-F:.]{2,45}\])(:(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<path>/[!$-;=?-\[\]_a-z~]*)?",
    re.ASCII,
)
_LABEL: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)", re.ASCII)
#: Names that end in these lead to no public host (RFC 6761 and those that never will be delegated).
_LOCAL: Final = ("localhost", "local", "internal", "home.arpa", "onion", "alt", "test", "invalid")


class TargetRefused(ValueError):
    """An address that no webhook may have; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings allow: hosts (with all names below them; none: any), ports, networks beside public ones."""

    hosts: tuple[str, ...] = ()
    ports: Collection[int] = (443,)
    networks: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """Where a webhook goes: the host as DNS spells it (or an address), its port, path and query."""

    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """As it stands in `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 443 else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The one spelling that is stored."""
        return f"https://{self.authority}{self.path}"

    @property
    def address(self) -> Address | None:
        """The address itself, where the host is no name."""
        return _literal(self.host)


def target(url: str, rules: Rules) -> Target:
    """Read the address of a webhook; `url` spells its host in ASCII. Raises TargetRefused."""
    match = _FORM.fullmatch(url)
    if match is None or len(url) > LONGEST:
        raise TargetRefused("form")
    found = Target(_host(match["host"].lower()), int(match["port"] or 443), match["path"] or "/")
    if found.port not in rules.ports:
        raise TargetRefused("port")
    if rules.hosts and not any(found.host == one or found.host.endswith(f".{one}") for one in rules.hosts):
        raise TargetRefused("host")
    if found.address is not None:
        if not is_allowed(found.address, rules.networks):
            raise TargetRefused("address")
    elif not rules.networks and _leads_nowhere(found.host):
        raise TargetRefused("host")
    return found


def _host(written: str) -> str:
    """A host name or an address in its one spelling; numbers in disguise (`127.1`, `0x7f.1`) are neither."""
    bare = written.removeprefix("[").removesuffix("]")
    address = _literal(bare)
    if address is not None and (":" in bare) == written.startswith("["):
        return str(address)
    name = bare.removesuffix(".")
    labels = name.split(".")
    if written.startswith("[") or not all(_LABEL.fullmatch(one) for one in labels) or not _is_top(labels[-1]):
        raise TargetRefused("host")
    return name


def _literal(text: str) -> Address | None:
    try:
        return IPv6Address(text) if ":" in text else IPv4Address(text)
    except AddressValueError:
        return None


def _is_top(label: str) -> bool:
    """Whether a last label is that of a name: one that looks like a number would be read as an address by some."""
    return not label[0].isdigit()


def _leads_nowhere(name: str) -> bool:
    return "." not in name or any(name.endswith(f".{one}") for one in _LOCAL)
