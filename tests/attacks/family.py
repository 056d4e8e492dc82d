"""What an attack is, and the list of all families of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from forger import Forger

Code = Literal["token-invalid", "token-missing"]


@dataclass(frozen=True)
class Attack:
    """A request that must not get in: what it sends, and the refusal it must get.

    `held_against` is what finds it out: the token itself, before anything else is asked; or the database.
    """

    headers: tuple[tuple[bytes, bytes], ...] = ()
    query: str = ""
    body: bytes | None = None
    code: Code = "token-invalid"
    held_against: Literal["itself", "database"] = "itself"


Case = tuple[str, Attack]
Tokens = Callable[[Forger], Iterable[tuple[str, str | bytes]]]
FAMILIES: dict[str, Callable[[Forger], Iterator[Case]]] = {}


def authorization(*values: str | bytes, code: Code = "token-invalid") -> Attack:
    """One Authorization line for each value."""
    lines = (value if isinstance(value, bytes) else value.encode() for value in values)
    return Attack(tuple((b"Authorization", line) for line in lines), code=code)


def bearer(token: str | bytes) -> Attack:
    """A token where a token belongs."""
    return authorization(b"Bearer " + (token if isinstance(token, bytes) else token.encode()))


def _enlist(name: str, cases: Callable[[Forger], Iterator[Case]]) -> None:
    assert name not in FAMILIES, name
    FAMILIES[name] = cases


def tokens(name: str) -> Callable[[Tokens], Tokens]:
    """A family of tokens that are found out by themselves."""

    def enlist(make: Tokens) -> Tokens:
        _enlist(name, lambda forger: ((case, bearer(token)) for case, token in make(forger)))
        return make

    return enlist


def claims(name: str) -> Callable[[Tokens], Tokens]:
    """A family of well-formed, well-signed tokens that only the database finds out."""

    def enlist(make: Tokens) -> Tokens:
        _enlist(
            name,
            lambda forger: ((case, replace(bearer(token), held_against="database")) for case, token in make(forger)),
        )
        return make

    return enlist


def requests(
    name: str,
) -> Callable[[Callable[[Forger], Iterable[Case]]], Callable[[Forger], Iterable[Case]]]:
    """A family of requests that carry a good token where or how none belongs."""

    def enlist(make: Callable[[Forger], Iterable[Case]]) -> Callable[[Forger], Iterable[Case]]:
        _enlist(name, lambda forger: iter(make(forger)))
        return make

    return enlist


def forged(forger: Forger) -> Iterator[tuple[str, str]]:
    """Family and text of every forgery that is found out by itself and can be sent in a form."""
    for family, cases in FAMILIES.items():
        for _, attack in cases(forger):
            line = attack.headers[0][1] if len(attack.headers) == 1 else b""
            token = line.removeprefix(b"Bearer ")
            if attack.code == "token-invalid" and attack.held_against == "itself" and token.isascii() and token != line:
                yield family, token.decode()
