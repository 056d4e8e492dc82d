"""The one way out: whatever is on the other side, it gets a POST at a checked address and little of our time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_address, ip_network
from pathlib import Path
from time import monotonic

import pytest
from receiving import (
    Behaviour,
    Receiver,
    dripping,
    endless,
    hanging_up,
    informing,
    lying,
    receiving,
    silent,
    status,
)

from app import outbound
from app.outbound import MOST_READ, NotSent, Outbound
from app.rules.addresses import Address
from app.rules.targets import Rules, Target
from app.rules.webhooks import Failure

NEAR = Rules(networks=(ip_network("127.0.0.0/8"),))
HEADERS = {"Content-Type": "application/json"}
PRIVATE, PUBLIC = "10.0.0.7", "93.184.216.34"


@pytest.fixture(scope="module")
async def receiver(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Receiver]:
    async with receiving(tmp_path_factory.mktemp("receiver")) as receiver:
        yield receiver


def answering(*answers: list[str] | Exception) -> Callable[[str, int], list[Address]]:
    """A resolver that says these, one after the other, and counts on."""
    left = list(answers)

    def look_up(_host: str, _port: int) -> list[Address]:
        said = left.pop(0)
        if isinstance(said, Exception):
            raise said
        return [ip_address(one) for one in said]

    look_up.left = left  # type: ignore[attr-defined]
    return look_up


async def send(way: Outbound, to: Target, *, whose: str = "KPU_RI", times: int = 1) -> list[int]:
    async with way.line(to, whose=whose) as line:
        return [await line.post(HEADERS, b"{}") for _ in range(times)]


async def fails(way: Outbound, to: Target) -> Failure:
    with pytest.raises(NotSent) as refused:
        await send(way, to)
    return refused.value.failure


async def test_it_connects_to_the_checked_address_and_says_the_name(receiver: Receiver) -> None:
    way = Outbound(NEAR, bundle=receiver.authority, look_up=answering(["127.0.0.1"]))
    assert await send(way, Target("hook.example", receiver.port, "/name?a=1")) == [204]
    (post,) = receiver.at("/name?a=1")
    assert post.headers["host"] == f"hook.example:{receiver.port}"
    assert post.name == "hook.example"
    assert post.body == b"{}"


async def test_a_name_is_resolved_once_for_a_line(receiver: Receiver) -> None:
    look_up = answering(["127.0.0.1"], [PRIVATE])
    way = Outbound(NEAR, bundle=receiver.authority, look_up=look_up)
    receiver.behaviours["/twice"] = status(204, connection="close")  # so that it must connect anew
    assert await send(way, Target("hook.example", receiver.port, "/twice"), times=3) == [204] * 3
    assert look_up.left == [[PRIVATE]]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "answers",
    [
        [PRIVATE],
        [PUBLIC, PRIVATE],
        [PRIVATE, PUBLIC],
        ["127.0.0.1", "169.254.169.254"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["2002:7f00:1::"],
        ["224.0.0.1"],
        ["0.0.0.0"],  # noqa: S104
    ],
)
async def test_one_answer_that_is_not_allowed_is_enough(receiver: Receiver, answers: list[str]) -> None:
    before = receiver.accepted
    way = Outbound(NEAR, bundle=receiver.authority, look_up=answering(answers))
    assert await fails(way, Target("hook.example", receiver.port, "/")) is Failure.ADDRESS_NOT_ALLOWED
    assert receiver.accepted == before


async def test_loopback_is_no_target_unless_its_network_is_named(receiver: Receiver) -> None:
    way = Outbound(Rules(), bundle=receiver.authority, look_up=answering(["127.0.0.1"]))
    assert await fails(way, Target("hook.example", receiver.port, "/")) is Failure.ADDRESS_NOT_ALLOWED
    assert await fails(way, Target("127.0.0.1", receiver.port, "/")) is Failure.ADDRESS_NOT_ALLOWED


async def test_a_name_that_does_not_resolve_says_so(receiver: Receiver) -> None:
    answers: list[list[str] | Exception] = [OSError("gone"), UnicodeError("odd"), []]
    for answer in answers:
        way = Outbound(NEAR, bundle=receiver.authority, look_up=answering(answer))
        assert await fails(way, Target("hook.example", receiver.port, "/")) is Failure.DNS


async def test_whoever_does_not_listen_or_is_not_trusted_says_so(receiver: Receiver) -> None:
    way = Outbound(NEAR, bundle=receiver.authority, look_up=lambda *_: [ip_address("127.0.0.1")])
    assert await fails(way, Target("hook.example", receiver.closed_port, "/")) is Failure.REFUSED
    assert await fails(way, Target("elsewhere.example", receiver.port, "/")) is Failure.TLS
    usual = Outbound(NEAR, look_up=lambda *_: [ip_address("127.0.0.1")])
    assert await fails(usual, Target("hook.example", receiver.port, "/")) is Failure.TLS


async def test_a_second_address_serves_when_the_first_refuses(receiver: Receiver) -> None:
    way = Outbound(NEAR, bundle=receiver.authority, look_up=answering(["127.0.0.9", "127.0.0.1"]))
    assert await send(way, Target("hook.example", receiver.port, "/second")) == [204]


@pytest.mark.parametrize("code", [200, 301, 302, 307, 308, 404, 410, 500])
async def test_a_status_is_told_and_no_redirect_followed(receiver: Receiver, code: int) -> None:
    receiver.behaviours["/status"] = status(code, location=receiver.url("/never"))
    way = Outbound(NEAR, bundle=receiver.authority)
    assert await send(way, Target("localhost", receiver.port, "/status")) == [code]
    assert receiver.at("/never") == []


@pytest.mark.parametrize(
    ("behaviour", "failure"), [(lying, Failure.PROTOCOL), (hanging_up, Failure.PROTOCOL), (informing, Failure.PROTOCOL)]
)
async def test_what_is_no_answer_is_a_failure(receiver: Receiver, behaviour: Behaviour, failure: Failure) -> None:
    receiver.behaviours["/ill"] = behaviour
    began = monotonic()
    way = Outbound(NEAR, bundle=receiver.authority)
    assert await fails(way, Target("localhost", receiver.port, "/ill")) is failure
    assert monotonic() - began < 3


@pytest.mark.parametrize("behaviour", [silent, dripping])
async def test_an_answer_that_does_not_end_in_time_is_a_failure(
    receiver: Receiver, behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbound, "PATIENCE", 1.0)
    receiver.behaviours["/slow"] = behaviour
    began = monotonic()
    way = Outbound(NEAR, bundle=receiver.authority)
    assert await fails(way, Target("localhost", receiver.port, "/slow")) is Failure.TIMEOUT
    assert 0.9 < monotonic() - began < 2


async def test_of_an_endless_answer_little_is_read_and_the_status_counts(receiver: Receiver) -> None:
    receiver.behaviours["/endless"] = endless
    read: list[int] = []
    way = Outbound(NEAR, bundle=receiver.authority)
    async with way.line(Target("localhost", receiver.port, "/endless"), whose="KPU_RI") as line:
        assert await line.post(HEADERS, b"{}") == 200
        read.append(MOST_READ - line._allowance[0])
        assert await line.post(HEADERS, b"{}") == 200  # the line is laid anew
    assert read == [MOST_READ]


async def test_names_that_hang_take_no_thread_from_another_agency(receiver: Receiver) -> None:
    def look_up(host: str, _port: int) -> list[Address]:
        if host == "other.example":
            time.sleep(1.5)
        return [ip_address("127.0.0.1")]

    way = Outbound(NEAR, bundle=receiver.authority, look_up=look_up)
    slow = Target("other.example", receiver.port, "/slow-name")
    hung = [asyncio.create_task(send(way, slow, whose="KPU_RI")) for _ in range(4)]
    await asyncio.sleep(0.1)
    assert await fails(way, slow) is Failure.DNS
    began = monotonic()
    quick = Target("hook.example", receiver.port, "/quick-name")
    assert await send(way, quick, whose="BAWASLU_RI") == [204]
    assert monotonic() - began < 1
    receiver.behaviours.clear()
    assert await asyncio.gather(*hung) == [[204]] * 4
    assert await send(way, quick, whose="KPU_RI") == [204]


async def test_no_proxy_of_the_environment_is_asked(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{receiver.closed_port}")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    way = Outbound(NEAR, bundle=receiver.authority)
    assert await send(way, Target("localhost", receiver.port, "/proxy")) == [204]
    Outbound(NEAR)
