"""Every event that a run has brought about, held against the catalogue."""

from typing import Any

from pydantic import ValidationError

from app.db import Database, rows
from app.rules.facts import EventKind
from app.schemas.catalogue import CATALOGUE
from app.services import sealing


async def kinds_told(database: Database) -> set[EventKind]:
    """The kinds of events in a database, each of which says what the catalogue promises."""
    async with database.working() as worker:
        found = await rows(
            worker,
            f"select e.kind, e.payload, {sealing.SEALED}, {sealing.PERSON} from event e {sealing.KEYS_OF}",
        )
    wrong: list[tuple[str, Any]] = []
    for one in found:
        said = {**one["payload"], **sealing.words_of(database.keys, one)}
        try:
            CATALOGUE[EventKind(one["kind"])].shape.model_validate(said)
        except ValidationError as error:
            wrong.append((one["kind"], error.errors(include_url=False)))
    assert not wrong, dict(wrong)
    return {EventKind(one["kind"]) for one in found}
