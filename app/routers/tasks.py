"""Tasks over HTTP."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response

from app import answers, matrix
from app.deps import Caller, IfMatch, Keys, Reader, Writer
from app.errors import (
    ClassificationDenied,
    ClassificationRefused,
    CursorMismatch,
    DuplicateExternalReference,
    FourEyes,
    MandateGap,
    MandateMismatch,
    NoLegalBasis,
    NotAcceptable,
    NotFound,
    PreconditionRequired,
    Recusal,
    ReferralOpen,
    StaleVersion,
    TransitionNotAllowed,
)
from app.guard import guarded, needs
from app.lagging import may_lag
from app.rules.policy import Permission as P
from app.schemas.comments import Comment, CommentInput, CommentList, History
from app.schemas.shares import Share, ShareLevel, ShareList
from app.schemas.tasks import AS_OF, Task, TaskInput, TaskPage, TaskPatch, TaskQuery, TaskSummary
from app.schemas.transitions import TransitionInput, TransitionList
from app.schemas.types import AgencyCode, QueryInstant
from app.services import comments, listing, past, shares, tasks, transitions

router = guarded(prefix="/v1/tasks", tags=["tasks"])

LAW = (MandateMismatch, MandateGap, NoLegalBasis, Recusal)
CONDITIONAL = (NotFound, PreconditionRequired, StaleVersion)


@router.get(
    "",
    operation_id="listTasks",
    summary="List tasks",
    response_model=TaskPage,
    responses={200: {"content": matrix.DOCUMENTED}},
    dependencies=[needs(P.TASK_LIST, CursorMismatch, NotAcceptable), may_lag(matrix.is_wanted)],
)
async def list_tasks(
    request: Request, reader: Reader, caller: Caller, keys: Keys, query: Annotated[TaskQuery, Query()]
) -> Response:
    """The tasks you may see: whole where your agency is a party, in summary where it coordinates.

    What you see in summary is found by `status`, `accountable`, `category`, `function`, `priority`, `region`,
    `due_before`, `due_after` and `as_of` alone, and by `q` only by its reference: any other filter leaves it out.

    With `Accept: text/csv`, `application/x-ndjson` or the type of XLSX the whole list comes as one file (the follow-up
    matrix). `limit`, `cursor` and any `sort` but `-effective_at` (the default) and `effective_at` are refused (400). A
    client writes two files at once, an agency three, unless the service is set otherwise (429). CSV and XLSX have
    headings by Accept-Language, times in the zone of each region, and an apostrophe before whatever a spreadsheet
    would run; in XLSX three lines stand above the headings. NDJSON has the items as they are. With `count`,
    `Total-Count` says how many come. A file that can't be finished ends with its connection, never as if it were whole.
    """
    if (kind := matrix.wanted(request)) is not None:
        return await matrix.written(request, reader, caller, keys, query, kind)
    return answers.page(request, await listing.list_tasks(reader, caller, keys, query))


@router.post(
    "",
    operation_id="logTask",
    summary="Log a task",
    status_code=201,
    response_model=Task,
    dependencies=[needs(P.TASK_LOG, *LAW, ClassificationRefused, DuplicateExternalReference)],
)
async def log_task(request: Request, writer: Writer, caller: Caller, input: TaskInput) -> Response:
    """The law decides who owns it: a referral goes to the competent agency, or the task is accepted if that is you.

    `proposed_owner` is checked, not trusted; the refusal names who is competent and why.
    """
    task = await tasks.log_task(writer, caller, input)
    return answers.written(request, task, status=201, location=f"/v1/tasks/{task['id']}")


@router.get(
    "/{id}",
    operation_id="showTask",
    summary="Show a task",
    response_model=Task | TaskSummary,
    dependencies=[needs(P.TASK_LIST, NotFound)],
)
async def show_task(
    request: Request,
    reader: Reader,
    caller: Caller,
    keys: Keys,
    id: UUID,
    as_of: Annotated[QueryInstant | None, Query(description=AS_OF)] = None,
) -> Response:
    """A task with the moves that are open to you (`available_transitions`); `access` says how much of it you see.

    The ETag of what is past fits no write.
    """
    task, version = await past.show_task(reader, caller, keys, id, as_of=as_of)
    return answers.read(request, task, version=version)


@router.patch(
    "/{id}",
    operation_id="updateTask",
    summary="Change a task",
    response_model=Task,
    dependencies=[
        needs(
            P.TASK_UPDATE,
            *CONDITIONAL,
            TransitionNotAllowed,
            ClassificationDenied,
            ClassificationRefused,
            DuplicateExternalReference,
        )
    ],
)
async def update_task(
    request: Request,
    writer: Writer,
    caller: Caller,
    id: UUID,
    version: IfMatch,
    patch: TaskPatch,
) -> Response:
    """A merge patch of what does not decide ownership; category, region and function stay: cancel and log anew."""
    return answers.written(request, await tasks.update_task(writer, caller, id, version, patch))


@router.get(
    "/{id}/transitions",
    operation_id="listTaskTransitions",
    summary="List the moves open to you",
    response_model=TransitionList,
    dependencies=[needs(P.TASK_LIST, NotFound)],
)
async def list_transitions(reader: Reader, caller: Caller, id: UUID) -> Response:
    """What you may do with the task now, where to send it, and what each move requires."""
    return answers.items(await transitions.list_transitions(reader, caller, id))


@router.post(
    "/{id}/transitions",
    operation_id="moveTask",
    summary="Move a task",
    response_model=Task | TaskSummary,
    dependencies=[needs(P.TASK_MOVE, *CONDITIONAL, TransitionNotAllowed, ReferralOpen, FourEyes, *LAW)],
)
async def move_task(
    request: Request,
    writer: Writer,
    caller: Caller,
    id: UUID,
    version: IfMatch,
    input: TransitionInput,
) -> Response:
    """Of many callers with one ETag one wins.

    The logger's officer submits, and cancels before acceptance. The accountable agency's officer starts, awaits info,
    resumes and resolves, its supervisor cancels. A supervisor of the logger's agency (unless the case is about its own
    people) or of a coordinator (KPU or Bawaslu of the regency or city) confirms, rejects the outcome or reopens, but
    never with the client that resolved.
    """
    task, new = await transitions.move_task(writer, caller, id, version, input)
    return answers.written(request, task, version=new)


@router.get(
    "/{id}/shares",
    operation_id="listTaskShares",
    summary="List whom a task is shown to",
    response_model=ShareList,
    dependencies=[needs(P.TASK_READ, NotFound, ClassificationDenied)],
)
async def list_shares(reader: Reader, caller: Caller, id: UUID) -> Response:
    """The agencies to which the task is shown beyond its parties."""
    return answers.items(await shares.list_shares(reader, caller, id))


@router.put(
    "/{id}/shares/{agency}",
    operation_id="shareTask",
    summary="Share a task",
    response_model=Share,
    dependencies=[needs(P.TASK_SHARE, *CONDITIONAL)],
)
async def share_task(
    request: Request,
    writer: Writer,
    caller: Caller,
    id: UUID,
    agency: AgencyCode,
    version: IfMatch,
    input: ShareLevel,
) -> Response:
    """Show the task to one more agency, whole or in summary. The ETag is the task's."""
    share, new = await shares.share_task(writer, caller, id, agency, version, input.level)
    return answers.written(request, share, version=new)


@router.delete(
    "/{id}/shares/{agency}",
    operation_id="unshareTask",
    summary="Take a share back",
    status_code=204,
    responses={204: {"headers": {"ETag": {"$ref": "#/components/headers/ETag"}}}},
    response_class=Response,
    dependencies=[needs(P.TASK_SHARE, *CONDITIONAL)],
)
async def unshare_task(
    writer: Writer,
    caller: Caller,
    id: UUID,
    agency: AgencyCode,
    version: IfMatch,
) -> Response:
    """End what the agency sees by this share; what it sees as a party stays. The ETag is the task's."""
    new = await shares.unshare_task(writer, caller, id, agency, version)
    return Response(status_code=204, headers={"ETag": answers.etag(new, b"")})


@router.get(
    "/{id}/history",
    operation_id="showTaskHistory",
    summary="Show what happened to a task",
    response_model=History,
    dependencies=[needs(P.TASK_LIST, NotFound, ClassificationDenied)],
)
async def show_history(request: Request, reader: Reader, caller: Caller, keys: Keys, id: UUID) -> Response:
    """Every fact with its two instants, who, by which client; and who was assigned from when to when.

    A previous owner reads up to its hand-over.
    """
    return answers.read(request, await comments.show_history(reader, caller, keys, id))


@router.get(
    "/{id}/comments",
    operation_id="listTaskComments",
    summary="List comments",
    response_model=CommentList,
    dependencies=[needs(P.TASK_LIST, NotFound, ClassificationDenied)],
)
async def list_comments(reader: Reader, caller: Caller, keys: Keys, id: UUID) -> Response:
    """What was said about the task, oldest first."""
    return answers.items(await comments.list_comments(reader, caller, keys, id))


@router.post(
    "/{id}/comments",
    operation_id="commentOnTask",
    summary="Comment on a task",
    status_code=201,
    response_model=Comment,
    dependencies=[needs(P.TASK_COMMENT, NotFound)],
)
async def comment_on_task(
    request: Request,
    writer: Writer,
    caller: Caller,
    id: UUID,
    input: CommentInput,
) -> Response:
    """Say something about the task; its version stays as it is."""
    said = await comments.comment_on_task(writer, caller, id, input.body)
    return answers.written(request, said, status=201, location=f"/v1/tasks/{id}/comments")
