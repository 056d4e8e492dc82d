"""Webhooks are kept by the administrators of their own agency: what they may say, and what nobody is shown."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hostile_targets import REFUSED
from support import Agency
from yard import BAWASLU, KPU, Yard

from app import db
from app.main import create_app
from app.rules.webhooks import MOST, MOST_ASKED


async def test_the_keys_of_a_webhook_are_read_again_only_when_they_changed(idle: Yard) -> None:
    path = f"/v1/webhooks/{(await idle.hook(KPU, '/again'))['id']}/secret"
    held = {"If-None-Match": (await idle.operator.get(path)).headers["etag"]}
    assert (await idle.operator.get(path, headers=held)).status_code == 304
    assert (await idle.operator.post(path, {})).status_code == 201
    assert (await idle.operator.get(path, headers=held)).status_code == 200


async def test_a_webhook_begins_at_the_newest_entry_and_shows_its_public_key(idle: Yard) -> None:
    async with idle.database.working() as writer:
        size = await db.value(writer, "select coalesce(max(index), 0) from log_entry")
    made = await idle.hook(KPU, "/made", "task.*", "referral.accepted", description="Sistem surat")
    assert made["key"]["public_key"].startswith("whpk_")
    assert made["key"]["secret"] is None
    shown = await idle.show(made)
    assert shown == {name: made[name] for name in shown}
    assert (shown["agency"], shown["status"], shown["position"], shown["clearance"]) == (
        KPU,
        "active",
        size,
        "terbatas",
    )
    assert (shown["types"], shown["url"]) == (["task.*", "referral.accepted"], idle.receiver.url("/made"))


async def test_only_administrators_and_operators_keep_webhooks_and_each_its_own(idle: Yard) -> None:
    made = await idle.hook(KPU, "/own")
    place = f"/v1/webhooks/{made['id']}"
    for role in ("viewer", "officer", "supervisor", "auditor", "expert"):
        other = await idle.client(KPU, role)
        for refused in (await other.get("/v1/webhooks"), await other.get(place), await other.post(f"{place}/ping")):
            assert (refused.status_code, refused.json()["code"]) == (403, "permission-denied")
    stranger = await idle.admin(BAWASLU)
    assert made["id"] not in (await stranger.get("/v1/webhooks")).text
    for path in (place, f"{place}/secret", f"{place}/deliveries"):
        assert (await stranger.get(path)).status_code == 404
    for path in (f"{place}/secret", f"{place}/ping"):
        assert (await stranger.post(path, {})).status_code == 404
    assert (await stranger.patch(place, {"status": "paused"}, etag='"1"')).status_code == 404
    assert (await stranger.delete(place, etag='"1"')).status_code == 404
    for_others = await stranger.post("/v1/webhooks", {"agency": KPU, "url": "https://hook.example.go.id/"})
    assert (for_others.status_code, for_others.json()["permission"]) == (403, "webhook.keep")
    listed = (await idle.operator.get("/v1/webhooks", params={"agency": KPU})).json()["items"]
    assert made["id"] in {one["id"] for one in listed}


async def test_an_operator_names_the_agency(idle: Yard) -> None:
    for said, code in (({}, "missing"), ({"agency": "NO_SUCH_AGENCY"}, "unknown")):
        refused = await idle.operator.post("/v1/webhooks", {**said, "url": idle.receiver.url("/x")})
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, code)


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"types": ["task.nothing"]}, "/types/0"),
        ({"types": ["nothing.*"]}, "/types/0"),
        ({"types": ["*"]}, "/types/0"),
        ({"types": ["task.*", "task.*"]}, "/types"),
        ({"signature": "none"}, "/signature"),
        ({"clearance": "sangat_rahasia"}, "/clearance"),
        ({"after": -1}, "/after"),
        ({"after": 10**12}, "/after"),
        ({"status": "parked"}, "/status"),
        ({"position": 7}, "/position"),
        ({"url": None}, "/url"),
    ],
)
async def test_what_makes_no_webhook_is_refused(idle: Yard, said: dict[str, Any], pointer: str) -> None:
    body = {"url": idle.receiver.url("/x"), **said}
    refused = await (await idle.admin(KPU)).post("/v1/webhooks", body)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer)


async def test_hostile_addresses_are_refused_when_made_and_when_changed(idle: Yard) -> None:
    settings = idle.settings.model_copy(update={"webhook_networks": "", "webhook_ports": "443,8443"})
    app = create_app(settings, idle.url)  # as it is where no network is named
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://simpul") as http:
        admin = Agency(http, {}, (await idle.admin(KPU)).headers)
        made = (await admin.post("/v1/webhooks", {"url": "https://simpul.kpu.go.id/masuk"})).json()
        taken = []
        for code, urls in REFUSED.items():
            for url in (one for one in urls if one == one.strip()):
                for answer in (
                    await admin.post("/v1/webhooks", {"url": url}),
                    await admin.patch(f"/v1/webhooks/{made['id']}", {"url": url}, etag='"1"'),
                ):
                    faults = [one.get("pointer") for one in answer.json().get("errors", [])]
                    if answer.status_code != 422 or faults != ["/url"]:
                        taken.append((code, url, answer.status_code, faults))
        assert taken == []
        assert (await admin.delete(f"/v1/webhooks/{made['id']}", etag='"1"')).status_code == 204
    await app.state.database.close()


async def test_an_agency_has_twenty_at_most(idle: Yard) -> None:
    code = "DKPP"
    admin = await idle.admin(code)
    for number in range(MOST):
        await idle.hook(code, f"/{number}")
    refused = await admin.post("/v1/webhooks", {"url": idle.receiver.url("/more")})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "too_many")


async def test_no_more_is_asked_for_out_of_order_than_a_receiver_takes_in_a_while(idle: Yard) -> None:
    hook, other = await idle.hook(KPU, "/flooded"), await idle.hook(KPU, "/next")
    admin = await idle.admin(KPU)
    asked = [await admin.post(f"/v1/webhooks/{hook['id']}/ping") for _ in range(MOST_ASKED)]
    assert {one.status_code for one in asked} == {201}
    last = asked[-1].json()["id"]
    for path in ("ping", f"deliveries/{last}/redelivery"):
        refused = await admin.post(f"/v1/webhooks/{hook['id']}/{path}")
        assert (refused.status_code, refused.json()["code"]) == (429, "quota-exceeded")
        assert refused.headers["retry-after"] == "60"
    assert len(await idle.deliveries(hook, status="asked")) == MOST_ASKED
    assert (await admin.post(f"/v1/webhooks/{other['id']}/ping")).status_code == 201


async def test_changes_hold_a_version_and_deletion_too(idle: Yard) -> None:
    made = await idle.hook(KPU, "/versions")
    admin, place = await idle.admin(KPU), f"/v1/webhooks/{made['id']}"
    assert (await admin.patch(place, {"description": "-"})).status_code == 428
    assert (await admin.patch(place, {"description": "-"}, etag='"7"')).status_code == 412
    changed = await admin.patch(place, {"description": None, "types": []}, etag='"1"')
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert (await admin.delete(place)).status_code == 428
    assert (await admin.delete(place, etag='"1"')).status_code == 412
    assert (await admin.delete(place, etag='"2"')).status_code == 204
    for path in (place, f"{place}/secret", f"{place}/deliveries"):
        assert (await admin.get(path)).status_code == 404


async def test_a_creation_that_is_repeated_makes_one(idle: Yard) -> None:
    admin = await idle.admin(KPU)
    headers = {"Idempotency-Key": "one-webhook"}
    body = {"url": idle.receiver.url("/once"), "signature": "v1"}
    first, again = [await admin.post("/v1/webhooks", body, headers=headers) for _ in range(2)]
    assert (again.headers["idempotent-replayed"], again.json()) == ("true", first.json())
    idle.made.append((admin, first.json()["id"]))
    assert first.headers["audit-receipt"]


async def test_rahasia_is_granted_by_who_holds_it(idle: Yard) -> None:
    admin, cleared = await idle.admin(KPU), await idle.client(KPU, "agency_admin", clearance="rahasia")
    said = {"url": idle.receiver.url("/r"), "clearance": "rahasia"}
    assert (await admin.post("/v1/webhooks", said)).status_code == 403
    made = await idle.hook(KPU, "/r", by=cleared, clearance="rahasia")
    place = f"/v1/webhooks/{made['id']}"
    for refused in (
        await admin.patch(place, {"url": idle.receiver.url("/mine")}, etag='"1"'),
        await admin.post(f"{place}/secret", {}),
    ):
        assert (refused.status_code, refused.json()["permission"]) == (403, "client.clear")
    lowered = await admin.patch(place, {"clearance": "terbatas", "url": idle.receiver.url("/mine")}, etag='"1"')
    assert lowered.status_code == 200
    assert (await admin.patch(place, {"clearance": "rahasia"}, etag='"2"')).status_code == 403


async def test_no_private_half_stands_anywhere_in_the_database(idle: Yard) -> None:
    made = await idle.hook(KPU, "/secret", signature="v1")
    rotated = await idle.operator.post(f"/v1/webhooks/{made['id']}/secret", {"overlap_hours": 1})
    needles = [one.removeprefix("whsec_") for one in (made["key"]["secret"], rotated.json()["secret"])]
    async with idle.database.working() as reader:
        for table in ("webhook", "webhook_secret", "delivery", "event", "idempotency_record"):
            dump = await db.rows(reader, f'select t::text as line from "{table}" t')
            assert not [one for one in dump if any(needle in one["line"] for needle in needles)], table


async def test_the_role_of_the_api_sees_no_seal_and_no_other_agencys_webhooks(idle: Yard) -> None:
    await idle.hook(KPU, "/walls")
    for statement in ("select sealed from webhook_secret", "select * from webhook_secret", "delete from delivery"):
        async with idle.database.writing() as writer:
            await db.value(writer, "select app.become('simpul_api')")
            with pytest.raises(Exception, match="permission denied"):
                await db.value(writer, statement)
            await writer.rollback()
    async with idle.database.writing() as writer:
        await db.value(writer, "select app.become('simpul_api')")
        await db.value(
            writer, "select set_config('app.role', 'agency_admin', true), set_config('app.agency', 'DKPP', true)"
        )
        assert await db.value(writer, "select count(*) from webhook") == 0
        assert await db.value(writer, "select count(id) from webhook_secret") == 0
        await db.value(writer, f"select set_config('app.agency', '{KPU}', true)")
        assert await db.value(writer, "select count(*) from webhook") == 1
        assert await db.value(writer, "select count(id) from webhook_secret") == 1


async def test_lists_are_paged(idle: Yard) -> None:
    made = [(await idle.hook(KPU, f"/page{number}"))["id"] for number in range(5)]
    admin: Agency = await idle.admin(KPU)
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await admin.get("/v1/webhooks", params={"limit": "2", **cursor})).json()
        seen += [one["id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == made[::-1]
    for _ in range(3):
        await admin.post(f"/v1/webhooks/{made[0]}/ping")
    first = (await admin.get(f"/v1/webhooks/{made[0]}/deliveries", params={"limit": "2"})).json()
    cursor = {"cursor": first["next_cursor"], "limit": "2"}
    rest = (await admin.get(f"/v1/webhooks/{made[0]}/deliveries", params=cursor)).json()
    assert (len(first["items"]), len(rest["items"]), rest["next_cursor"]) == (2, 1, None)
    crossed = await admin.get(f"/v1/webhooks/{made[1]}/deliveries", params=cursor)
    assert (crossed.status_code, crossed.json()["code"]) == (400, "cursor-mismatch")
