"""Search: by stems, in spite of misspelling, and never by words that the caller may not read."""

from __future__ import annotations

from typing import Any

import pytest
from support import Agency, SignIn

from app.db import Database, value
from app.rules.words import MOST_WORDS

HERE = "35.73.05.1009"
LISTS = ("/v1/tasks", "/v1/vulnerabilities", "/v1/meetings")


async def found(agency: Agency, text: str, **more: str) -> set[str]:
    """The references of the tasks that a search finds, page by page."""
    seen: list[str] = []
    params = {"q": text, "region": HERE, **more}
    while True:
        answer = await agency.get("/v1/tasks", params=params)
        assert answer.status_code == 200, answer.text
        seen += [one["reference"] for one in answer.json()["items"]]
        if answer.json()["next_cursor"] is None:
            assert len(seen) == len(set(seen))
            return set(seen)
        params["cursor"] = answer.json()["next_cursor"]


async def matched(agency: Agency, text: str, **more: str) -> str | None:
    answer = await agency.get("/v1/tasks", params={"q": text, **more})
    assert answer.status_code == 200, answer.text
    kind: str | None = answer.json()["matched"]
    return kind


@pytest.fixture(scope="module")
async def told(bakesbangpol: Agency) -> dict[str, str]:
    """Tasks by a letter, with what they say."""
    said = {
        "flood": {"title": "Gudang logistik kebanjiran", "description": "Kotak suara di gudang timur terendam."},
        "rally": {"title": "Pelanggaran kampanye", "description": "Panitia mendistribusikan surat-surat undangan."},
        "watch": {"title": "Pengawasan distribusi", "description": "Petugas menjaga kotak di gudang barat."},
        "number": {"title": "Perbaikan jalan", "description": "Menuju TPS/05 lewat ASN/TNI/Polri.",
                   "external_reference": "ND-77/KESBANG/2024"},
    }  # fmt: skip
    return {name: (await bakesbangpol.log(region=HERE, **one))["reference"] for name, one in said.items()}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        # ke-an, me-, pe-an, di-, -nya: every form of a word
        ("banjir", {"flood"}),
        ("membanjiri", {"flood"}),
        ("BANJIRNYA", {"flood"}),
        ("melanggar", {"rally"}),
        ("dilanggar", {"rally"}),
        ("pelanggar", {"rally"}),
        ("distribusi", {"rally", "watch"}),
        ("pendistribusian", {"rally", "watch"}),
        ("didistribusikan", {"rally", "watch"}),
        ("pergudangan", {"flood", "watch"}),
        ("awas", {"watch"}),
        ("terendam", {"flood"}),
        # a plural by repetition
        ("surat", {"rally"}),
        ("surat-surat", {"rally"}),
        ("kotak-kotak", {"flood", "watch"}),
        # several words are all of
        ("gudang banjir", {"flood"}),
        ("gudang kotak", {"flood", "watch"}),
        ("gudang kampanye", set()),
        # words that stand everywhere tell nothing, unless they stand alone
        ("kotak di gudang", {"flood", "watch"}),
        ("banjir yang lewat", set()),
        ("yang banjir dan untuk di", {"flood"}),
        ("lewat", {"number"}),
        # phrases as they stand, and what must not be there
        ('"gudang timur"', {"flood"}),
        ('"timur gudang"', set()),
        ('kotak "gudang barat"', {"watch"}),
        ("gudang -banjir", {"watch"}),
        ('kotak -"gudang barat"', {"flood"}),
        # signs part words; numbers and references are words too
        ("polri", {"number"}),
        ("tni/polri", {"number"}),
        ("ND-77/KESBANG/2024", {"number"}),
        ("kesbang", {"number"}),
    ],
)
async def test_a_search_finds_what_is_meant(
    bakesbangpol: Agency, told: dict[str, str], text: str, names: set[str]
) -> None:
    exactly = await found(bakesbangpol, text) if await matched(bakesbangpol, text) == "exactly" else set()
    assert {name for name, reference in told.items() if reference in exactly} == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("logistk", {"flood"}),
        ("gudnag logistk", {"flood"}),
        ("bnajir", {"flood"}),
        ("kebanjirn", {"flood"}),
        ("kampnye", {"rally"}),
        ("pengawsan", {"watch"}),
        ("terndam", {"flood"}),
    ],
)
async def test_a_misspelled_word_finds_what_is_spelled_alike(
    bakesbangpol: Agency, told: dict[str, str], text: str, names: set[str]
) -> None:
    assert await matched(bakesbangpol, text) == "nearly"
    near = await found(bakesbangpol, text, limit="1")
    assert names <= {name for name, reference in told.items() if reference in near}


async def test_a_phrase_is_meant_as_it_is_spelled(bakesbangpol: Agency, told: dict[str, str]) -> None:
    assert told
    assert await found(bakesbangpol, '"logistk"') == set()
    assert await found(bakesbangpol, '"gudnag timur"') == set()


async def test_a_task_is_found_by_its_reference_and_by_the_end_of_it(
    bakesbangpol: Agency, told: dict[str, str]
) -> None:
    for text in (told["watch"], told["watch"].lower(), told["watch"].rsplit("-", 1)[1]):
        assert await found(bakesbangpol, text) == {told["watch"]}


async def test_words_and_filters_and_counts_go_together(bakesbangpol: Agency, told: dict[str, str]) -> None:
    assert told["flood"] in await found(bakesbangpol, "gudang", category="asn_neutrality", status="assigned,draft")
    assert await found(bakesbangpol, "gudang", status="closed") == set()
    assert await matched(bakesbangpol, "gudang", status="closed", region=HERE) in {"exactly", None}
    for sort in ("-updated_at", "updated_at", "due_at", "-effective_at", "recorded_at"):
        one_by_one = await found(bakesbangpol, "gudang", sort=sort, limit="1", priority="medium")
        assert one_by_one >= {told["flood"], told["watch"]}
    for kind in ("exact", "estimate"):
        answer = await bakesbangpol.get(
            "/v1/tasks", params={"q": "gudang", "region": HERE, "count": kind, "limit": "1"}
        )
        assert answer.json()["count"] == {"value": len(await found(bakesbangpol, "gudang")), "relation": "exact"}
    nothing = await bakesbangpol.get("/v1/tasks", params={"q": "qqxxzz", "count": "exact"})
    assert (nothing.json()["items"], nothing.json()["count"]) == ([], {"value": 0, "relation": "exact"})
    near = await bakesbangpol.get("/v1/tasks", params={"q": "terndam", "region": HERE, "count": "exact"})
    assert near.json()["count"]["value"] == len(near.json()["items"]) > 0


async def test_one_finds_by_the_words_of_today_how_things_stood(bakesbangpol: Agency) -> None:
    task = await bakesbangpol.log(region=HERE, title="Kelelawar sawah", effective_at="2024-08-20T09:00:00+07:00")
    then = {"as_of": "2024-08-21T00:00:00+07:00", "sort": "-effective_at"}
    assert await found(bakesbangpol, "kelelawar", **then) == {task["reference"]}
    assert await found(bakesbangpol, "kelelawar", **then, status="assigned", accountable="KPU_RI") == set()
    assert await found(bakesbangpol, "kelelawar", as_of="2024-08-19T00:00:00+07:00") == set()


async def test_a_cursor_of_a_search_fits_no_other_search(bakesbangpol: Agency, told: dict[str, str]) -> None:
    assert told
    page = await bakesbangpol.get("/v1/tasks", params={"q": "gudang", "limit": "1"})
    cursor = page.json()["next_cursor"]
    assert (await bakesbangpol.get("/v1/tasks", params={"q": "gudang", "limit": "1", "cursor": cursor})).is_success
    for other in ({"q": "kotak"}, {}, {"q": "gudang", "sort": "updated_at"}, {"q": "gudang", "region": HERE}):
        answer = await bakesbangpol.get("/v1/tasks", params={**other, "cursor": cursor})
        assert (answer.status_code, answer.json()["code"]) == (400, "cursor-mismatch"), other


async def test_a_search_that_began_with_near_words_goes_on_with_them(bakesbangpol: Agency) -> None:
    first, second = [(await bakesbangpol.log(region=HERE, title="Sirene ambulans"))["reference"] for _ in range(2)]
    page = (await bakesbangpol.get("/v1/tasks", params={"q": "ambulnas", "limit": "1"})).json()
    assert (page["matched"], [one["reference"] for one in page["items"]]) == ("nearly", [second])
    exact = (await bakesbangpol.log(region=HERE, title="Sirene ambulnas"))["reference"]
    rest = await bakesbangpol.get("/v1/tasks", params={"q": "ambulnas", "limit": "1", "cursor": page["next_cursor"]})
    assert (rest.json()["matched"], [one["reference"] for one in rest.json()["items"]]) == ("nearly", [first])
    assert await found(bakesbangpol, "ambulnas") == {exact}


# who may find what


async def test_an_outsider_finds_nothing(kpu: Agency, kodim: Agency, bakesbangpol: Agency) -> None:
    task = await bakesbangpol.log(region=HERE, title="Kambing hitam", classification="terbatas")
    for text in ("kambing", "kambnig", task["reference"]):
        assert await found(kodim, text) == set()
    assert await found(bakesbangpol, "kambing") == {task["reference"]}
    assert await found(kpu, "kambing") == set()


async def test_a_reader_of_the_summary_finds_by_the_reference_and_by_no_word_it_may_not_read(
    kpu: Agency, bakesbangpol: Agency
) -> None:
    task = await bakesbangpol.log(
        region=HERE, title="Jerapah putih", description="Lompat pagar.", external_reference="JRP/0717"
    )
    assert (await kpu.read(task["id"]))["access"] == "summary"
    for text in ("jerapah", "jerpah", "pagar", "lompat pagar", '"jerapah putih"', "JRP/0717", "0717", "putih"):
        assert task["reference"] not in await found(kpu, text), text
    tail = task["reference"].rsplit("-", 1)[1]
    assert await found(kpu, tail) == {task["reference"]}
    assert await found(kpu, f"{tail} jerapah") == set()
    # an exclusion would tell as well
    assert await found(kpu, f"{tail} -jerapah") == {task["reference"]}
    count = await kpu.get("/v1/tasks", params={"q": "jerapah", "count": "exact"})
    assert count.json()["count"]["value"] == 0


async def test_who_is_recused_finds_as_little_as_it_reads(bakesbangpol: Agency, bawaslu: Agency, kpu: Agency) -> None:
    case = {"category": "organizer_integrity", "function": "handling", "variant": "subject_kpu", "region": HERE}
    for subject, finders in ((None, {"kpu", "bawaslu"}), ("kpu_member", {"bawaslu"})):
        logged = await bakesbangpol.log(**case, subject_kind=subject, classification="terbatas")
        tail = logged["reference"].rsplit("-", 1)[1]
        by = {name for name, one in (("kpu", kpu), ("bawaslu", bawaslu)) if await found(one, tail)}
        assert by == finders, subject


async def test_what_is_rahasia_is_found_by_cleared_parties_only(bakesbangpol: Agency, client_of: SignIn) -> None:
    task = await bakesbangpol.log(region=HERE, title="Trenggiling malam", classification="rahasia")
    cleared = await client_of(bakesbangpol.code, clearance="rahasia")
    assert await found(cleared, "trenggiling") == {task["reference"]}
    assert await found(bakesbangpol, "trenggiling") == set()
    assert await found(bakesbangpol, "trengiling") == set()


async def test_hidden_words_change_no_answer(bakesbangpol: Agency, kodim: Agency) -> None:
    seen = await bakesbangpol.log(
        region=HERE, title="Zebra belang", shares=[{"agency": kodim.code, "level": "full"}], classification="terbatas"
    )
    before = (await kodim.get("/v1/tasks", params={"q": "zebrra"})).json()
    assert (before["matched"], [one["reference"] for one in before["items"]]) == ("nearly", [seen["reference"]])
    # exactly this word now stands where Kodim may not read, and many that are more alike
    await bakesbangpol.log(region=HERE, title="Zebrra zebraa zebrrra zebrras zebbra", classification="terbatas")
    assert (await kodim.get("/v1/tasks", params={"q": "zebrra"})).json() == before
    assert (await bakesbangpol.get("/v1/tasks", params={"q": "zebrra"})).json()["matched"] == "exactly"


@pytest.mark.parametrize(
    ("own", "misspelled", "hidden"),
    [
        # one's own task is found by the word, which one's own text doesn't spell: by a number that one gives it oneself
        ({"external_reference": "trenggono"}, "trengono", "Pertemuan dengan Trenggono"),
        # or in another form, too unlike the misspelled one to be guessed by it
        ({"title": "Pertemuan mewicaksonokan"}, "wicaksomo", "Pertemuan dengan Wicaksono"),
        ({"title": "Pertemuan kepurwantoan"}, "purwanti", "Pertemuan dengan Purwanto"),
    ],
)
async def test_who_misspells_a_word_does_not_learn_whether_hidden_texts_hold_it(
    bakesbangpol: Agency, kodim: Agency, own: dict[str, str], misspelled: str, hidden: str
) -> None:
    await kodim.log(region=HERE, classification="terbatas", **own)
    before = (await kodim.get("/v1/tasks", params={"q": misspelled, "count": "exact"})).json()
    await bakesbangpol.log(region=HERE, title=hidden, classification="terbatas")
    assert (await kodim.get("/v1/tasks", params={"q": misspelled, "count": "exact"})).json() == before


async def test_a_share_lets_find_and_its_end_hides_again(bakesbangpol: Agency, kodim: Agency) -> None:
    task = await bakesbangpol.log(region=HERE, title="Komodo tua", classification="terbatas")
    path = f"/v1/tasks/{task['id']}"
    etag = (await bakesbangpol.get(path)).headers["etag"]
    assert (await bakesbangpol.put(f"{path}/shares/{kodim.code}", {"level": "full"}, etag=etag)).is_success
    assert await found(kodim, "komodo") == {task["reference"]}
    etag = (await bakesbangpol.get(path)).headers["etag"]
    assert (await bakesbangpol.delete(f"{path}/shares/{kodim.code}", etag=etag)).is_success
    assert await found(kodim, "komodo") == set()


async def test_an_expert_finds_in_what_is_shared_with_it(bakesbangpol: Agency, client_of: SignIn) -> None:
    expert = await client_of("KODIM_0833_KOTA_MALANG", "expert")
    share = [{"agency": "KODIM_0833_KOTA_MALANG", "level": "full"}]
    shared = await bakesbangpol.log(region=HERE, title="Landak besar", shares=share)
    await bakesbangpol.log(region=HERE, title="Landak kecil", classification="terbuka")
    assert await found(expert, "landak") == {shared["reference"]}


# changes


async def test_what_is_rewritten_is_found_by_its_new_words_and_the_old_ones_are_forgotten(
    bakesbangpol: Agency, database: Database
) -> None:
    task = await bakesbangpol.log(region=HERE, title="Rumah Wirasableng", description="Kediaman Wirasableng.")
    other = await bakesbangpol.log(region=HERE, title="Rumah kakaktua", description="-")
    assert await spelled(database, "wirasableng")
    etag = (await bakesbangpol.get(f"/v1/tasks/{task['id']}")).headers["etag"]
    said = {"title": "Rumah kakaktua", "description": "Kediaman warga."}
    assert (await bakesbangpol.patch(f"/v1/tasks/{task['id']}", said, etag=etag)).is_success
    assert await found(bakesbangpol, "wirasableng") == set()
    assert await found(bakesbangpol, "kakaktua") == {task["reference"], other["reference"]}
    assert not await spelled(database, "wirasableng")
    # a word that another text says is kept
    etag = (await bakesbangpol.get(f"/v1/tasks/{task['id']}")).headers["etag"]
    assert (await bakesbangpol.patch(f"/v1/tasks/{task['id']}", {"title": "Rumah"}, etag=etag)).is_success
    assert await spelled(database, "kakaktua")
    assert await found(bakesbangpol, "kakatua") == {other["reference"]}


async def spelled(database: Database, word: str) -> bool:
    async with database.working() as worker:
        return bool(await value(worker, "select exists (select from word where spelling = :word)", word=word))


async def test_no_spelling_is_kept_twice_without_a_race(bakesbangpol: Agency, database: Database) -> None:
    for _ in range(2):
        await bakesbangpol.log(region=HERE, title="Kudanil kudanil")
    async with database.working() as worker:
        assert await value(worker, "select count(*) from word where spelling = 'kudanil'") == 1


# the register


async def test_the_register_is_searched_as_well(bakesbangpol: Agency, kodim: Agency) -> None:
    said = {"category": "asn_neutrality", "region": HERE}
    open_ = await bakesbangpol.post(
        "/v1/vulnerabilities", {**said, "description": "Gajah melintas", "classification": "terbuka"}
    )
    closed = await bakesbangpol.post(
        "/v1/vulnerabilities", {**said, "description": "Gajah tersesat", "classification": "terbatas"}
    )
    assert (open_.status_code, closed.status_code) == (201, 201), closed.text
    meeting = await bakesbangpol.post(
        "/v1/meetings",
        {"title": "Rakor perlintasan gajah", "held_on": "2024-08-23", "region": HERE, "venue": "Kandang badak"},
    )
    assert meeting.status_code == 201, meeting.text

    async def ids(agency: Agency, path: str, text: str) -> list[str]:
        answer = await agency.get(path, params={"q": text, "region": HERE, "limit": "1"})
        assert answer.status_code == 200, answer.text
        seen = [one["id"] for one in answer.json()["items"]]
        if answer.json()["next_cursor"] is not None:
            more = {"q": text, "region": HERE, "limit": "1", "cursor": answer.json()["next_cursor"]}
            seen += [one["id"] for one in (await agency.get(path, params=more)).json()["items"]]
        return seen

    both = [closed.json()["id"], open_.json()["id"]]
    assert await ids(bakesbangpol, "/v1/vulnerabilities", "gajah") == both
    assert await ids(bakesbangpol, "/v1/vulnerabilities", "gajha") == both
    assert await ids(bakesbangpol, "/v1/vulnerabilities", "sesat gajah") == both[:1]
    assert await ids(kodim, "/v1/vulnerabilities", "gajah") == both[1:]
    assert await ids(bakesbangpol, "/v1/meetings", "lintas") == [meeting.json()["id"]]
    assert await ids(bakesbangpol, "/v1/meetings", "bdak") == await ids(bakesbangpol, "/v1/meetings", "badak")
    assert await ids(bakesbangpol, "/v1/meetings", "kandang") == [meeting.json()["id"]]


# what may be asked


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "text", ["", " ", "-", '""', "***", "'", "& | !", "-banjir", '-"banjir"', "a" * 201, "kata " * (MOST_WORDS + 1)]
)
async def test_a_search_for_nothing_or_for_too_much_is_refused(kpu: Agency, path: str, text: str) -> None:
    answer = await kpu.get(path, params={"q": text})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-parameter"), answer.text
    assert [one["parameter"] for one in answer.json()["errors"]] == ["q"]


async def test_an_endless_search_is_refused_as_an_address(kpu: Agency) -> None:
    assert (await kpu.get("/v1/tasks", params={"q": "a" * 9_000})).status_code == 414


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "text",
    [
        *("a & b | !c", "'); drop table task; --", "a:*", "a:ABCD", "<->", "a <-> b", "(((", "a\\", "\\'a", "''a''"),
        *('"tidak tertutup', '"', "gudang -", "--gudang", '-"', "a or b", "or", "and not", "100%", "%", "_", "_a_"),
        *("ÀÉÎ", "ğüş", "ΣΊΣΥΦΟΣ", "你好 世界", "e\u0301", "😀 banjir", "ﬁ", "ß", "İ", "\uff11\uff12", "\u064e"),
        *("x" * 200, "1e5 0x1f 3.14 -2", "yang", "yang di dan", "a,b", "a\tb", "http://a.b/c?d=e", "a@b.id"),
    ],
)
async def test_whatever_is_sought_is_words_and_no_syntax(kpu: Agency, path: str, text: str) -> None:
    answer = await kpu.get(path, params={"q": text, "count": "exact"} if path == "/v1/tasks" else {"q": text})
    assert answer.status_code in {200, 400}, answer.text
    if answer.status_code == 400:
        assert [one["parameter"] for one in answer.json()["errors"]] == ["q"], answer.text


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\u202eabc"])
async def test_what_is_no_text_is_refused(kpu: Agency, text: str) -> None:
    assert (await kpu.get("/v1/tasks", params={"q": text})).status_code in {400, 422}


@pytest.mark.parametrize("path", ["/v1/agencies", "/v1/referrals", "/v1/mandates"])
async def test_where_nothing_is_searched_q_is_unknown(kpu: Agency, path: str) -> None:
    answer = await kpu.get(path, params={"q": "banjir"})
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown-parameter")


@pytest.mark.parametrize(
    ("path", "name", "code"),
    [
        *(("/v1/tasks", name, "KPU_KOTA_MALNG") for name in ("accountable", "holder", "logged_by", "supporting")),
        ("/v1/tasks", "referred_to", "KPU_KOTA_MALANG,KPU_KOTA_MALNG"),
        ("/v1/tasks", "category", "asn_neutrality,asn_netralitas"),
        ("/v1/tasks", "region", "99.99"),
        ("/v1/tasks", "stage", "kampanye"),
        ("/v1/referrals", "to_agency", "NOBODY"),
        ("/v1/vulnerabilities", "category", "asn"),
        ("/v1/vulnerabilities", "election", "pilkada-2023-35.73"),
        ("/v1/meetings", "host", "NOBODY"),
        ("/v1/meetings", "region", "99"),
    ],
)
async def test_a_filter_that_names_what_is_not_is_refused_not_empty(
    kpu: Agency, path: str, name: str, code: str
) -> None:
    answer: Any = await kpu.get(path, params={name: code})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-parameter"), answer.text
    fault = answer.json()["errors"][0]
    assert (fault["parameter"], fault["code"]) == (name, "unknown")
    assert "GET /v1/" in fault["detail"]


async def test_a_task_is_in_every_stage_in_whose_days_its_event_lies(bakesbangpol: Agency) -> None:
    # the last second of the campaign in Malang (WIB), and the first one after it, by an event told of later
    said = {"region": HERE, "title": "Bendera ungu", "effective_at": "2024-12-20T00:00:00Z"}
    last = await bakesbangpol.log(**said, event_at="2024-11-23T23:59:59+07:00")
    after = await bakesbangpol.log(**said, event_at="2024-11-24T00:00:00+07:00")
    voted = await bakesbangpol.log(**said | {"effective_at": "2024-11-27T05:00:00Z"})
    for stage, expected in (
        ("campaign", [last]),
        ("quiet_period", [after]),
        ("voting", [voted]),
        ("count_recap", [voted]),
        ("winner_no_dispute", []),
    ):
        assert await found(bakesbangpol, '"bendera ungu"', stage=stage) == {one["reference"] for one in expected}
