# SPDX-License-Identifier: Apache-2.0
"""Limits that are kept ahead, and other users of the same account who are noticed and given way to."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from airflow_provider_chattransfer.chats.model import Chat
from airflow_provider_chattransfer.chats.reconciliation import Answered, NotApplied, OutcomeUnknown
from airflow_provider_chattransfer.chats.run import Move
from airflow_provider_chattransfer.exceptions import RateLimitError
from airflow_provider_chattransfer.platforms.base import SendOptions
from airflow_provider_chattransfer.platforms.bitrix24.auth import Webhook
from airflow_provider_chattransfer.platforms.bitrix24.client import Bitrix24Client
from airflow_provider_chattransfer.platforms.bitrix24.commands import Command
from airflow_provider_chattransfer.platforms.bitrix24.platform import RATE_LIMIT as PORTAL_LIMIT
from airflow_provider_chattransfer.platforms.bitrix24.platform import Bitrix24Platform
from airflow_provider_chattransfer.platforms.rate import RateLimit
from airflow_provider_chattransfer.platforms.reading_age import sending_what_was_read
from airflow_provider_chattransfer.platforms.superoffice.platform import RATE_LIMIT as TENANT_LIMIT
from airflow_provider_chattransfer.platforms.transport import MAX_HINT_SECONDS, Transport
from airflow_provider_chattransfer.sandbox import clock
from airflow_provider_chattransfer.sandbox.bitrix24 import errors as portal_errors
from airflow_provider_chattransfer.sandbox.bitrix24.limits import OperatingTime
from airflow_provider_chattransfer.sandbox.bitrix24.portal import Portal
from airflow_provider_chattransfer.sandbox.service import HttpRequest, HttpResponse
from airflow_provider_chattransfer.sandbox.superoffice.tenant import Tenant

from ..support.memory_store import MemoryStore
from ..support.paces import open_pace
from ..support.reports import outcomes_of
from .conftest import ClockedSandbox, Script, Scripted, one_at_a_time, to

TRANSFER, DIALOG = "imopenlines.bot.session.transfer", "imopenlines.dialog.get"


@pytest.fixture(autouse=True)
def only_time_that_is_let_pass(stage: ClockedSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the sandbox's clock but for its skips, so that a busy machine shifts no figure."""
    moment = time.monotonic()
    monkeypatch.setattr(clock, "time", SimpleNamespace(monotonic=lambda: moment, time=time.time))


@dataclass
class Refusals:
    """What the services turned away or cut off: operating time command by command, the rest by status."""

    operating: int = 0
    statuses: Counter[int] = field(default_factory=Counter)


@pytest.fixture
def refusals(monkeypatch: pytest.MonkeyPatch) -> Refusals:
    """Count what the sandbox turns away."""
    seen = Refusals()
    refuse = portal_errors.operation_time_limit

    def operation_time_limit() -> Any:
        seen.operating += 1
        return refuse()

    monkeypatch.setattr(portal_errors, "operation_time_limit", operation_time_limit)
    for service in (Portal, Tenant):
        monkeypatch.setattr(service, "answer", _counting(service.answer, seen.statuses))
    return seen


def _counting(
    answer: Callable[[Any, HttpRequest], HttpResponse], statuses: Counter[int]
) -> Callable[[Any, HttpRequest], HttpResponse]:
    def counted(service: Any, call: HttpRequest) -> HttpResponse:
        reply = answer(service, call)
        statuses[reply.status] += 1
        return reply

    return counted


@pytest.fixture
def laborious(stage: ClockedSandbox, monkeypatch: pytest.MonkeyPatch) -> ClockedSandbox:
    """Return a sandbox whose methods let the time pass that they take."""
    spend = OperatingTime.spend

    def spend_and_pass(limit: OperatingTime, counter: tuple[str, str], seconds: float, *, now: float) -> None:
        spend(limit, counter, seconds, now=now)
        stage.server.sandbox.clock.skip(seconds)

    monkeypatch.setattr(OperatingTime, "spend", spend_and_pass)
    return stage


def owned(number: int) -> list[dict[str, Any]]:
    """Open dialogues of operator 7, from 1001 on."""
    return [{"id": 1001 + place, "owner": 7} for place in range(number)]


def untold(seconds: dict[str, float]) -> dict[str, Any]:
    """Return a portal whose methods take so long, that has no limit of operating time, and tells nothing of it."""
    return {"operating": {"limit": 10**9, "seconds": seconds}, "switches": {"operating_in_time": False}}


def ids(number: int) -> list[str]:
    return [str(1001 + place) for place in range(number)]


def moves(stage: ClockedSandbox, platform: Bitrix24Platform, number: int) -> list[Move]:
    """Those chats as they are now, to be given to operator 12."""
    chats = platform.read_chats(ids(number))
    return [Move(each, chat) for each in to("agent:12", *ids(number)) if isinstance(chat := chats[each.chat_id], Chat)]


class TestOperatingTime:
    @pytest.mark.parametrize("billing", ["method", "apart", "batch"])
    def test_operating_time_is_never_used_up_however_it_is_billed(
        self, stage: ClockedSandbox, refusals: Refusals, billing: str
    ) -> None:
        seconds = {DIALOG: 0.8, TRANSFER: 0.3}
        switches = {"batch_billing": billing}
        stage.reset(bitrix24={"chats": owned(400), "operating": {"seconds": seconds}, "switches": switches})
        results = stage.run_to_end(one_at_a_time(stage.bitrix24()), to("agent:12", *ids(400)))
        assert outcomes_of(results) == ["accepted"] * 400
        assert refusals.operating == 0
        assert sum(stage.slept) > 0, "640 seconds of reads do not fit into 480"

    def test_operating_time_costs_little_more_than_the_portal_makes_it_cost(
        self, laborious: ClockedSandbox, refusals: Refusals
    ) -> None:
        """Reads bind: 480 seconds of them in the first ten minutes, then 0.8 in each second, is the least time.

        The first chunks take longer than what was read counts, and are read twice.
        """
        seconds = {DIALOG: 0.9, TRANSFER: 0.12}
        laborious.reset(bitrix24={"chats": owned(800), "operating": {"seconds": seconds}})
        begin = laborious.now()
        results = laborious.run_to_end(one_at_a_time(laborious.bitrix24()), to("agent:12", *ids(800)))
        assert outcomes_of(results) == ["accepted"] * 800
        assert refusals.operating == 0
        assert refusals.statuses[504] == 0
        least = 600 + (1600 * 0.9 - 480) / 0.8
        assert laborious.now() - begin <= 1.25 * least

    def test_operating_time_of_a_portal_that_does_not_tell_is_not_waited_for(
        self, stage: ClockedSandbox, refusals: Refusals
    ) -> None:
        stage.reset(bitrix24={"chats": owned(400), **untold({DIALOG: 0.8})})
        results = stage.run_to_end(one_at_a_time(stage.bitrix24()), to("agent:12", *ids(400)))
        assert outcomes_of(results) == ["accepted"] * 400
        assert stage.slept == []

    def test_operating_time_that_is_used_up_because_the_portal_does_not_tell_is_lived_with(
        self, laborious: ClockedSandbox, refusals: Refusals
    ) -> None:
        operating, switches = {"seconds": {DIALOG: 0.4, TRANSFER: 6.0}}, {"operating_in_time": False}
        laborious.reset(bitrix24={"chats": owned(90), "operating": operating, "switches": switches})
        results = laborious.run_to_end(one_at_a_time(laborious.bitrix24()), to("agent:12", *ids(90)))
        assert outcomes_of(results) == ["accepted"] * 90
        assert Counter(laborious.moved("bitrix24")) == Counter(ids(90))

    def test_operating_time_is_not_waited_for_longer_than_a_hint_is(
        self, stage: ClockedSandbox, script: Script, portal: Bitrix24Client
    ) -> None:
        far = {"operating": 470, "operating_reset_at": 4_000_000_000, "duration": 1.0}
        script.play(Scripted.json({"result": 1, "time": far}))
        for _ in range(2):
            portal.call(Command("one", {}), repeatable=True)
        assert stage.slept == [MAX_HINT_SECONDS]

    def test_operating_time_that_is_waited_for_does_not_let_a_chat_be_sent_that_closed_meanwhile(
        self, stage: ClockedSandbox, refusals: Refusals
    ) -> None:
        """A transfer would open it again."""
        customers = {"chats": {"1002": {"close_after": 200}}}
        operating = {"seconds": {TRANSFER: 20.0}}
        stage.reset(bitrix24={"chats": owned(20), "operating": operating, "customers": customers})
        stage.sleep(65 - stage.now() % 60)  # the portal counts by minutes: not where one ends
        platform = one_at_a_time(stage.bitrix24())
        assert outcomes_of(stage.run_to_end(platform, to("agent:12", *ids(20)[2:]))) == ["accepted"] * 18
        planned = moves(stage, platform, 2)
        with sending_what_was_read(stage.now(), clock=stage.now):
            sent = platform.send(planned, SendOptions())
        assert stage.slept[-1] > 200
        assert stage.chats("bitrix24")["1002"]["state"] == "closed"
        assert {chat_id: type(answer) for chat_id, answer in sent.answers.items()} == {"1001": Answered}
        assert stage.moved("bitrix24")[18:] == ["1001"]
        assert refusals.operating == 0


class TestOperatingTimeOfACredential:
    """Each call takes the portal 100 s, and its answer tells so."""

    def client(
        self, stage: ClockedSandbox, script: Script, store: MemoryStore, *, code: str = "same"
    ) -> Bitrix24Client:
        auth = Webhook(portal=script.url, user_id="1", code=code, bot_client_id="chattransfer")
        return Bitrix24Client(auth=auth, transport=stage.transport(), store=store, clock=stage.now)

    def used(self, stage: ClockedSandbox, seconds: float) -> Scripted:
        reset_at = time.time() + 300
        told = {"operating": seconds, "operating_reset_at": reset_at, "duration": 100.0}
        return Scripted.json({"result": 1, "time": told})

    def test_operating_time_is_shared_by_all_who_use_a_webhook(self, stage: ClockedSandbox, script: Script) -> None:
        store = MemoryStore(stage.now)
        script.play(self.used(stage, 300))
        self.client(stage, script, store).call(Command("one", {}), repeatable=True)
        self.client(stage, script, store, code="another").call(Command("one", {}), repeatable=True)
        assert stage.slept == []
        self.client(stage, script, store).call(Command("one", {}), repeatable=True)
        assert stage.slept == [pytest.approx(300 * 100 / 117.6, abs=5)]

    def test_operating_time_is_reserved_for_requests_that_are_under_way(
        self, stage: ClockedSandbox, script: Script
    ) -> None:
        store = MemoryStore(stage.now)
        script.play(self.used(stage, 200))
        one, two = (self.client(stage, script, store) for _ in range(2))
        one.call(Command("one", {}), repeatable=True)
        one.make_room([Command("one", {})])
        assert stage.slept == []
        two.make_room([Command("one", {})])
        assert stage.slept == [pytest.approx(300 * 200 / 217.6, abs=5)]

    def test_operating_time_is_counted_in_this_process_while_the_store_is_lost(
        self, stage: ClockedSandbox, script: Script
    ) -> None:
        store = MemoryStore(stage.now, lost=True)
        script.play(self.used(stage, 300))
        one, two = (self.client(stage, script, store) for _ in range(2))
        one.call(Command("one", {}), repeatable=True)
        two.make_room([Command("one", {})])
        assert stage.slept == []
        one.make_room([Command("one", {})])
        assert stage.slept == [pytest.approx(300 * 100 / 117.6, abs=5)]

    def test_operating_time_is_kept_without_the_webhooks_secret(self, stage: ClockedSandbox, script: Script) -> None:
        store = MemoryStore(stage.now)
        script.play(self.used(stage, 300))
        self.client(stage, script, store, code="topsecretcode").call(Command("one", {}), repeatable=True)
        assert store.documents
        assert "topsecretcode" not in repr(store.documents)


class TestARequest:
    @pytest.mark.parametrize("seconds", [2.0, 7.0, 40.0])
    def test_a_request_that_a_slow_portal_cuts_off_is_made_shorter(
        self, stage: ClockedSandbox, refusals: Refusals, seconds: float
    ) -> None:
        seconds_of = {DIALOG: seconds, TRANSFER: seconds}
        stage.reset(bitrix24={"chats": owned(60), **untold(seconds_of)})
        results = stage.run_to_end(stage.bitrix24(), to("agent:12", *ids(60)))
        assert outcomes_of(results) == ["accepted"] * 60
        assert Counter(stage.moved("bitrix24")) == Counter(ids(60))
        assert refusals.statuses[504] <= 4, "found once for the reads: 50, 2"

    def test_a_request_is_as_long_as_is_allowed_on_a_fast_portal(self, stage: ClockedSandbox) -> None:
        stage.reset(bitrix24={"chats": owned(200), "operating": {"seconds": {DIALOG: 0.09, TRANSFER: 0.07}}})
        stage.run_to_end(stage.bitrix24(), to("agent:12", *ids(200)))
        assert stage.asked().count("batch") == 3 * 4

    def test_a_request_of_transfers_is_not_made_shorter_for_slow_reads_once_both_are_known(
        self, stage: ClockedSandbox
    ) -> None:
        stage.reset(bitrix24={"chats": owned(150), **untold({DIALOG: 1.0, TRANSFER: 0.08})})
        stage.run_to_end(stage.bitrix24(), to("agent:12", *ids(150)))
        lengths = [len(each) for each in _commands_sent(stage, TRANSFER)]
        assert lengths[-2:] == [50, 50]

    def test_a_request_whose_answer_is_lost_leaves_the_results_of_the_others_alone(self, stage: ClockedSandbox) -> None:
        stage.reset(bitrix24={"chats": owned(50), **untold({TRANSFER: 0.33})})
        platform = stage.bitrix24()
        stage.run_to_end(platform, to("agent:15", *ids(2)))
        planned = moves(stage, platform, 50)
        stage.fault(kind="drop_after", method=TRANSFER)
        sent = platform.send(planned, SendOptions())
        kinds = [type(sent.answers[chat_id]) for chat_id in ids(50)]
        assert Counter(kinds) == {OutcomeUnknown: 15, Answered: 35}
        assert sent.stop is None
        assert sorted(stage.moved("bitrix24")[2:]) == sorted(ids(50)), "each was sent once"

    def test_a_request_that_nobody_answers_ends_the_sending_of_the_rest(self, stage: ClockedSandbox) -> None:
        stage.reset(bitrix24={"chats": owned(50), **untold({TRANSFER: 0.33})})
        platform = one_at_a_time(stage.bitrix24())
        stage.run_to_end(platform, to("agent:15", *ids(2)))
        planned = moves(stage, platform, 50)
        stage.fault(kind="error_503", method=TRANSFER, count=10**6)
        sent = platform.send(planned, SendOptions())
        assert {type(answer) for answer in sent.answers.values()} == {NotApplied}
        assert list(sent.answers) == ids(50)[:15], "what has no answer was not sent"


def _commands_sent(stage: ClockedSandbox, method: str) -> list[list[str]]:
    """Return the commands with ``method`` of each batch that had any."""
    batches = (json.loads(call.body)["cmd"].values() for call in stage.calls if call.path.endswith("/batch"))
    return [found for batch in batches if (found := [each for each in batch if each.startswith(method)])]


class Neighbour:
    """Somebody else who asks steadily from the same address. He does so while the sandbox's time passes."""

    def __init__(self, stage: ClockedSandbox, *, url: str, auth: tuple[str, str] | None, per_second: float) -> None:
        self.refused = self.served = 0
        self._stage, self._url, self._interval = stage, url, 1 / per_second
        self._session = requests.Session()
        self._session.auth = auth
        self._due = stage.now()
        self.gone = False

    def sleep(self, seconds: float) -> None:
        """Let time pass, and ask whenever it is his turn."""
        end = self._stage.now() + seconds
        while not self.gone and self._due <= end:
            self._skip_to(self._due)
            answer = self._session.post(self._url, json={"CHAT_ID": 101}, timeout=10)
            self.refused += answer.status_code in (429, 503)
            self.served += answer.status_code == 200
            self._due = max(self._due + self._interval, self._stage.now())
        self._skip_to(end)

    def close(self) -> None:
        self._session.close()

    def _skip_to(self, moment: float) -> None:
        self._stage.server.sandbox.clock.skip(max(0.0, moment - self._stage.now()))


@dataclass
class Street:
    """A service with a limit, we who keep to it, and a neighbour."""

    stage: ClockedSandbox
    neighbour: Neighbour
    ask: Callable[[], Any]
    times: list[float] = field(default_factory=list)

    def ask_for(self, seconds: float) -> None:
        """Ask as fast as the pace allows."""
        end = self.stage.now() + seconds
        while self.stage.now() < end:
            self.ask()
            self.times.append(self.stage.now())

    def rate(self, seconds: float) -> float:
        """Our requests per second, lately."""
        return sum(at > self.times[-1] - seconds for at in self.times) / seconds


def _transport(stage: ClockedSandbox, neighbour: Neighbour, limit: RateLimit) -> Transport:
    pace = open_pace(limit=limit, clock=stage.now, sleep=neighbour.sleep)
    transport = Transport(pace=pace, read_timeout=5, sleep=neighbour.sleep)
    stage._opened.append(transport)
    return transport


@pytest.fixture
def portal_street(stage: ClockedSandbox, refusals: Refusals) -> Iterator[Street]:
    """Yield the portal with its documented limit, of which the neighbour takes half."""
    stage.reset(bitrix24={"rate": {"per_second": 2, "burst": 50}})
    neighbour = Neighbour(stage, url=f"{stage.url}/rest/1/secretcode/{DIALOG}", auth=None, per_second=1)
    client = Bitrix24Client(
        auth=stage.webhook().auth, transport=_transport(stage, neighbour, PORTAL_LIMIT), clock=stage.now
    )
    yield Street(stage, neighbour, lambda: client.call(Command(DIALOG, {"CHAT_ID": 101}), repeatable=True))
    neighbour.close()


class TestAnotherUserOfThePortal:
    def test_another_user_of_the_portal_is_given_way_to_and_both_get_through(
        self, portal_street: Street, refusals: Refusals, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.INFO):
            portal_street.ask_for(400)
        ours, theirs = len(portal_street.times), portal_street.neighbour
        assert refusals.statuses[503] - theirs.refused <= 4, "two to begin with, then one in some minutes"
        assert theirs.refused <= 2
        assert ours >= 0.9 * 400, "most of the half that he leaves"
        told = [each for each in caplog.messages if "though we keep to the limit" in each]
        assert 1 <= len(told) <= 5, "once per change"

    def test_who_has_gone_leaves_us_all_of_it(
        self, portal_street: Street, refusals: Refusals, caplog: pytest.LogCaptureFixture
    ) -> None:
        portal_street.ask_for(120)
        assert portal_street.rate(60) <= 1
        portal_street.neighbour.gone = True
        refusals.statuses.clear()
        with caplog.at_level(logging.INFO):
            portal_street.ask_for(60)
            portal_street.neighbour.sleep(1000)
            portal_street.ask_for(140)
        assert portal_street.rate(100) == pytest.approx(2, rel=0.02)
        assert refusals.statuses[503] == 0
        assert sum("requests per second again" in each for each in caplog.messages) == 1

    def test_who_was_there_before_us_costs_one_refusal_and_no_speed(
        self, portal_street: Street, refusals: Refusals
    ) -> None:
        """As after an earlier task: it has filled the bucket, and is gone."""
        portal_street.neighbour.gone = True
        for _ in range(50):
            requests.post(f"{portal_street.stage.url}/rest/1/secretcode/{DIALOG}", json={"CHAT_ID": 101}, timeout=10)
        refusals.statuses.clear()
        portal_street.ask_for(60)
        assert refusals.statuses[503] == 1
        assert portal_street.rate(30) == pytest.approx(2, rel=0.02)

    def test_who_never_was_there_costs_nothing(self, portal_street: Street, refusals: Refusals) -> None:
        portal_street.neighbour.gone = True
        portal_street.ask_for(300)
        assert refusals.statuses[503] == 0
        assert len(portal_street.times) >= 300 * 1.99


class TestAnOutage:
    def test_an_outage_is_no_other_user(self, portal_street: Street) -> None:
        portal_street.neighbour.gone = True
        portal_street.ask_for(60)
        portal_street.stage.fault(kind="error_503", for_seconds=15)
        portal_street.ask_for(60)
        assert portal_street.rate(30) == pytest.approx(2, rel=0.02), "at full speed at once"


class TestAnotherUserOfTheTenant:
    @pytest.mark.parametrize("status", [429, 503])
    def test_another_user_of_the_tenant_is_given_way_to_and_both_get_through(
        self, stage: ClockedSandbox, refusals: Refusals, status: int
    ) -> None:
        stage.reset(superoffice={"rate": 10, "switches": {"rate_status": status}})
        url = f"{stage.url}/Cust12345/api/v1/Agents/Chat/GetChatSessionEntity?chatSessionEntityId=150"
        neighbour = Neighbour(stage, url=url, auth=("tje0", "Tje0"), per_second=5)
        client = stage.web_api(transport=_transport(stage, neighbour, TENANT_LIMIT))
        street = Street(stage, neighbour, lambda: client.entity("150"))
        street.ask_for(80)
        neighbour.close()
        assert refusals.statuses[status] - neighbour.refused <= 4
        assert len(street.times) >= 0.5 * 5 * 80, "half of his half at first, then it grows"
        assert neighbour.served >= 0.98 * 5 * 80


class TestALimitThatStaysShut:
    def test_a_limit_that_stays_shut_is_told_and_not_waited_for_without_end(self, stage: ClockedSandbox) -> None:
        stage.reset(bitrix24={"rate": {"per_second": 0.0001, "burst": 1}})
        client = stage.webhook()
        client.call(Command(DIALOG, {"CHAT_ID": 101}), repeatable=True)
        with pytest.raises(RateLimitError):
            client.call(Command(DIALOG, {"CHAT_ID": 101}), repeatable=True)
        assert sum(stage.slept) < 300
