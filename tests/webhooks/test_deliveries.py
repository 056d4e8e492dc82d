"""What a receiver gets: everything it may hear and asked for, signed, in order, each once."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from typing import Any

import httpx
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from listener import eventually
from receiving import Post, status
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from support import Agency, task
from yard import BAWASLU, KPU, Yard

from app import statements
from app.schemas.events import Ping
from app.services import log_keys
from app.statements import Kind

VILLAGE = "35.73.04.1011"


def verified(post: Post, public_key: str) -> dict[str, Any]:
    """What was sent, if one of its signatures is of this key (`whpk_`)."""
    key = Ed25519PublicKey.from_public_bytes(b64decode(public_key.removeprefix("whpk_")))
    signed = f"{post.id}.{post.headers['webhook-timestamp']}.".encode() + post.body
    for one in post.headers["webhook-signature"].split(" "):
        version, _, signature = one.partition(",")
        assert version == "v1a"
        try:
            key.verify(b64decode(signature), signed)
        except Exception:  # noqa: BLE001, S112 - the next one may be ours
            continue
        return post.event
    raise AssertionError("no signature of this key")


async def test_what_happened_arrives_signed_in_order_and_once(yard: Yard) -> None:
    hook = await yard.hook(KPU, "/order", "election.*")
    codes = await yard.happen(30)
    posts = await yard.receiver.until("/order", 30)
    await yard.settled(hook)
    assert [one.event["subject"] for one in yard.receiver.at("/order")] == [f"elections/{code}" for code in codes]
    entries = await yard.entries("election.created", since=hook["position"])
    assert [(one.event["logindex"], one.id) for one in posts] == entries
    for post in posts:
        event = verified(post, hook["key"]["public_key"])
        assert event["id"] == post.id
        assert (event["specversion"], event["type"]) == ("1.0", "election.created")
        assert post.headers["content-type"] == "application/cloudevents+json"
    kept = await yard.deliveries(hook)
    assert [one["event"] for one in reversed(kept)] == [event for _, event in entries]
    assert {(one["status"], one["attempts"], one["status_code"], one["failure"]) for one in kept} == {
        ("delivered", 1, 204, None)
    }


async def test_the_public_library_verifies_what_a_shared_secret_signs(yard: Yard) -> None:
    hook = await yard.hook(KPU, "/library", "election.*", signature="v1")
    secret = hook["key"]["secret"]
    assert secret.startswith("whsec_")
    assert hook["key"]["public_key"] is None
    await yard.happen()
    (post,) = await yard.receiver.until("/library", 1)
    assert Webhook(secret).verify(post.body, post.headers) == post.event
    for spoilt in (post.body + b" ", post.body.replace(b"election", b"elections")):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(spoilt, post.headers)
    shown = (await yard.operator.get(f"/v1/webhooks/{hook['id']}/secret")).json()["items"]
    assert [(one["id"], one["public_key"]) for one in shown] == [(hook["key"]["id"], None)]
    assert secret not in orjson.dumps(shown).decode()


async def test_the_newest_signed_head_comes_along(yard: Yard) -> None:
    await yard.hook(KPU, "/head", "election.*")
    await yard.happen()
    (post,) = await yard.receiver.until("/head", 1)
    async with yard.database.working() as writer:
        keys = await log_keys.published(writer)
    said, _ = statements.read(keys, Kind.HEAD, post.headers["log-head"])
    assert said["size"] > 0


@pytest.mark.parametrize("scheme", ["v1a", "v1"])
async def test_while_keys_are_rotated_both_sign_and_then_the_new_one_alone(yard: Yard, scheme: str) -> None:
    path = f"/rotation-{scheme}"
    hook = await yard.hook(KPU, path, "election.*", signature=scheme)
    place = f"/v1/webhooks/{hook['id']}/secret"
    rotated = await yard.operator.post(place, {"overlap_hours": 2, "reason": "Berkala"})
    assert rotated.status_code == 201, rotated.text
    new, old = rotated.json(), hook["key"]
    assert [one["id"] for one in (await yard.operator.get(place)).json()["items"]] == [new["id"], old["id"]]
    await yard.happen()
    (both,) = await yard.receiver.until(path, 1)
    assert len(both.headers["webhook-signature"].split()) == 2
    for key in (old, new):
        checked(both, key)

    newest = (await yard.operator.post(place, {"overlap_hours": 0})).json()
    assert [one["id"] for one in (await yard.operator.get(place)).json()["items"]] == [newest["id"]]
    await yard.happen()
    _, alone = await yard.receiver.until(path, 2)
    assert len(alone.headers["webhook-signature"].split()) == 1
    checked(alone, newest)
    for key in (old, new):
        with pytest.raises((WebhookVerificationError, AssertionError)):
            checked(alone, key)


def checked(post: Post, key: dict[str, Any]) -> None:
    if key["secret"] is not None:
        Webhook(key["secret"]).verify(post.body, post.headers)
    else:
        verified(post, key["public_key"])


async def test_two_keys_sign_at_most(yard: Yard) -> None:
    hook = await yard.hook(KPU, "/three")
    place = f"/v1/webhooks/{hook['id']}/secret"
    second, third = [(await yard.operator.post(place, {})).json()["id"] for _ in range(2)]
    assert [one["id"] for one in (await yard.operator.get(place)).json()["items"]] == [third, second]


# what is heard


async def test_a_filter_names_kinds_or_families(yard: Yard) -> None:
    kinds = await yard.hook(KPU, "/kinds", "election.updated", "client.*")
    (code,) = await yard.happen()
    renamed = await yard.operator.patch(f"/v1/elections/{code}", {"name_id": "Lagi"}, etag='"1"')
    assert renamed.status_code == 200
    await viewer_of(yard, KPU)
    await yard.settled(kinds)
    assert [one["type"] for one in yard.receiver.events("/kinds")] == ["election.updated", "client.created"]


async def viewer_of(yard: Yard, agency: str) -> str:
    """A client that an agency's own administrator makes; its id."""
    admin = await yard.admin(agency)
    made = await admin.post("/v1/clients", {"role": "viewer", "purpose": "Uji"})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def test_an_agency_hears_what_a_viewer_of_its_own_may_read_and_no_more(yard: Yard) -> None:
    logger = await yard.client("BAKESBANGPOL_KOTA_MALANG", "supervisor", clearance="rahasia")
    ours = await yard.hook("BKPSDM_KOTA_MALANG", "/owner", "task.*", "referral.*")
    secret = await yard.hook("BKPSDM_KOTA_MALANG", "/cleared", "task.*", by=yard.operator, clearance="rahasia")
    elsewhere = await yard.hook("POLRES_BATU", "/elsewhere", "task.*", "referral.*")
    coordinator = await yard.hook(KPU, "/coordinator", "task.*", "referral.*")
    logged = {
        classification: await logger.log(region=VILLAGE, classification=classification)
        for classification in ("terbuka", "terbatas", "rahasia")
    }
    for hook in (ours, secret, elsewhere, coordinator):
        await yard.settled(hook)
    heard = {path: {one["data"]["task"] for one in yard.receiver.events(path)} for path in ("/owner", "/cleared")}
    assert heard == {
        "/owner": {logged["terbuka"]["id"], logged["terbatas"]["id"]},
        "/cleared": {one["id"] for one in logged.values()},
    }
    assert yard.receiver.events("/elsewhere") == []
    assert {one["data"]["task"] for one in yard.receiver.events("/coordinator")} == {logged["terbuka"]["id"]}


async def test_above_terbuka_ids_alone_go_out(yard: Yard) -> None:
    logger = await yard.client("BAKESBANGPOL_KOTA_MALANG", "supervisor")
    hook = await yard.hook("BAKESBANGPOL_KOTA_MALANG", "/ids", "task.*", "referral.*")
    words = {"title": "kenari-judul", "description": "kenari-uraian"}
    headers = {"Acting-User": "kenari-staf"}
    made = {}
    for classification in ("terbatas", "terbuka"):
        said = task(classification=classification, region=VILLAGE, **words)
        made[classification] = (await logger.post("/v1/tasks", said, headers=headers)).json()
        etag = f'"{made[classification]["version"]}"'
        body = {"action": "cancel", "reason": "kenari-alasan"}
        path = f"/v1/tasks/{made[classification]['id']}/transitions"
        assert (await logger.post(path, body, etag=etag, headers=headers)).status_code == 200
    await yard.settled(hook)
    sent = yard.receiver.events("/ids")
    of = {name: [one for one in sent if one["data"]["task"] == one_task["id"]] for name, one_task in made.items()}
    assert [one["type"] for one in of["terbatas"]] == [one["type"] for one in of["terbuka"]] != []
    for one in of["terbatas"]:
        assert one["data"].keys() == {"object_type", "object_id", "task", "request_id"}
        assert "kenari" not in str(one)
    cancelled = next(one for one in of["terbuka"] if one["type"] == "task.cancelled")
    assert cancelled["data"]["facts"]["reason"] == "kenari-alasan"
    assert cancelled["data"]["acting_user"] == "kenari-staf"


async def test_an_agency_hears_of_access_to_itself_alone(yard: Yard) -> None:
    hook = await yard.hook(KPU, "/access", "client.*", "secret.*", "webhook.*")
    ours, theirs = await viewer_of(yard, KPU), await viewer_of(yard, BAWASLU)
    await yard.settled(hook)
    about = [(one["type"], one["subject"]) for one in yard.receiver.events("/access")]
    assert about == [
        ("webhook.created", f"webhooks/{hook['id']}"),
        ("client.created", f"clients/{ours}"),
    ]
    assert theirs not in str(about)


async def test_a_suspended_agency_hears_nothing_until_it_is_reinstated(yard: Yard) -> None:
    code = "BPBD_KOTA_MALANG"
    hook = await yard.hook(code, "/suspended", "election.*", by=yard.operator)
    await yard.settled(hook)
    await turn(yard.operator, code, "suspension")
    await yard.happen(2)
    other = await yard.hook(KPU, "/unsuspended", "election.*")
    await yard.happen()
    await yard.receiver.until("/unsuspended", 1)
    await yard.settled(other)
    assert yard.receiver.at("/suspended") == []
    await turn(yard.operator, code, "reinstatement")
    await yard.receiver.until("/suspended", 3)


async def turn(operator: Agency, code: str, move: str) -> None:
    etag = (await operator.get(f"/v1/agencies/{code}")).headers["etag"]
    turned = await operator.post(f"/v1/agencies/{code}/{move}", {"reason": "Uji"}, etag=etag)
    assert turned.status_code == 200, turned.text


async def test_one_may_begin_with_what_was(yard: Yard) -> None:
    first = await yard.hook(KPU, "/before", "election.*")
    codes = await yard.happen(3)
    await yard.settled(first)
    entries = await yard.entries("election.created", since=first["position"])
    await yard.hook(KPU, "/after", "election.*", after=entries[0][0])
    posts = await yard.receiver.until("/after", 2)
    assert [one.event["subject"] for one in posts] == [f"elections/{code}" for code in codes[1:]]


# asked for out of order


async def test_a_ping_is_signed_and_no_event_and_stands_among_the_deliveries(yard: Yard) -> None:
    hook = await yard.hook(KPU, "/ping", "election.*")
    assert (await yard.patch(hook, status="paused")).status_code == 200
    asked = await yard.operator.post(f"/v1/webhooks/{hook['id']}/ping")
    assert (asked.status_code, asked.json()["status"], asked.json()["type"]) == (201, "asked", "ping")
    (post,) = await yard.receiver.until("/ping", 1)
    event = verified(post, hook["key"]["public_key"])
    assert (event["type"], event["id"], event["data"]) == ("ping", asked.json()["id"], {})
    Ping.model_validate_json(orjson.dumps(event))
    (kept,) = await tried(yard, hook, "delivered")
    assert (kept["id"], kept["event"], kept["status_code"], kept["attempts"]) == (asked.json()["id"], None, 204, 1)


async def tried(yard: Yard, hook: dict[str, Any], status: str, *, count: int = 1) -> list[dict[str, Any]]:
    """The deliveries of a webhook in a status, once there are so many."""

    async def look() -> list[dict[str, Any]]:
        kept = await yard.deliveries(hook, status=status)
        return kept if len(kept) == count else []

    return await eventually(look)


async def test_a_ping_that_fails_says_why_and_holds_nothing_up(yard: Yard) -> None:
    hook = await yard.hook(KPU, "/ill-ping", "election.*")
    yard.receiver.behaviours["/ill-ping"] = status(503)
    await yard.operator.post(f"/v1/webhooks/{hook['id']}/ping")
    await yard.receiver.until("/ill-ping", 1)
    yard.receiver.behaviours.clear()
    (kept,) = await tried(yard, hook, "failed")
    assert (kept["failure"], kept["status_code"], kept["attempts"]) == ("status", 503, 1)
    await yard.happen()
    await yard.receiver.until("/ill-ping", 2)
    assert (await yard.show(hook))["failing_since"] is None


async def test_a_redelivery_carries_the_same_id_and_moves_nothing(yard: Yard) -> None:
    hook = await yard.hook(KPU, "/again", "election.*")
    await yard.happen(2)
    first, _ = await yard.receiver.until("/again", 2)
    before = await yard.settled(hook)
    kept = (await yard.deliveries(hook))[-1]
    assert kept["event"] == first.id
    place = f"/v1/webhooks/{hook['id']}/deliveries/{kept['id']}/redelivery"
    asked = await yard.operator.post(place)
    assert (asked.status_code, asked.json()["status"]) == (200, "asked")
    again = (await yard.receiver.until("/again", 3))[-1]
    assert (again.id, again.event) == (first.id, first.event)
    assert (await tried(yard, hook, "delivered", count=2))[-1]["attempts"] == 2
    assert (await yard.show(hook))["position"] == before["position"]


async def test_what_is_still_to_come_is_not_asked_for(yard: Yard) -> None:
    hook = await yard.hook(KPU, "/to-come", "election.*")
    yard.receiver.behaviours["/to-come"] = status(500)
    await yard.happen()
    await yard.receiver.until("/to-come", 1)
    (kept,) = await tried(yard, hook, "failing")
    refused = await yard.operator.post(f"/v1/webhooks/{hook['id']}/deliveries/{kept['id']}/redelivery")
    assert (refused.status_code, refused.json()["code"]) == (409, "transition-not-allowed")
    assert refused.json()["lawful"][0]["href"] == f"/v1/webhooks/{hook['id']}"


async def test_what_one_may_not_hear_any_more_is_not_delivered_again(yard: Yard) -> None:
    hook = await yard.hook("BKPSDM_KOTA_MALANG", "/lost", "task.*", by=yard.operator, clearance="rahasia")
    logger = await yard.client("BAKESBANGPOL_KOTA_MALANG", "supervisor", clearance="rahasia")
    await logger.log(classification="rahasia")
    await yard.receiver.until("/lost", 1)
    await yard.settled(hook)
    (kept,) = await yard.deliveries(hook)
    assert (await yard.patch(hook, clearance="terbatas")).status_code == 200
    assert (await yard.operator.post(f"/v1/webhooks/{hook['id']}/deliveries/{kept['id']}/redelivery")).is_success
    (kept,) = await tried(yard, hook, "failed")
    assert kept["failure"] == "not_heard"
    assert len(yard.receiver.at("/lost")) == 1


async def test_the_receivers_words_are_kept_nowhere(yard: Yard) -> None:
    hook = await yard.hook(KPU, "/words", "election.*")

    async def tell(_: Post, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 kenari-alasan\r\nx-word: kenari-kepala\r\ncontent-length: 11\r\n\r\nkenari-isi!")
        await writer.drain()

    yard.receiver.behaviours["/words"] = tell
    await yard.happen()
    await yard.receiver.until("/words", 1)
    await tried(yard, hook, "delivered")
    answer: httpx.Response = await yard.operator.get(f"/v1/webhooks/{hook['id']}/deliveries")
    assert "kenari" not in answer.text
