"""`simpul log rotate-key`, `simpul log erase`: what is done to the log at the machine itself (break glass)."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

import typer

from app.break_glass import Json, Reason, Yes, act, checked, show, sure
from app.db import Row, Writer
from app.rules.caller import Caller
from app.schemas.erasures import ErasureInput
from app.security import Keys
from app.services import erasures, log_keys
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
