"""Who is asking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.errors import PermissionDenied
from app.rules.vocabulary import Role

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking: one client, the agency it belongs to, and every body for which it may act.

    `acts_for` is the agency and the joint centres and forums whose member it is. `agency` is None for an operator.
    `regions` are the region codes that these cover; empty with `national` true means the whole country.
    """

    client_id: UUID | None
    agency: str | None
    role: Role
    cleared: bool = False
    acts_for: tuple[str, ...] = ()
    office: str = ""
    regions: tuple[str, ...] = ()
    national: bool = False
    coordinator: bool = False
    acting_user: str | None = None
    request_id: str = ""
    token_ends: datetime | None = None
    credential: UUID | None = None
    credential_ends: datetime | None = None

    @property
    def body(self) -> str:
        """The agency for which the caller acts; raises PermissionDenied for an operator, who acts for none."""
        if self.agency is None:
            raise PermissionDenied(permission="agency")
        return self.agency


def itself(where: str) -> Caller:
    """Simpul itself: the worker, or whoever stands at the machine; `where` is kept as the request id."""
    return Caller(client_id=None, agency=None, role=Role.OPERATOR, request_id=where)
