"""`simpul log rotate-key`, `resume`, `erase`, `set-aside`, `retire`: what is done to the log at the machine itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

import typer

from app.break_glass import Json, Reason, Yes, act, checked, on_database, show, sure
from app.db import Database, Row, Writer, settings_of
from app.log_files import Unreadable
from app.memory import Forged, Memory
from app.rules.caller import Caller
from app.schemas.erasures import ErasureInput
from app.schemas.log import Declaration
from app.security import Keys
from app.services import erasures, log_keys, resumption, retirement, years
from app.terminal import fail

_KEY: Final = ("kid", "recorded_at", "retired_at")


def rotate_key(*, json: Json = False) -> None:
    """Sign heads and receipts with a new key from now on; the old one's private half goes.

    Tell the witnesses its kid by another way: they pin what they trust.
    """

    async def turn(writer: Writer, by: Caller, _: Keys) -> list[Row]:
        await log_keys.rotate(writer, by=by)
        return await log_keys.list_keys(writer)

    show(act(turn), _KEY, as_json=json)


def resume(
    reason: Annotated[str, typer.Option(help="Why entries are lost. It stands in the log in the clear.", prompt=True)],
    operator: Annotated[
        str, typer.Option(help="Who answers for it: an office, not a person. In the clear.", prompt=True)
    ],
    *,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Let the log go on although heads that it has signed are lost, as after a restored backup.

    The loss is the log's next entry, and every later head names it. Look first for the database that has what is lost.
    """
    said = checked(Declaration.model_validate, {"reason": reason, "operator": operator})
    sure(f"Declare lost what those heads cover, because: {said.reason}? Everybody will read that.", yes=yes)

    async def go_on(writer: Writer, by: Caller, keys: Keys) -> list[Row]:
        known = Memory(settings_of(writer).head_memory, keys).recall()
        return await resumption.resume(writer, by, declaration=said.reason, operator=said.operator, known=known)

    try:
        found = act(go_on)
    except (resumption.NotHalted, Forged) as error:
        fail(str(error))
    show(found, _LOST, as_json=json)


_LOST: Final = ("size", "root", "signed_at", "source", "agency", "kept", "entry")


def erase(
    reason: Reason,
    *,
    acting_user: Annotated[str | None, typer.Option(help="The person, as sent in Acting-User.")] = None,
    agency: Annotated[str | None, typer.Option(help="For whom the person acted; none for the operators.")] = None,
    task: Annotated[UUID | None, typer.Option(help="Or what people wrote about this task.")] = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Destroy the key of a person's name, or of the words about a task. The log still verifies."""
    if (acting_user is None) == (task is None) or (task is not None and agency is not None):
        fail("Name either --acting-user, with its --agency, or --task.")
    if task is not None:
        sure(f"Erase all that people wrote about task {task}, its title and comments included?", yes=yes)
        show(act(lambda writer, by, _: erasures.erase_task(writer, by, task, reason)), _ERASED_TASK, as_json=json)
        return
    sure(f"Erase {acting_user} of {agency or 'the operators'} from all that is recorded?", yes=yes)
    said: dict[str, Any] = {"acting_user": acting_user, "agency": agency, "reason": reason}
    wanted = checked(ErasureInput.model_validate, said)
    show(act(lambda writer, by, _: erasures.erase_person(writer, by, wanted)), _ERASED, as_json=json)


_ERASED: Final = ("id", "agency", "erased_at")
_ERASED_TASK: Final = ("id", "task", "erased_at")


def set_aside(
    year: Annotated[int, typer.Option(min=1970, max=9998, help="The year, as UTC counts it.", prompt=True)],
    *,
    tablespace: Annotated[str | None, typer.Option(help="Where it goes, on cheaper disks; none: it stays.")] = None,
    json: Json = False,
) -> None:
    """Freeze the facts of a year that is over, and move them to another tablespace. All of them stay readable.

    No fact is taken away by this: it is about disks and vacuuming only. While they move, readers of that year wait.
    """
    try:
        found = on_database(lambda database: years.set_aside(database, year=year, tablespace=tablespace))
    except years.NotSetAside as error:
        fail(str(error))
    show(found, _SET_ASIDE, as_json=json)


_SET_ASIDE: Final = ("year", "tablespace", "bytes", "facts")


def retire(
    year: Annotated[int, typer.Argument(min=1970, max=9998, help="The year, as UTC counts it.")],
    *,
    export: Annotated[Path, typer.Option(help="The folder of an export with --sealed, by which its facts have left.")],
    reason: Annotated[
        str, typer.Option(help="On what basis, such as the minutes. It stands in the log in the clear.", prompt=True)
    ],
    operator: Annotated[
        str, typer.Option(help="Who answers for it: an office, not a person. In the clear.", prompt=True)
    ],
    drop: Annotated[
        bool, typer.Option("--drop", help="Also drop their table; the export alone has them then.")
    ] = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Take the facts of a year offline, once they have left as evidence. Proofs and the state of tasks stay.

    Without --drop their table stays, in the reach of the owner of the database alone. Killed half-way, nothing has
    happened, or this step is done: say the same again.
    """
    said = checked(Declaration.model_validate, {"reason": reason, "operator": operator})
    what = "Take the facts of {} offline and destroy their table" if drop else "Take the facts of {} offline"
    sure(f"{what.format(year)}, because: {said.reason}? Everybody will read that.", yes=yes)

    async def go(database: Database) -> Row:
        found = Row()
        for step in (retirement.retire, retirement.drop) if drop else (retirement.retire,):
            found = await step(database, year=year, folder=export, declaration=said.reason, operator=said.operator)
        return found

    try:
        found = on_database(go)
    except (retirement.NotRetired, Unreadable) as error:
        fail(str(error))
    show(found, _RETIRED, as_json=json)


_RETIRED: Final = ("year", "facts", "until", "told_from", "table")
