"""Keys for what people wrote and who they are, one for each record and each person: destroying one erases them.

The log holds commitments only, so that it still verifies; see `app.evidence`. What is sealed is shown only where it is
what the log was given: nobody puts other words, or another person, beside a fact that is sealed.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import orjson
import structlog
from uuid_utils.compat import uuid7

from app import evidence
from app.db import Row, Writer, keys_of, rows, value
from app.security import Keys, lock, seal, unlock, unseal

#: The columns that `opened` needs of an event `e`, and where they come from.
SEALED: Final = "e.words, e.words_sealed, w.id as words_key, w.sealed as words_key_sealed"
PERSON: Final = "e.person, e.person_sealed, p.id as person_key, p.sealed as person_key_sealed"
KEYS_OF: Final = "left join sealing_key w on w.id = e.words_key left join sealing_key p on p.id = e.person_key"

_log: Final = structlog.get_logger()


def of_person(keys: Keys, agency: str | None, acting_user: str) -> str:
    """The subject of one person of an agency: a keyed hash, for whoever reads the table."""
    named = f"{agency} {acting_user}".encode()
    return f"person:{hmac.digest(keys.key_for('person'), named, 'sha256').hex()}"


def of_record(on: str, id: UUID | str) -> str:
    """The subject of the words about one record."""
    return f"{on}:{id}"


async def keys_for(writer: Writer, subjects: Sequence[str]) -> dict[str, tuple[UUID, bytes]]:
    """Id and key of each subject, made where there is none; asked once in a transaction."""
    known: dict[str, tuple[UUID, bytes]] = writer.info.setdefault("sealing_keys", {})
    wanted = [one for one in subjects if one not in known]
    if wanted:
        fresh = [(uuid7(), secrets.token_bytes(32)) for _ in wanted]
        found = await rows(
            writer,
            "select * from app.sealing_keys(:subjects, :ids, :sealed)",
            subjects=wanted,
            ids=[key_id for key_id, _ in fresh],
            sealed=[kept(keys_of(writer), key_id, key) for key_id, key in fresh],
        )
        known |= {one["subject"]: (one["id"], _key(keys_of(writer), one["id"], one["sealed"])) for one in found}
    return {one: known[one] for one in subjects}


def kept(keys: Keys, id: UUID, key: bytes) -> bytes:
    """A key as the table keeps it: under a seal of its own."""
    return seal(keys, _name(id), key)


def committed(
    words: Mapping[str, Any], key: bytes, *, salt: Callable[[], str] = evidence.new_salt
) -> tuple[dict[str, str], bytes]:
    """A commitment for each word, and all of them with their salts under a key."""
    salted = {name: (salt(), word) for name, word in words.items()}
    commitments = {name: evidence.commitment(word, salt) for name, (salt, word) in salted.items()}
    return commitments, lock(key, orjson.dumps(salted))


def words_of(keys: Keys, event: Row) -> dict[str, Any]:
    """What people wrote in an event that was read with SEALED; None for each word that was erased or exchanged."""
    return _shown(keys, event["words"], event["words_sealed"], event["words_key"], event["words_key_sealed"])


def person_of(keys: Keys, event: Row) -> str | None:
    """The acting user of an event that was read with PERSON; None where there was none, erased or exchanged too."""
    given = {"person": event["person"]} if event["person"] else {}
    found = _shown(keys, given, event["person_sealed"], event["person_key"], event["person_key_sealed"])
    return found.get("person")


def openings_of(keys: Keys, event: Row) -> dict[str, dict[str, Any]]:
    """The salt and the content behind each commitment to words of such an event; without those that were erased."""
    opened = _opened(keys, event["words"], event["words_sealed"], event["words_key"], event["words_key_sealed"])
    return {name: {"salt": salt, "content": word} for name, (salt, word) in opened.items()}


async def destroy(writer: Writer, subject: str) -> UUID | None:
    """Destroy the key of a subject and forget whose it was; returns its id, or None where there is none."""
    destroyed: UUID | None = await value(
        writer,
        "update sealing_key set sealed = null, subject = null, destroyed_at = now()"
        " where subject = :subject returning id",
        subject=subject,
    )
    return destroyed


def _shown(
    keys: Keys, given: Mapping[str, str], content: bytes | None, id: UUID | None, sealed: bytes | None
) -> dict[str, Any]:
    """The words to these commitments; None for each that is not there, or not the one that was committed to."""
    opened = _opened(keys, given, content, id, sealed)
    return {name: opened[name][1] if name in opened else None for name in given}


def _opened(
    keys: Keys, given: Mapping[str, str], content: bytes | None, id: UUID | None, sealed: bytes | None
) -> dict[str, tuple[str, Any]]:
    """The salt and the word behind each of these commitments that is there, and is the one that was committed to."""
    if content is None or id is None or sealed is None:
        return {}
    try:
        salted: dict[str, tuple[str, Any]] = orjson.loads(unlock(_key(keys, id, sealed), content))
    except ValueError:  # the seal was broken: one such row takes no others down
        salted = {}
    found = {name: salted[name] for name in given if name in salted}
    true = {name: one for name, one in found.items() if evidence.commitment(one[1], one[0]) == given[name]}
    if true.keys() < given.keys():
        _log.error("sealed_words_do_not_fit_the_log", key=str(id), words=sorted(given.keys() - true.keys()))
    return true


def _key(keys: Keys, id: UUID, sealed: bytes) -> bytes:
    return unseal(keys, _name(id), sealed)


def _name(id: UUID) -> str:
    return f"sealing-key:{id}"
