# SPDX-License-Identifier: Apache-2.0
"""Answers that no portal should give: each is typed, about one chat where it can be, and nobody else is touched."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import pytest

from airflow_provider_chattransfer.chats.model import Chat, UnreadableChat
from airflow_provider_chattransfer.chats.reconciliation import OutcomeUnknown, Refused
from airflow_provider_chattransfer.chats.run import Move, run_acceptance
from airflow_provider_chattransfer.exceptions import PlatformError, RequestRefusedError, UnexpectedResponseError
from airflow_provider_chattransfer.platforms.base import SendOptions
from airflow_provider_chattransfer.platforms.bitrix24.auth import Webhook
from airflow_provider_chattransfer.platforms.bitrix24.bots import register_bot
from airflow_provider_chattransfer.platforms.bitrix24.client import Bitrix24Client
from airflow_provider_chattransfer.platforms.bitrix24.oauth import AuthorizationServer
from airflow_provider_chattransfer.platforms.bitrix24.platform import Bitrix24Platform
from airflow_provider_chattransfer.platforms.issued_token import IssuedToken
from airflow_provider_chattransfer.platforms.runner import run_to_end
from airflow_provider_chattransfer.sandbox.server import SandboxServer

from ..support.answers import HUGE, Answers, Exchange, tampered
from ..support.reports import outcomes_of
from .conftest import ClockedSandbox, Script, Scripted, to

TRANSFER = "imopenlines.bot.session.transfer"
DIALOG = "imopenlines.dialog.get"
USERS = "im.user.list.get"
LINE = "imopenlines.config.get"
LINES = "imopenlines.config.list.get"
SESSIONS = "imopenlines.v2.Session.list"
OPERATORS = "imopenlines.v2.Operator.list"
LOG = "imopenlines.v2.Session.Transfer.list"
ACTIVITIES = "crm.activity.list"
RECENT = "im.recent.get"
LIST_BOTS, REGISTER_BOT = "imbot.v2.Bot.list", "imbot.v2.Bot.register"

Change = Callable[[dict[str, Any], Any], Any]
"""The result to give in place of another, by the parameters of the method."""

DIGITS = "9" * 5000
NO_IDS: list[Any] = [True, False, None, 112.5, 10**400, -1, DIGITS, "", "x", "1\n\x1b[31m2", [], [112], {}]
NO_DICTS: list[Any] = [None, True, False, 7, "text", [], [[{}]]]
NO_LISTS: list[Any] = [None, True, 7, "text", {"0": {}}, ["x"], [None], [[{}]]]
FEW: list[Any] = [None, 7, "text", [[{}]]]
"""Where what reads an answer is the same as for those that are tried with all."""


def any_of(*values: Any) -> tuple[Any, ...]:
    return values


def shown(value: Any) -> str:
    return repr(value)[:40]


@dataclass
class Portal:
    """A portal that answers as the sandbox does, but for what a test changes."""

    stage: ClockedSandbox
    answers: Answers
    client: Bitrix24Client
    platform: Bitrix24Platform

    def change(self, method: str, change: Change) -> None:
        """Change the results of ``method``, in a batch and without."""

        def tampering(exchange: Exchange) -> Any:
            if exchange.method == method and "result" in exchange.answer:
                return {**exchange.answer, "result": change(exchange.asked, exchange.answer["result"])}
            if exchange.method != "batch":
                return exchange.answer
            results = dict(exchange.answer["result"]["result"] or {})
            for key, command in exchange.asked["cmd"].items():
                name, _, query = command.partition("?")
                if name == method and key in results:
                    results[key] = change(dict(parse_qsl(query)), results[key])
            return {**exchange.answer, "result": {**exchange.answer["result"], "result": results}}

        self.answers.tampering = tampering

    def give(self, method: str, result: Any) -> None:
        """Answer ``method`` with ``result``."""
        self.change(method, lambda params, given: result)

    def give_for(self, chat_id: str, change: Callable[[Any], Any]) -> None:
        """Change what is shown of one chat."""
        self.change(DIALOG, lambda params, given: change(given) if str(params.get("CHAT_ID")) == chat_id else given)

    def moved(self) -> list[str]:
        """Return the chats that were moved."""
        return self.stage.moved("bitrix24")

    def run_transfers(self, *chat_ids: str, target: str = "agent:12") -> list[str]:
        """Return what became of these chats."""
        return outcomes_of(self.stage.run_to_end(self.platform, to(target, *chat_ids, source="agent:7")))


@pytest.fixture(scope="module")
def before_the_sandbox(sandbox_server: SandboxServer) -> Iterator[Answers]:
    """One server for all tests of this file."""
    with tampered(sandbox_server.url) as answers:
        yield answers


@pytest.fixture
def portal(stage: ClockedSandbox, before_the_sandbox: Answers) -> Portal:
    """Three chats of agent 7, one of agent 8 and one of agent 12, in two lines."""
    chats = [{"id": each, "owner": 7} for each in (111, 112, 113)]
    others = [{"id": 999, "owner": 8}, {"id": 120, "owner": 12}]
    webhooks = [{"user": 1, "code": "secretcode", "scopes": ["imopenlines", "imbot", "im", "crm"]}]
    stage.reset(bitrix24={"chats": [*chats, *others], "webhooks": webhooks})
    before_the_sandbox.begin()
    auth = Webhook(portal=before_the_sandbox.url, user_id="1", code="secretcode", bot_client_id="chattransfer")
    client = Bitrix24Client(auth=auth, transport=stage.transport(), clock=stage.now)
    return Portal(stage, before_the_sandbox, client, Bitrix24Platform(client))


def with_member(name: str, value: Any) -> Callable[[Any], Any]:
    return lambda given: {**given, name: value}


def without(name: str) -> Callable[[Any], Any]:
    return lambda given: {key: value for key, value in given.items() if key != name}


WRONG_DIALOGS: list[tuple[str, Callable[[Any], Any]]] = [
    *((f"is {shown(value)}", lambda given, value=value: value) for value in any_of(*NO_DICTS, {})),
    ("is in a list", lambda given: [given]),
    ("is of another chat", with_member("id", 999)),
    ("is of another chat, as text", with_member("id", "999")),
    *((f"has the id {shown(value)}", with_member("id", value)) for value in any_of(*NO_IDS, 0)),
    ("has no id", without("id")),
    *((f"has the owner {shown(value)}", with_member("owner", value)) for value in NO_IDS),
    ("has no owner", without("owner")),
    *((f"is of the kind {shown(value)}", with_member("entity_type", value)) for value in any_of(None, "X", [], 7)),
    *(
        (f"has the data {shown(value)}", with_member("entity_data_1", value))
        for value in any_of(None, "", "Y|LEAD", [], {}, 7, "Y|L|1|N|N|x|0|0", f"Y|L|1|N|N|{DIGITS}|0|0",
                            "Y|L|1|N|N||0|0", "Y|L|1|N|N|-1|0|0", f"Y|L|1|N|N|3|0|{DIGITS}", "Y|L|1|N|N|3|0|x")
    ),
]  # fmt: skip
ODD_DIALOGS: list[tuple[str, Callable[[Any], Any]]] = [
    *(
        (f"has the {name} {shown(value)}", with_member(name, value))
        for name in ("last_message_id", "entity_id", "entity_data_2")
        for value in any_of(None, True, [], {}, DIGITS, "x", "|||||", 10**400)
    ),
    ("has its id as text", lambda given: {**given, "id": str(given["id"])}),
]


class TestADialogue:
    @pytest.mark.parametrize(("_", "wrong"), WRONG_DIALOGS, ids=[each[0] for each in WRONG_DIALOGS])
    def test_a_dialogue_that_is_wrong_is_that_chats_trouble_alone(
        self, portal: Portal, _: str, wrong: Callable[[Any], Any]
    ) -> None:
        """The dialogue of 112."""
        portal.give_for("112", wrong)
        together = portal.platform.read_chats(["111", "112", "113"])
        assert isinstance(together["112"], UnreadableChat)
        assert [each.id for each in together.values() if isinstance(each, Chat)] == ["111", "113"]

    @pytest.mark.parametrize("wrong", [lambda given: [given], with_member("id", 999), with_member("owner", True)])
    def test_a_dialogue_that_is_wrong_leaves_that_chat_alone_and_moves_the_others(
        self, portal: Portal, wrong: Callable[[Any], Any]
    ) -> None:
        portal.give_for("112", wrong)
        assert isinstance(portal.platform.read_chats(["112"])["112"], UnreadableChat)
        assert portal.run_transfers("111", "112", "113") == ["accepted", "failed", "accepted"]
        assert portal.moved() == ["111", "113"]

    @pytest.mark.parametrize(("_", "odd"), ODD_DIALOGS, ids=[each[0] for each in ODD_DIALOGS])
    def test_a_dialogue_may_be_odd_in_what_only_helps(self, portal: Portal, _: str, odd: Callable[[Any], Any]) -> None:
        portal.give_for("112", odd)
        assert isinstance(portal.platform.read_chats(["112"])["112"], Chat)

    def test_a_dialogue_that_says_nothing_of_its_content_in_the_reason(self, portal: Portal) -> None:
        portal.give_for("112", with_member("owner", "Ann Smith"))
        (result,) = portal.stage.run_to_end(portal.platform, to("agent:12", "112"))
        wrong = "imopenlines.dialog.get: the answer is not as documented: owner is missing or wrong"
        assert result.reason == f"not understood: {wrong}"

    def test_a_dialogue_of_another_chat_is_not_answered_either(self, portal: Portal) -> None:
        """Accepting as user 1: 999 is shown for 112."""
        portal.give_for("112", lambda given: {**given, "id": 999, "owner": 0})
        results = run_to_end(run_acceptance(to("agent:1", "112")[0]), portal.platform, sleep=portal.stage.sleep).results
        assert outcomes_of(results) == ["failed"]
        assert "imopenlines.operator.answer" not in portal.answers.asked()
        assert portal.stage.chats("bitrix24")["999"]["owner"] == "8"

    def test_a_dialogue_in_the_place_of_another_makes_no_chat_unchanged(self, portal: Portal) -> None:
        """111 is still with agent 7, 120 already with agent 12; the batch shows each in the other's place."""

        def swapped(exchange: Exchange) -> Any:
            results = exchange.answer["result"]["result"] if exchange.method == "batch" else {}
            if "c1" in results:
                results["c0"], results["c1"] = results["c1"], results["c0"]
            return exchange.answer

        portal.answers.tampering = swapped
        results = portal.stage.run_to_end(portal.platform, to("agent:12", "111", "120"))
        assert outcomes_of(results) == ["failed"] * 2
        assert portal.moved() == []


WRONG_BATCHES: list[Any] = [
    *NO_DICTS,
    {},
    {"result": []},
    *({"result": wrong, "result_error": []} for wrong in (None, "text", True, 7)),
    *({"result": [], "result_error": wrong} for wrong in (None, "text", True, 7)),
]
WRONG_ERRORS: list[Any] = [
    None, [], {}, ["x"], 7.5, True, {"error": None}, {"error": []}, {"error": {}}, {"error": True},
    {"error_description": "text"}, {"error": "some text"}, {"error": "X" * 60_000}, "", "X Y", 7,
]  # fmt: skip


def only(tamper: Callable[[Exchange], Any], *, method: str) -> Callable[[Exchange], Any]:
    """Tamper with batches of one method."""

    def tampering(exchange: Exchange) -> Any:
        commands = exchange.asked["cmd"].values() if exchange.method == "batch" else ()
        return tamper(exchange) if any(each.startswith(f"{method}?") for each in commands) else exchange.answer

    return tampering


def _keys_of(chat_id: str, exchange: Exchange) -> list[str]:
    return [key for key, command in exchange.asked["cmd"].items() if f"CHAT_ID={chat_id}" in command]


class TestABatch:
    @pytest.mark.parametrize("wrong", WRONG_BATCHES, ids=shown)
    def test_a_batch_of_reads_that_is_none_is_not_understood(self, portal: Portal, wrong: Any) -> None:
        portal.answers.tampering = only(lambda exchange: {**exchange.answer, "result": wrong}, method=DIALOG)
        with pytest.raises(UnexpectedResponseError, match=r"^batch: the answer is not as documented"):
            portal.platform.read_chats(["111", "112"])

    @pytest.mark.parametrize("wrong", WRONG_BATCHES, ids=shown)
    def test_a_batch_of_transfers_that_is_none_does_not_tell_what_was_done(self, portal: Portal, wrong: Any) -> None:
        portal.answers.tampering = only(lambda exchange: {**exchange.answer, "result": wrong}, method=TRANSFER)
        assert portal.run_transfers("111", "112") == ["accepted"] * 2
        assert portal.moved() == ["111", "112"], "each once"

    @pytest.mark.parametrize("wrong", WRONG_ERRORS, ids=shown)
    @pytest.mark.parametrize("method", [DIALOG, TRANSFER])
    def test_a_batch_with_an_error_that_is_none_speaks_of_one_chat(
        self, portal: Portal, wrong: Any, method: str
    ) -> None:
        def tamper(exchange: Exchange) -> Any:
            errors = dict.fromkeys(_keys_of("112", exchange), wrong)
            return {**exchange.answer, "result": {**exchange.answer["result"], "result_error": errors}}

        portal.answers.tampering = only(tamper, method=method)
        expected = "failed" if method == DIALOG else "accepted"
        results = portal.stage.run_to_end(portal.platform, to("agent:12", "111", "112", "113"))
        assert outcomes_of(results) == ["accepted", expected, "accepted"]
        assert portal.moved() == (["111", "113"] if method == DIALOG else ["111", "112", "113"])
        assert all(len(each.reason or "") <= 300 for each in results)

    @pytest.mark.parametrize(
        "wrong", [None, [], {}, 7.5, True, {"error": None}, {"error": {}}, {"error": [1]}], ids=shown
    )
    def test_a_batch_with_an_error_that_is_none_refuses_nothing(self, portal: Portal, wrong: Any) -> None:
        def tamper(exchange: Exchange) -> Any:
            return {**exchange.answer, "result": {"result": [], "result_error": {"c0": wrong, "c1": {"error": "X"}}}}

        portal.answers.tampering = only(tamper, method=TRANSFER)
        sent = portal.platform.send(_moves("111", "112"), SendOptions())
        assert [type(each) for each in sent.answers.values()] == [OutcomeUnknown, Refused]

    @pytest.mark.parametrize("method", [DIALOG, TRANSFER])
    def test_a_batch_that_leaves_a_command_out_tells_nothing_of_one_chat(self, portal: Portal, method: str) -> None:
        def tamper(exchange: Exchange) -> Any:
            for key in _keys_of("112", exchange):
                del exchange.answer["result"]["result"][key]
            return exchange.answer

        portal.answers.tampering = only(tamper, method=method)
        expected = "failed" if method == DIALOG else "accepted"
        assert portal.run_transfers("111", "112", "113") == ["accepted", expected, "accepted"]
        assert portal.moved() == (["111", "113"] if method == DIALOG else ["111", "112", "113"])

    @pytest.mark.parametrize("wrong", [None, "text", [], ["x"], {"c1": []}, {"c0": None, "c1": "x"}], ids=shown)
    def test_a_batch_may_tell_nothing_of_its_time(self, portal: Portal, wrong: Any) -> None:
        def tamper(exchange: Exchange) -> Any:
            return {**exchange.answer, "result": {**exchange.answer["result"], "result_time": wrong}}

        portal.answers.tampering = lambda exchange: tamper(exchange) if exchange.method == "batch" else exchange.answer
        assert portal.run_transfers("111", "112") == ["accepted"] * 2


WRONG_TIMES: list[Any] = [
    *NO_DICTS,
    *({"duration": wrong} for wrong in any_of(None, True, "text", [], {}, -5, 1e300, 10**400, DIGITS)),
    *({"operating": 9.0, "operating_reset_at": wrong} for wrong in any_of(True, "x", [], 10**400, DIGITS)),
    *({"operating": wrong, "operating_reset_at": 1} for wrong in any_of(True, "x", [], 10**400, -1, 1e300)),
    {"operating": 500, "operating_reset_at": 10**300},
    {"operating": 500, "operating_reset_at": -(10**300)},
]


class TestATime:
    @pytest.mark.parametrize("wrong", WRONG_TIMES, ids=shown)
    def test_a_time_that_is_none_is_just_not_known(self, portal: Portal, wrong: Any) -> None:
        def tamper(exchange: Exchange) -> Any:
            answer = {**exchange.answer, "time": wrong}
            if exchange.method == "batch":
                timings = dict.fromkeys(exchange.asked["cmd"], wrong)
                answer["result"] = {**exchange.answer["result"], "result_time": timings}
            return answer

        portal.answers.tampering = tamper
        assert portal.run_transfers("111", "112") == ["accepted"] * 2
        assert max(portal.stage.slept, default=0) <= 660

    def test_a_time_does_not_block_a_method_for_ever(self, portal: Portal) -> None:
        """A retry is told when to come: within the ten minutes that operating time is counted for."""
        told = {"operating": 479, "operating_reset_at": 10**300}
        portal.answers.tampering = lambda exchange: {**exchange.answer, "time": told}
        portal.client.user_id()
        portal.platform.read_chats(["111"])
        limit = {"error": "OPERATION_TIME_LIMIT"}
        portal.answers.tampering = lambda exchange: limit if exchange.method == DIALOG else exchange.answer
        with pytest.raises(PlatformError) as error:
            portal.platform.read_chats(["111"])
        assert 0 < (error.value.retry_after or 0) <= 602


class TestTheWholeAnswer:
    @pytest.mark.parametrize(
        "wrong",
        [b"", b"[]", b"null", b"7", b'"text"', b"{}", b"1e999", b'{"result"', b"\xff\xfe", {"error": None},
         {"error": []}, {"error": True}, {"result": HUGE}, {"result": math.inf},
         {"result": {"result": [math.inf], "result_error": []}}, b'{"result":' + b"[" * 10**5 + b"]" * 10**5 + b"}"],
        ids=shown,
    )  # fmt: skip
    def test_the_whole_answer_that_is_none_is_a_typed_error(self, portal: Portal, wrong: Any) -> None:
        portal.answers.tampering = lambda exchange: wrong if exchange.method == "batch" else exchange.answer
        with pytest.raises(PlatformError):
            portal.platform.read_chats(["111", "112"])
        sent = portal.platform.send(_moves("111", "112"), SendOptions())
        assert [type(each) for each in sent.answers.values()] == [OutcomeUnknown] * 2
        assert portal.moved() == ["111", "112"]

    @pytest.mark.parametrize("wrong", [*NO_DICTS[:3], 7, 1, "true", "text", [], {}, [True]], ids=shown)
    def test_the_whole_answer_to_a_transfer_that_is_not_true_is_no_outcome(self, portal: Portal, wrong: Any) -> None:
        portal.give(TRANSFER, wrong)
        assert portal.run_transfers("111", "112") == ["accepted"] * 2
        assert portal.moved() == ["111", "112"]


def _moves(*chat_ids: str) -> list[Move]:
    return [Move(transfer, Chat(id=transfer.chat_id, owner="7")) for transfer in to("agent:12", *chat_ids)]


class TestUsersAndLines:
    @pytest.mark.parametrize(
        "wrong",
        [*NO_DICTS[:5], [{}], {"12": {"id": 999, "bot": True}},
         {"12": []}, {"12": "text"}, {"12": {}}, {"12": {"id": 999}}, {"12": {"id": 12, "bot": "no"}},
         {"12": {"id": 12, "active": [1]}}, {"12": [[1]], "7": [[1]]},
         {"result": []}, {"c0": {"12": {}}}, {"1e3": {}}, {"012 ": {"id": 12}}],
        ids=shown,
    )  # fmt: skip
    def test_users_and_lines_that_are_not_understood_stop_nobody(self, portal: Portal, wrong: Any) -> None:
        portal.give(USERS, wrong)
        assert portal.run_transfers("111", "112") == ["accepted"] * 2

    def test_users_and_lines_that_are_none_at_all_get_nothing(self, portal: Portal) -> None:
        """PHP writes an empty array of users as a list."""
        portal.give(USERS, [])
        assert portal.run_transfers("111", "112") == ["failed"] * 2
        assert portal.moved() == []

    @pytest.mark.parametrize("wrong", [*FEW, False, {"ID": []}], ids=shown)
    def test_a_line_that_is_not_understood_is_tried(self, portal: Portal, wrong: Any) -> None:
        portal.give(LINE, wrong)
        expected = "failed" if wrong is False else "requested"
        assert portal.run_transfers("111", target="queue:4") == [expected]


def session(**members: Any) -> dict[str, Any]:
    """Return an item of the list of sessions, of chat 111 with agent 7."""
    return {"id": 1111, "chatId": 111, "operatorId": 7, "status": "answered", "configId": 3, **members}


WRONG_LISTS: list[Any] = [
    *NO_DICTS,
    {},
    {"hasNextPage": False},
    {"sessions": []},
    *({"sessions": wrong, "hasNextPage": False} for wrong in NO_LISTS),
    *({"sessions": [], "hasNextPage": wrong} for wrong in any_of(None, "Y", 1, [], {})),
    *({"sessions": [session(**{name: wrong})], "hasNextPage": False}
      for name in ("id", "chatId") for wrong in any_of(True, None, 0, "x", DIGITS, [])),
    *({"sessions": [session(operatorId=wrong)], "hasNextPage": False} for wrong in any_of(True, "x", [])),
    *({"sessions": [session(status=wrong)], "hasNextPage": False} for wrong in any_of(None, [], {}, 7, True)),
]  # fmt: skip


class TestTheListOfSessions:
    @pytest.mark.parametrize("wrong", WRONG_LISTS, ids=shown)
    def test_the_list_of_sessions_that_is_none_is_not_understood(self, portal: Portal, wrong: Any) -> None:
        portal.give(SESSIONS, wrong)
        with pytest.raises(UnexpectedResponseError) as error:
            portal.platform.find_waiting_chats("3")
        assert error.value.method == SESSIONS

    def test_the_list_of_sessions_may_be_odd_in_what_only_helps(self, portal: Portal) -> None:
        odd = session(userId=[], crmEntityType={}, crmEntityId=[1], userCode=7, vote=[[]])
        portal.give(SESSIONS, {"sessions": [odd], "hasNextPage": False})
        assert [chat.id for chat in portal.platform.find_agents_chats(["7"])] == ["111"]

    @pytest.mark.parametrize(
        "page",
        [
            {"sessions": [session()], "hasNextPage": True},
            {"sessions": [session(id=each, chatId=each) for each in range(1, 201)], "hasNextPage": True},
            {"sessions": [], "hasNextPage": True},
        ],
        ids=["one row", "200 rows", "no rows"],
    )
    def test_the_list_of_sessions_that_does_not_go_on_is_not_read_for_ever(self, portal: Portal, page: Any) -> None:
        portal.give(SESSIONS, page)
        with pytest.raises(UnexpectedResponseError, match="does not go on behind its last row"):
            portal.platform.find_agents_chats(["7"])
        assert len(portal.answers.heard) <= 2

    def test_the_list_of_sessions_that_has_ever_new_rows_ends_where_the_documents_end_it(self, portal: Portal) -> None:
        def page(params: dict[str, Any], given: Any) -> Any:
            offset = int(params["offset"])
            assert offset <= 10_000
            return {"sessions": [session(id=offset + each) for each in range(1, 201)], "hasNextPage": True}

        portal.change(SESSIONS, page)
        with pytest.raises(UnexpectedResponseError, match="does not end within 10200 rows"):
            portal.platform.find_waiting_chats("3")

    @pytest.mark.parametrize(
        "other",
        [session(id=9999, chatId=999, operatorId=8), session(id=9999, chatId=999, operatorId=None),
         session(id=9999, chatId=999, status="closed"), session(id=9999, chatId=999, status="spam")],
        ids=shown,
    )  # fmt: skip
    def test_the_list_of_sessions_that_shows_what_was_not_asked_for_touches_nobody_else(
        self, portal: Portal, other: Any
    ) -> None:
        portal.give(SESSIONS, {"sessions": [session(), other], "hasNextPage": False})
        assert [chat.id for chat in portal.platform.find_agents_chats(["7"])] == ["111"]

    @pytest.mark.parametrize("other", [session(status="new", operatorId=None, configId=4), session()], ids=shown)
    def test_the_list_of_sessions_that_shows_another_line_finds_nobody(self, portal: Portal, other: Any) -> None:
        portal.give(SESSIONS, {"sessions": [other], "hasNextPage": False})
        assert portal.platform.find_waiting_chats("3") == []


class TestTheListOfOperators:
    @pytest.mark.parametrize(
        "wrong",
        [*FEW, {}, *({"operators": each, "hasNextPage": False} for each in FEW),
         *({"operators": [{"userId": 9, "configId": 3, "activeSessions": each}], "hasNextPage": False}
           for each in any_of(None, True, "x", [], -1))],
        ids=shown,
    )  # fmt: skip
    def test_the_list_of_operators_that_is_none_is_not_understood(self, portal: Portal, wrong: Any) -> None:
        portal.give(OPERATORS, wrong)
        with pytest.raises(UnexpectedResponseError) as error:
            portal.platform.find_agents_chats(["9"])
        assert error.value.method == OPERATORS

    def test_the_list_of_operators_that_does_not_go_on_is_not_read_for_ever(self, portal: Portal) -> None:
        row = {"userId": 9, "configId": 3, "activeSessions": 0}
        portal.give(OPERATORS, {"operators": [row], "hasNextPage": True})
        with pytest.raises(UnexpectedResponseError, match="does not go on behind its last row"):
            portal.platform.find_agents_chats(["9"])


@pytest.fixture
def no_reports(portal: Portal) -> Portal:
    """Return the same on a portal without reports, so that chats are found by their CRM activities."""
    switches = {"v2_methods": False}
    chats = [{"id": each, "owner": owner} for each, owner in ((111, 7), (112, 7), (999, 8))]
    portal.stage.reset(bitrix24={"chats": chats, "switches": switches})
    return portal


class TestTheListOfActivities:
    def test_the_list_of_activities_finds_the_chats(self, no_reports: Portal) -> None:
        assert [chat.id for chat in no_reports.platform.find_agents_chats(["7"])] == ["111", "112"]

    @pytest.mark.parametrize(
        "wrong",
        [*FEW, *([{"ID": each, "ASSOCIATED_ENTITY_ID": "7"}] for each in any_of(True, "x", 0, DIGITS)),
         *([{"ID": "5", "ASSOCIATED_ENTITY_ID": each}] for each in any_of(True, "x", [])), [{"ID": "5"}]],
        ids=shown,
    )  # fmt: skip
    def test_the_list_of_activities_that_is_none_is_not_understood(self, no_reports: Portal, wrong: Any) -> None:
        no_reports.give(ACTIVITIES, wrong)
        with pytest.raises(UnexpectedResponseError) as error:
            no_reports.platform.find_agents_chats(["7"])
        assert error.value.method == ACTIVITIES

    @pytest.mark.parametrize("wrong", [*FEW, [{"ID": True}], [{}]], ids=shown)
    def test_the_list_of_activities_needs_the_settings_of_the_lines(self, no_reports: Portal, wrong: Any) -> None:
        no_reports.give(LINES, wrong)
        with pytest.raises(UnexpectedResponseError) as error:
            no_reports.platform.find_agents_chats(["7"])
        assert error.value.method == LINES

    @pytest.mark.parametrize("wrong", [*FEW, {}], ids=shown)
    def test_loses_only_the_chat_whose_dialogue_is_not_understood(self, no_reports: Portal, wrong: Any) -> None:
        of_112 = no_reports.stage.chats("bitrix24")["112"]["session"]
        no_reports.change(
            DIALOG, lambda params, given: wrong if str(params.get("SESSION_ID")) == str(of_112) else given
        )
        assert [chat.id for chat in no_reports.platform.find_agents_chats(["7"])] == ["111"]

    def test_the_list_of_activities_takes_no_dialogue_of_an_earlier_session_for_the_one_asked_for(
        self, no_reports: Portal
    ) -> None:
        def shown_for_another(params: dict[str, Any], given: Any) -> Any:
            return {**given, "id": 999, "entity_data_1": "N|NONE|0|N|N|1|0|0|0|0"}

        no_reports.change(DIALOG, shown_for_another)
        assert no_reports.platform.find_agents_chats(["7"]) == []


class TestTheRecentList:
    @pytest.mark.parametrize(
        "wrong", [*FEW, [{"chat": "text"}], [{"chat": {"id": True, "owner": 7}}], [{"chat": {}}]], ids=shown
    )
    def test_the_recent_list_that_is_none_is_not_understood(self, portal: Portal, wrong: Any) -> None:
        webhook = {"user": 1, "code": "secretcode", "scopes": ["imopenlines", "im"]}
        portal.stage.reset(bitrix24={"webhooks": [webhook], "switches": {"v2_methods": False}})
        portal.give(RECENT, wrong)
        with pytest.raises(UnexpectedResponseError) as error:
            portal.platform.find_agents_chats(["1"])
        assert error.value.method == RECENT

    def test_the_recent_list_has_items_that_are_no_chats(self, portal: Portal) -> None:
        webhook = {"user": 1, "code": "secretcode", "scopes": ["imopenlines", "im"]}
        portal.stage.reset(bitrix24={"webhooks": [webhook], "switches": {"v2_methods": False}})
        portal.give(RECENT, [{"chat": []}, {"chat": None}, {"id": 5}])
        assert portal.platform.find_agents_chats(["1"]) == []


SINCE = {"111": 0.0}


class TestTheLogOfTransfers:
    @pytest.mark.parametrize(
        "wrong",
        [*FEW, {}, *({"transfers": each} for each in FEW),
         *({"transfers": [{"sessionId": 5, "date": each, "mode": "BOT", "type": "USER"}]}
           for each in any_of(None, 7, "x", [], True, "99999999999-01-01T00:00:00+00:00"))],
        ids=shown,
    )  # fmt: skip
    def test_the_log_of_transfers_that_is_none_is_not_understood(self, portal: Portal, wrong: Any) -> None:
        portal.give(LOG, wrong)
        (move,) = _moves("111")
        seen = Move(move.transfer, Chat(id="111", owner="7", session="5"))
        with pytest.raises(UnexpectedResponseError):
            portal.platform.transfer_history([seen], since=SINCE)

    def test_proves_nothing_by_rows_of_other_sessions_or_by_none(self, portal: Portal) -> None:
        row = {"sessionId": 6, "date": "2026-03-16T20:54:38+01:00", "mode": "BOT", "type": "USER", "toOperatorId": 12}
        (move,) = _moves("111")
        seen = Move(move.transfer, Chat(id="111", owner="7", session="5"))
        for rows in (
            [],
            [row],
            [{**row, "sessionId": 5, "toOperatorId": 8}],
            [{**row, "sessionId": 5, "mode": "AUTO"}],
        ):
            portal.give(LOG, {"transfers": rows})
            assert portal.platform.transfer_history([seen], since=SINCE) == {"111": None}
        portal.give(LOG, {"transfers": [{**row, "sessionId": "5"}]})
        assert portal.platform.transfer_history([seen], since=SINCE) == {"111": True}


class TestWhoWeAre:
    @pytest.mark.parametrize("wrong", [*NO_DICTS, {}, *({"ID": each} for each in any_of(*NO_IDS, 0, "0"))], ids=shown)
    def test_who_we_are_is_a_number_or_not_understood(self, portal: Portal, wrong: Any) -> None:
        portal.give("profile", wrong)
        with pytest.raises(UnexpectedResponseError, match=r"^profile: the answer is not as documented[a-zD: I]*$"):
            portal.platform.check_connection()

    @pytest.mark.parametrize("wrong", [None, {"0": "im"}, "im", [None], [[]], [7]], ids=shown)
    def test_who_we_are_has_scopes_that_are_words(self, portal: Portal, wrong: Any) -> None:
        portal.give("scope", wrong)
        with pytest.raises(UnexpectedResponseError) as error:
            portal.platform.check_connection()
        assert error.value.method == "scope"

    @pytest.mark.parametrize("wrong", [*FEW, *({"bots": each} for each in FEW)], ids=shown)
    @pytest.mark.parametrize("method", [LIST_BOTS, SESSIONS])
    def test_who_we_are_is_told_also_where_the_rest_is_not_understood(
        self, portal: Portal, wrong: Any, method: str
    ) -> None:
        portal.give(method, wrong)
        examined = portal.platform.check_connection()
        assert examined.who == "user 1 by an incoming webhook"
        assert "None" not in str([right.missing for right in examined.capabilities if right.missing])


class TestABot:
    @pytest.mark.parametrize("wrong", [*FEW, {}, *({"bots": each} for each in FEW)], ids=shown)
    def test_a_bot_is_registered_only_where_the_list_is_understood(self, portal: Portal, wrong: Any) -> None:
        portal.give(LIST_BOTS, wrong)
        with pytest.raises(UnexpectedResponseError):
            register_bot(portal.client, code="chattransfer", name="Chat transfer")
        assert REGISTER_BOT not in portal.answers.asked()

    @pytest.mark.parametrize(
        "wrong",
        [*FEW, {}, *({"bot": each} for each in FEW), *({"bot": {"id": each}} for each in any_of(*NO_IDS, 0))],
        ids=shown,
    )
    def test_a_bot_that_has_no_number_is_not_understood(self, portal: Portal, wrong: Any) -> None:
        portal.give(REGISTER_BOT, wrong)
        with pytest.raises(UnexpectedResponseError):
            register_bot(portal.client, code="chattransfer", name="Chat transfer")

    def test_a_bot_is_named_by_us(self, portal: Portal) -> None:
        portal.give(REGISTER_BOT, {"bot": {"id": "80", "code": "\x1b[31mx" * 1000}})
        assert register_bot(portal.client, code="chattransfer", name="Chat transfer").code == "chattransfer"


class TestAToken:
    """What the authorisation server gives out."""

    def fetch_token(self, stage: ClockedSandbox, script: Script, **told: Any) -> IssuedToken:
        script.play(Scripted.json({"access_token": "new", "refresh_token": "next", "user_id": 7, **told}))
        server = AuthorizationServer(
            host=script.url, client_id="c", client_secret="s", refresh_token="first", transport=stage.transport()
        )
        return server.fetch_token("last")

    @pytest.mark.parametrize("wrong", [None, True, 7, "", [], {}, "a b", "a\r\nX: 1", "ä", "x" * 9000], ids=shown)
    @pytest.mark.parametrize("name", ["access_token", "refresh_token"])
    def test_a_token_that_is_none_is_not_understood(
        self, stage: ClockedSandbox, script: Script, name: str, wrong: Any
    ) -> None:
        if name == "refresh_token" and wrong is None:
            assert self.fetch_token(stage, script, refresh_token=None).refresh_token == "last"
            return
        with pytest.raises(UnexpectedResponseError) as error:
            self.fetch_token(stage, script, **{name: wrong})
        assert str(error.value) == f"oauth/token: the answer is not as documented: {name} is missing or wrong"

    @pytest.mark.parametrize("odd", [None, True, 0, "x", [], {}, DIGITS], ids=shown)
    def test_a_token_may_be_of_nobody_that_is_known(self, stage: ClockedSandbox, script: Script, odd: Any) -> None:
        about = self.fetch_token(stage, script, user_id=odd, client_endpoint=[odd]).about
        assert about == {}


def test_one_that_may_not_be_listed_is_an_error_and_no_empty_list(portal: Portal) -> None:
    """The tampering itself changes nothing where the sandbox refuses."""
    portal.stage.reset(bitrix24={"switches": {"plan_has_reports": False, "v2_methods": False}, "webhooks": [
        {"user": 1, "code": "secretcode", "scopes": ["imopenlines"]}]})  # fmt: skip
    portal.give(SESSIONS, None)
    with pytest.raises(RequestRefusedError):
        portal.platform.find_agents_chats(["7"])
