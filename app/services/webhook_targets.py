"""Where webhooks may go by these settings."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Final

import idna

from app.rules import targets
from app.rules.targets import Rules, Target, TargetRefused
from app.services import records
from app.settings import Settings, listed

_HOST: Final = re.compile(r"(https://)([^\s/?#@\\:\[\]%]{1,253})(.*)", re.DOTALL)
_WHY: Final = {
    "form": (
        "Give an https address of visible ASCII, without user, password or fragment.",
        "Berikan alamat https dari karakter ASCII, tanpa nama pengguna, sandi, atau fragmen.",
    ),
    "port": ("Webhooks do not go to this port here.", "Webhook tidak dikirim ke porta ini di sini."),
    "host": ("Webhooks do not go to this host here.", "Webhook tidak dikirim ke host ini di sini."),
    "address": ("Webhooks do not go to this address.", "Webhook tidak dikirim ke alamat ini."),
}


def rules_of(settings: Settings) -> Rules:
    """What these settings allow."""
    return Rules(
        hosts=tuple(one.lower().strip(".") for one in listed(settings.webhook_hosts)),
        ports=frozenset(int(one) for one in listed(settings.webhook_ports)),
        networks=tuple(ip_network(one) for one in listed(settings.webhook_networks)),
    )


def read_target(url: str, rules: Rules) -> Target:
    """Where an address leads, its host as DNS spells it (IDNA 2008); raises TargetRefused."""
    match = _HOST.fullmatch(url)
    if match is None or match[2].isascii():
        return targets.target(url, rules)
    try:
        host = idna.encode(match[2], uts46=True, std3_rules=True).decode()
    except idna.IDNAError as cause:
        raise TargetRefused("host") from cause
    return targets.target(f"{match[1]}{host}{match[3]}", rules)


def require_target(url: str, settings: Settings) -> str:
    """The one spelling of an address under which it is stored; raises ValidationFailed."""
    try:
        return read_target(url, rules_of(settings)).url
    except TargetRefused as refused:
        raise records.refused("/url", refused.code, *_WHY[refused.code]) from refused
