"""Heads, entries and proofs over HTTP, checked with the RFC alone; and what witnesses add to them."""

from __future__ import annotations

import json
from hashlib import sha256
from time import time
from typing import Any

import httpx
import pytest
import rfc8785
from fastapi import FastAPI
from notary import Notary, jwks_of, read_jws, witness
from support import Agency, SignIn

from app import statements
from app.rules import merkle
from app.services import sealing
from app.statements import Kind


@pytest.fixture(scope="module")
async def notary(app: FastAPI) -> Notary:
    return Notary(app)


async def read(agency: Agency, path: str, status: int = 200) -> dict[str, Any]:
    answer = await agency.get(path)
    assert answer.status_code == status, answer.text
    return dict(answer.json())


async def test_a_head_is_signed_by_a_published_key_and_says_what_stands_beside_it(
    notary: Notary, kpu: Agency, http: httpx.AsyncClient
) -> None:
    await kpu.log()
    await notary.seal()
    head = await read(kpu, "/v1/log/head")
    said, _ = statements.read(await jwks_of(http), Kind.HEAD, head["head"])
    assert (said["iss"], said["size"], said["root"]) == ("simpul", head["size"], head["root"])
    assert await read(kpu, f"/v1/log/head?size={head['size']}") == head


async def test_a_receipt_leads_to_an_entry_under_a_head_by_the_rfc_alone(notary: Notary, kpu: Agency) -> None:
    logged = await kpu.post("/v1/tasks", {"title": "-", "description": "-", **OF_KPU})
    leaves = read_jws(logged.headers["audit-receipt"])["leaves"]
    missing = await read(kpu, f"/v1/log/proofs/inclusion?leaf={leaves[0]}", 404)
    assert missing["code"] == "not-in-log"
    await notary.seal()
    for leaf in leaves:
        proof = await read(kpu, f"/v1/log/proofs/inclusion?leaf={leaf}")
        assert climbed(proof) == read_jws(proof["head"])["root"]
        assert proof == await read(kpu, f"/v1/log/proofs/inclusion?index={proof['index']}&size={proof['size']}")


def climbed(proof: dict[str, Any]) -> str:
    """The root that an audit path leads to; RFC 9162, section 2.1.3.2, written down once more."""
    place, last, found = proof["index"] - 1, proof["size"] - 1, bytes.fromhex(proof["leaf"])
    for step in map(bytes.fromhex, proof["path"]):
        if place % 2 or place == last:
            found = sha256(b"\x01" + step + found).digest()
            while place and place % 2 == 0:
                place, last = place // 2, last // 2
        else:
            found = sha256(b"\x01" + found + step).digest()
        place, last = place // 2, last // 2
    assert last == 0
    return found.hex()


async def test_every_head_is_proven_to_continue_every_earlier_one(notary: Notary, kpu: Agency) -> None:
    heads = []
    for _ in range(4):
        await kpu.log()
        heads.append((await notary.seal(), (await read(kpu, "/v1/log/head"))["root"]))
    for old, old_root in heads:
        for new, new_root in heads:
            if old > new:
                continue
            proof = await read(kpu, f"/v1/log/proofs/consistency?from={old}&to={new}")
            assert (proof["from_root"], proof["root"]) == (old_root, new_root)
            path = [bytes.fromhex(one) for one in proof["path"]]
            merkle.check_consistency(old, new, path, bytes.fromhex(old_root), bytes.fromhex(new_root))


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("head?size=9999999999", 404, "no-such-head"),
        ("proofs/inclusion", 400, "invalid-parameter"),
        ("proofs/inclusion?index=1&leaf=" + "a" * 64, 400, "invalid-parameter"),
        ("proofs/inclusion?index=0", 400, "invalid-parameter"),
        ("proofs/inclusion?leaf=AB", 400, "invalid-parameter"),
        ("proofs/inclusion?index=1&size=9999999999", 404, "no-such-head"),
        ("proofs/inclusion?index=1000000000", 404, "not-in-log"),
        ("proofs/consistency", 400, "invalid-parameter"),
        ("proofs/consistency?from=2&to=1", 400, "invalid-parameter"),
        ("proofs/consistency?from=9999999999", 404, "no-such-head"),
        ("entries?limit=1001", 400, "invalid-parameter"),
        ("entries?after=-1", 400, "invalid-parameter"),
    ],
)
async def test_what_the_log_does_not_hold_is_refused_in_words(
    notary: Notary, kpu: Agency, path: str, status: int, code: str
) -> None:
    await notary.seal()
    assert (await read(kpu, f"/v1/log/{path}", status))["code"] == code


async def test_a_size_without_a_head_names_those_near_it(notary: Notary, kpu: Agency) -> None:
    before = await notary.seal()
    await kpu.log()
    after = await notary.seal()
    assert after > before + 1
    refused = await read(kpu, f"/v1/log/head?size={before + 1}", 404)
    assert (refused["next"], refused["newest"]) == (after, after)


async def test_strangers_see_of_an_entry_its_leaf_alone(notary: Notary, kpu: Agency, kodim: Agency) -> None:
    task = await kpu.log(classification="terbatas")
    size = await notary.seal()
    mine, theirs = [await read(one, f"/v1/log/entries?after={size - 2}") for one in (kpu, kodim)]
    own = [one for one in mine["items"] if one["document"] and task["id"] in one["document"]]
    assert own
    for one in own:
        assert sha256(b"\0simpul-event-v1\0" + one["document"].encode()).hexdigest() == one["leaf"]
        assert json.loads(one["document"])["kind"] == one["kind"]
        other = next(entry for entry in theirs["items"] if entry["index"] == one["index"])
        assert other == {**one, "kind": None, "document": None, "openings": None}
    assert task["id"] not in json.dumps(theirs)


async def test_entries_are_contiguous_and_the_root_over_them_is_that_of_the_head(notary: Notary, kodim: Agency) -> None:
    size = await notary.seal()
    tree, after = merkle.Tree(), 0
    while after < size:
        page = await read(kodim, f"/v1/log/entries?after={after}&limit=7")
        assert [one["index"] for one in page["items"]] == list(range(after + 1, page["after"] + 1))
        for one in page["items"][: size - after]:
            list(tree.append(bytes.fromhex(one["leaf"])))
        after = page["after"]
    assert tree.root().hex() == (await read(kodim, f"/v1/log/head?size={size}"))["root"]
    assert (await read(kodim, f"/v1/log/entries?after={after + 1000}")) == {"items": [], "after": after + 1000}


# finality


async def finalities(agency: Agency, task_id: str) -> list[str]:
    history = await read(agency, f"/v1/tasks/{task_id}/history")
    return [one["finality"] for one in history["items"]]


async def test_a_fact_is_pending_then_sealed_then_witnessed_by_three_agencies(
    notary: Notary, client_of: SignIn, kpu: Agency
) -> None:
    task = await kpu.log(region="35.73")
    assert set(await finalities(kpu, task["id"])) == {"pending"}
    size = await notary.seal()
    for count, agency in enumerate(("KPU_KOTA_MALANG", "BAWASLU_KOTA_MALANG", "KPU_KOTA_MALANG", "BKN")):
        client = await client_of(agency, "supervisor")
        key = await witness(client)
        head = await read(kpu, f"/v1/log/head?size={size}")
        assert head["finality"] == "sealed", count
        answer = await key.cosign(head)
        assert answer.status_code == 201, answer.text
        kept = answer.json()
        assert (kept["agency"], kept["size"], kept["jwk"]["kid"]) == (agency, size, kept["kid"])
        statements.read([kept["jwk"]], Kind.COSIGNATURE, kept["cosignature"])
    assert (await read(kpu, f"/v1/log/head?size={size}"))["finality"] == "witnessed"
    assert set(await finalities(kpu, task["id"])) == {"witnessed"}
    index = (await read(kpu, f"/v1/tasks/{task['id']}/history"))["items"][0]["log_index"]
    assert (await read(kpu, f"/v1/log/proofs/inclusion?index={index}"))["finality"] == "witnessed"
    (entry,) = (await read(kpu, f"/v1/log/entries?after={index - 1}&limit=1"))["items"]
    assert entry["finality"] == "witnessed"
    later = await kpu.log(region="35.73")
    await notary.seal()
    assert set(await finalities(kpu, later["id"])) == {"sealed"}
    listed = await read(kpu, f"/v1/log/cosignatures?after={size - 1}&limit=1")
    assert [one["agency"] for one in listed["items"]] == ["BAWASLU_KOTA_MALANG", "BKN", "KPU_KOTA_MALANG"]
    assert listed["after"] == size


async def test_each_cosignature_is_a_fact_that_everybody_hears_of(
    notary: Notary, client_of: SignIn, kodim: Agency
) -> None:
    size = await notary.seal()
    client = await client_of("BAWASLU_KOTA_MALANG", "supervisor")
    key = await witness(client)
    head = await read(client, f"/v1/log/head?size={size}")
    first, second = await key.cosign(head), await key.cosign(head)
    assert second.json() == first.json()
    assert "audit-receipt" not in second.headers
    after = await notary.seal()
    entries = (await read(kodim, f"/v1/log/entries?after={size}&limit=1000"))["items"]
    told = [json.loads(one["document"])["payload"] for one in entries if one["kind"] == "log.cosigned"]
    assert told == [{"size": size, "root": head["root"], "kid": first.json()["kid"]}]
    assert after > size


async def test_what_is_not_signed_by_a_live_key_of_the_agency_is_no_cosignature(
    notary: Notary, client_of: SignIn, operator: Agency
) -> None:
    size = await notary.seal()
    client, other = await client_of("KPU_KOTA_MALANG"), await client_of("BAWASLU_KOTA_MALANG")
    key, theirs = await witness(client), await witness(other)
    head = await read(client, f"/v1/log/head?size={size}")
    assert (await key.cosign({**head, "root": "a" * 64})).json()["code"] == "head-mismatch"
    assert (await key.cosign({**head, "size": size + 10**6})).json()["code"] == "head-mismatch"
    for said in (
        {"iss": "BAWASLU_KOTA_MALANG"},
        {"log": "other"},
        {"size": str(size)},
        {"iat": -1},
        {"iat": int(time()) + 120},
        {"root": "A" * 64},
    ):
        assert (await key.cosign(head, **said)).json()["code"] == "validation-failed", said
    theirs.client = client
    assert (await theirs.cosign(head)).json()["code"] == "validation-failed"
    assert (await key.cosign(head, kind=Kind.HEAD)).json()["code"] == "validation-failed"
    await operator.post(f"/v1/clients/{client.credentials['client_id']}/keys/{key.id}/revocation", {"reason": "Bocor"})
    key.client = await client_of("KPU_KOTA_MALANG")
    assert (await key.cosign(head)).json()["code"] == "validation-failed"


async def test_another_client_of_the_agency_hands_it_in_and_an_operator_none(
    notary: Notary, client_of: SignIn, operator: Agency
) -> None:
    size = await notary.seal()
    signer, courier = [await client_of("BMKG", role) for role in ("viewer", "agency_admin")]
    key = await witness(signer)
    head = await read(courier, f"/v1/log/head?size={size}")
    key.client = courier
    assert (await key.cosign(head)).status_code == 201
    key.client = operator
    assert (await key.cosign(head)).json()["code"] == "permission-denied"


async def test_the_keys_of_the_log_are_there_for_anybody(http: httpx.AsyncClient) -> None:
    answer = await http.get("/.well-known/log-keys.json")
    assert answer.headers["cache-control"] == "public, max-age=60"
    assert all(one.keys() == {"kid", "kty", "crv", "x", "y", "alg", "use"} for one in answer.json()["keys"])


OF_KPU = {"category": "asn_neutrality", "function": "prevention", "region": "35.73"}


async def test_who_hears_of_a_fact_can_prove_what_was_written_and_after_an_erasure_only_what_it_kept(
    notary: Notary, kpu: Agency, kodim: Agency, operator: Agency
) -> None:
    before = await notary.seal()
    task = await kpu.log(region="35.73", title="Gudang kebanjiran", classification="terbatas")
    said = "Pompa sudah dikirim ke gudang"
    answer = await kpu.post(f"/v1/tasks/{task['id']}/comments", {"body": said}, headers={"Acting-User": "staf-9"})
    assert answer.status_code == 201
    await notary.seal()
    place = f"/v1/log/entries?after={before}&limit=1000"
    (kept,) = [one for one in (await read(kpu, place))["items"] if one["kind"] == "task.commented"]
    document = json.loads(kept["document"])
    opening = kept["openings"]["body"]
    assert opening["content"] == said
    opened = sha256(bytes.fromhex(opening["salt"]) + rfc8785.dumps(opening["content"])).hexdigest()
    assert (opened, set(kept["openings"])) == (document["words"]["body"], set(document["words"]))
    assert "staf-9" not in json.dumps(kept)
    for outsider in (kodim, operator):
        (same,) = [one for one in (await read(outsider, place))["items"] if one["index"] == kept["index"]]
        assert (same["leaf"], same["document"], same["openings"]) == (kept["leaf"], None, None)
    async with notary.app.state.database.working() as writer:
        assert await sealing.destroy(writer, sealing.of_record("task", task["id"])) is not None
    (after,) = [one for one in (await read(kpu, place))["items"] if one["index"] == kept["index"]]
    assert (after["leaf"], after["document"], after["openings"]) == (kept["leaf"], kept["document"], {})
