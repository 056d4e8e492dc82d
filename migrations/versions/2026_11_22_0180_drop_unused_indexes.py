"""Keep an index for each statement that needs one, and none for nobody: each says which statement that is.

Dropped: `readers` and `summary_readers` of tasks, which the indexes of words hold beside the words and find as well;
`region_path` of the register, which row-level security never lets near an index; categories of mandates and offices of
agencies, which the rules find that none overlap. Added: the orders of lists that were sorted whole for a page of them.
"""

from __future__ import annotations

from alembic import op

revision = "justified_1"
down_revision = "years_1"
branch_labels = None
depends_on = None

#: Index, table, columns, method: what no statement asks for.
UNUSED = (
    ("ix_task_readers", "task", ["readers"], "gin"),
    ("ix_task_summary_readers", "task", ["summary_readers"], "gin"),
    ("ix_vulnerability_region_path", "vulnerability", ["region_path"], "gin"),
    ("ix_meeting_region_path", "meeting", ["region_path"], "gin"),
    ("ix_mandate_category_function", "mandate", ["category", "function"], "btree"),
    ("ix_agency_region_office", "agency_region", ["office", "tier", "region_code"], "btree"),
    # not in the order of the list
    ("ix_referral_to_agency", "referral", ["to_agency", "id"], "btree"),
    ("ix_referral_from_agency", "referral", ["from_agency", "id"], "btree"),
)
#: Index, table, columns: the orders and filters of lists.
MISSING = (
    ("ix_task_recorded_at", "task", "recorded_at, id"),
    ("ix_task_due_at", "task", "coalesce(due_at, timestamptz '9999-01-01 00:00:00+00'), id"),
    ("ix_referral_recorded_at", "referral", "recorded_at, id"),
    ("ix_referral_to_agency", "referral", "to_agency, recorded_at, id"),
    ("ix_referral_from_agency", "referral", "from_agency, recorded_at, id"),
    ("ix_vulnerability_region_code", "vulnerability", "region_code"),
    ("ix_meeting_region_code", "meeting", "region_code"),
)
#: Index -> the operations and functions whose statements need it, and what they ask.
JUSTIFIED = {
    "ix_assessment_vulnerability_id": "listAssessments: those of a vulnerability, newest first",
    "ix_assignment_task_id": "app.readers_of, assignments.last_handed_over: who was accountable for a task",
    "ix_client_agency": "app.has_client: does an agency have an active client?",
    "ix_client_key_client_id": "authentication.authenticate, listKeys: the keys of a client",
    "ix_client_secret_client_id": "authentication.authenticate, listSecrets: the secrets of a client",
    "ix_comment_task_id": "listTaskComments: those of a task",
    "ix_cosignature_kid": "cosignatures.cosign: which key does an agency name by a kid?",
    "ix_cosignature_size": "listCosignatures: those after a size",
    "ix_deadline_approaches_at": "clock_watch.approach: clocks that are about to run out",
    "ix_deadline_calendar_version": "clock_watch.recompute: clocks that an older calendar counted",
    "ix_deadline_due_at": "listDeadlines: the nearest first",
    "ix_deadline_readers": "listDeadlines: what an agency may read, by row-level security",
    "ix_deadline_status": "clock_watch.breach, listDeadlines: clocks of a status, the nearest first",
    "ix_deadline_task_id": "showTask, listTaskDeadlines: the clocks of a task, and its nearest one",
    "ix_delivery_last_attempt_at": "webhook_queue.forget_old: deliveries that are long over",
    "ix_delivery_open": "webhook_queue.claim, webhook_queue.passed: what was asked for, or waits for another try",
    "ix_delivery_webhook_id": "listDeliveries: those of a webhook, newest first",
    "ix_event_object": "log.latest, log.said, listTaskComments: the facts about an object",
    "ix_event_task_id": "showTaskHistory, app.state_of: the facts of a task in their order",
    "ix_idempotency_record_expires_at": "idempotency.forget_expired: answers that are no longer kept",
    "ix_log_node_leaf": "proveInclusion: where in the log is the fact that a receipt names?",
    "ix_mandate_closure_mandate": "redirection.redirect: when was the end of a mandate confirmed?",
    "ix_meeting_region_code": "listMeetings: those of a region and all below it",
    "ix_meeting_words": "app.find, listMeetings: by words, and what an agency may read, by row-level security",
    "ix_member_agency": "app.enter: for which joint centres does an agency act?",
    "ix_referral_from_agency": "listReferrals: the outbox of an agency, newest first",
    "ix_referral_mandate": "redirection.redirect: open referrals that the end of a mandate, or of an agency, takes back",
    "ix_referral_readers": "listReferrals: what an agency may read, by row-level security",
    "ix_referral_recorded_at": "listReferrals: newest first",
    "ix_referral_task_id": "app.readers_of, listTaskReferrals: those of a task",
    "ix_referral_to_agency": "listReferrals: the inbox of an agency, newest first",
    "ix_region_name": "listRegions: by the beginning of a name",
    "ix_region_parent_code": "listRegions: those of a region",
    "ix_revoked_token_expires_at": "tokens.forget_ended: revocations of tokens that have ended",
    "ix_task_accountable": "succession.succeed: what the end of an agency moves",
    "ix_task_brief": "app.find, listTasks: by reference, and whose summary an agency may read, by row-level security",
    "ix_task_decision": "listMeetingDecisions, showFollowUp: the tasks that a decision made",
    "ix_task_due_at": "listTasks: the nearest end first",
    "ix_task_effective_at": "listTasks: by when it was logged, and the follow-up matrix",
    "ix_task_holder": "listTasks: what an agency holds, newest change first",
    "ix_task_mandate_ended": "succession.succeed: what waits for the law to name somebody",
    "ix_task_meeting": "listTasks: those of a meeting",
    "ix_task_recorded_at": "listTasks: by when it was recorded",
    "ix_task_region_code": "listTasks, countTasks: those of a region and all below it",
    "ix_task_under_mandate": "succession.succeed: what the end of a mandate moves",
    "ix_task_updated_at": "listTasks: newest change first",
    "ix_task_vulnerability_vulnerability_id": "listTasks, countTasks: those that mitigate a vulnerability",
    "ix_task_words": "app.find, listTasks: by words, and what an agency may read, by row-level security",
    "ix_used_assertion_expires_at": "tokens.forget_ended: assertions that would have ended anyway",
    "ix_vulnerability_evidence_vulnerability_id": "listVulnerabilityEvidence: that of a vulnerability",
    "ix_vulnerability_region_code": "listVulnerabilities: those of a region and all below it",
    "ix_vulnerability_words": "app.find, listVulnerabilities: by words, and what an agency may read, by row-level security",
    "ix_webhook_agency": "listWebhooks, createWebhook: those of an agency, and how many",
    "ix_webhook_secret_webhook_id": "listWebhookKeys, deleteWebhook: the keys of a webhook",
    "ix_word_alike": "app.sought: spellings like a misspelled word",
    "ix_word_spelling": "keep_spellings, app.sought: is a spelling there already?",
    "uq_deadline_open": "startClocks: no limit runs twice at once",
    "uq_deadline_started_at": "startClocks: no limit is told twice from one start",
    "uq_delivery_event": "webhook_queue.delivered: an event goes to a webhook once",
    "uq_log_key_signing": "log_keys.signer: one key signs",
    "uq_mandate_closure_proposed": "proposeClosure: one proposal at a time",
    "uq_referral_open": "referTask: a task has one open referral at most",
    "uq_signing_key_state": "signing.rotate: one key signs, one waits",
}
#: Built at once: writes to a table wait while its index is made, on a large installation some minutes.
BRIEF = "-- squawk-ignore require-concurrent-index-deletion, require-concurrent-index-creation\n"


def upgrade() -> None:
    """Drop what nobody asks for, add what is missing, and say what each index is for."""
    for name, *_ in UNUSED:
        op.execute(f"{BRIEF}drop index {name}")
    for name, table, columns in MISSING:
        op.execute(f"{BRIEF}create index {name} on {table} ({columns})")
    for name, why in JUSTIFIED.items():
        op.execute(f"comment on index {name} is '{why}'")


def downgrade() -> None:
    """Have them as they were."""
    for name in JUSTIFIED:
        op.execute(f"comment on index {name} is null")
    for name, *_ in MISSING:
        op.execute(f"drop index {name}")
    for name, table, columns, method in UNUSED:
        op.create_index(name, table, columns, unique=False, postgresql_using=method)
