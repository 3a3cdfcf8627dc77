# SPDX-License-Identifier: Apache-2.0
"""Finding open chats on Bitrix24: three ways, what each misses, and when one gives way to the next."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_chattransfer.chats.model import Chat
from airflow_provider_chattransfer.exceptions import CredentialsError, RequestRefusedError, UnexpectedResponseError
from airflow_provider_chattransfer.platforms.bitrix24.client import Bitrix24Client
from airflow_provider_chattransfer.platforms.bitrix24.commands import Command
from airflow_provider_chattransfer.platforms.bitrix24.platform import Bitrix24Platform

from .conftest import ClockedSandbox, Script, Scripted

SESSIONS = "imopenlines.v2.Session.list"
OPERATORS = "imopenlines.v2.Operator.list"
ACTIVITIES = "crm.activity.list"
RECENT = "im.recent.get"

NO_REPORTS: list[dict[str, Any]] = [{"plan_has_reports": False}, {"v2_methods": False}]


def transfer(chat: int, *, user: int) -> Command:
    """Return a transfer as the portal takes it."""
    params = {"CHAT_ID": chat, "USER_ID": user, "LEAVE": "N", "CLIENT_ID": "chattransfer"}
    return Command("imopenlines.bot.session.transfer", params)


def truth(stage: ClockedSandbox, *agents: str, offered: bool) -> list[tuple[str, str | None, str | None]]:
    """Chat, owner and who was asked, as the sandbox knows the open chats of ``agents``."""
    return [
        (chat["id"], chat["owner"], chat["offered_to"])
        for chat in stage.chats("bitrix24").values()
        if chat["state"] != "closed" and (chat["owner"] in agents or (offered and chat["offered_to"] in agents))
    ]


def found(chats: list[Chat]) -> list[tuple[str, str | None, str | None]]:
    """Return the same of what a platform found."""
    return [(chat.id, chat.owner, chat.offered_to) for chat in chats]


class TestTheReports:
    def test_the_reports_show_every_open_chat_also_those_that_are_offered(self, stage: ClockedSandbox) -> None:
        expected = truth(stage, "7", "8", offered=True)
        assert {each[2] for each in expected} == {None, "7"}, "the scenario has both"
        assert found(stage.bitrix24().find_agents_chats(["7", "8"])) == expected
        assert stage.asked() == ["batch"]

    def test_the_reports_show_pinned_chats(self, stage: ClockedSandbox) -> None:
        stage.reset(bitrix24={"chats": [{"id": 101, "owner": 7, "pinned": True}]})
        assert found(stage.bitrix24().find_agents_chats(["7"])) == [("101", "7", None)]
        assert stage.asked() == ["batch"]

    def test_the_reports_are_read_page_by_page(self, stage: ClockedSandbox) -> None:
        chats = [{"id": 101 + index, "owner": 7 if index % 3 else 8} for index in range(450)]
        stage.reset(bitrix24={"chats": chats})
        expected = truth(stage, "7", "8", offered=True)
        assert len(expected) == 450
        assert found(stage.bitrix24().find_agents_chats(["7", "8"])) == expected
        assert stage.asked() == ["batch", SESSIONS, SESSIONS]

    def test_the_reports_are_asked_about_many_agents_in_few_requests(self, stage: ClockedSandbox) -> None:
        stage.reset(
            bitrix24={"operators": 45, "chats": [{"id": 101 + index, "owner": 17 + index} for index in range(25)]}
        )
        agents = [str(17 + index) for index in range(25)]
        assert found(stage.bitrix24().find_agents_chats(agents)) == truth(stage, *agents, offered=True)
        assert stage.asked() == ["batch"]

    def test_the_reports_show_the_chats_that_wait_in_a_queue(self, stage: ClockedSandbox) -> None:
        waiting = [chat["id"] for chat in stage.chats("bitrix24").values() if chat["state"] == "waiting"]
        chats = stage.bitrix24().find_waiting_chats("3")
        assert [chat.id for chat in chats] == waiting
        assert all(chat.owner is None for chat in chats)
        assert stage.asked() == [SESSIONS]

    def test_the_reports_name_a_chat_once_with_its_newest_session(self, script: Script, portal: Bitrix24Client) -> None:
        rows = [
            {"id": session, "chatId": 101, "operatorId": operator, "status": "answered", "configId": 3, "userId": 5001}
            for session, operator in ((333, 7), (340, 8), (335, 7))
        ]
        lists = {f"c{number}": {"sessions": rows if not number else [], "hasNextPage": False} for number in range(3)}
        script.play(Scripted.json({"result": {"result": lists, "result_error": []}}))
        assert found(Bitrix24Platform(portal).find_agents_chats(["7", "8"])) == [("101", "8", None)]


class TestSilence:
    """An agent without chats in the reports may be one whom the webhook's user may not see."""

    def test_silence_of_an_agent_who_is_idle_is_believed(self, stage: ClockedSandbox) -> None:
        stage.reset(bitrix24={"chats": []})
        assert stage.bitrix24().find_agents_chats(["7", "8"]) == []
        assert stage.asked() == ["batch", OPERATORS]

    def test_silence_of_an_agent_who_is_busy_is_not_believed(self, stage: ClockedSandbox) -> None:
        stage.reset(bitrix24={"switches": {"reports_lag": 100000}})
        assert found(stage.bitrix24().find_agents_chats(["7"])) == truth(stage, "7", offered=False)
        assert ACTIVITIES in stage.asked()

    def test_about_agents_whom_the_reports_do_not_show_is_not_believed(self, stage: ClockedSandbox) -> None:
        webhook = {"user": 12, "code": "narrow", "scopes": ["imopenlines", "crm"]}
        stage.reset(bitrix24={"webhooks": [webhook]})
        chats = stage.bitrix24(user=12, code="narrow").find_agents_chats(["7"])
        assert found(chats) == truth(stage, "7", offered=False)

    def test_about_one_agent_is_not_hidden_by_the_chats_of_another(self, stage: ClockedSandbox) -> None:
        webhook = {"user": 7, "code": "narrow", "scopes": ["imopenlines", "crm"]}
        stage.reset(bitrix24={"webhooks": [webhook]})
        chats = stage.bitrix24(user=7, code="narrow").find_agents_chats(["7", "8"])
        assert found(chats) == truth(stage, "7", "8", offered=False)

    def test_silence_that_cannot_be_checked_is_an_error_that_says_what_to_do(self, stage: ClockedSandbox) -> None:
        webhook = {"user": 12, "code": "narrow", "scopes": ["imopenlines"]}
        stage.reset(bitrix24={"webhooks": [webhook]})
        with pytest.raises(RequestRefusedError, match=r"agents 7.*chat_ids"):
            stage.bitrix24(user=12, code="narrow").find_agents_chats(["7"])


class TestTheActivities:
    @pytest.mark.parametrize("switches", NO_REPORTS)
    def test_the_activities_are_read_where_there_are_no_reports_and_miss_offered_chats(
        self, stage: ClockedSandbox, switches: dict[str, Any]
    ) -> None:
        stage.reset(bitrix24={"switches": switches})
        assert found(stage.bitrix24().find_agents_chats(["7", "8"])) == truth(stage, "7", "8", offered=False)

    @pytest.mark.parametrize("denied", [True, False])
    def test_the_activities_are_read_by_a_user_without_the_right_to_reports(
        self, stage: ClockedSandbox, denied: bool
    ) -> None:
        webhook = {"user": 12, "code": "narrow", "scopes": ["imopenlines", "crm", "im"]}
        stage.reset(bitrix24={"webhooks": [webhook], "switches": {"reports_denied": denied}})
        chats = stage.bitrix24(user=12, code="narrow").find_agents_chats(["7", "8"])
        assert found(chats) == truth(stage, "7", "8", offered=False)

    def test_the_activities_are_read_page_by_page(self, stage: ClockedSandbox) -> None:
        chats = [{"id": 101 + index, "owner": 7} for index in range(320)]
        stage.reset(bitrix24={"chats": chats, "switches": {"v2_methods": False}})
        assert len(stage.bitrix24().find_agents_chats(["7"])) == 320
        assert stage.asked().count(ACTIVITIES) == 7

    def test_the_activities_are_all_read_where_the_responsible_person_does_not_follow_a_transfer(
        self, stage: ClockedSandbox
    ) -> None:
        queues = [{"id": 3, "members": [7, 8, 12, 15], "crm_transfer_change": False}]
        stage.reset(bitrix24={"queues": queues, "chats": [{"id": 101, "owner": 7}], "switches": {"v2_methods": False}})
        stage.webhook().call(transfer(101, user=12), repeatable=False)
        assert found(stage.bitrix24().find_agents_chats(["12"])) == [("101", "12", None)]
        assert stage.bitrix24().find_agents_chats(["7"]) == []

    def test_the_activities_show_the_chats_that_wait_in_a_queue(self, stage: ClockedSandbox) -> None:
        stage.reset(bitrix24={"switches": {"plan_has_reports": False}})
        waiting = [chat["id"] for chat in stage.chats("bitrix24").values() if chat["state"] == "waiting"]
        assert [chat.id for chat in stage.bitrix24().find_waiting_chats("3")] == waiting

    def test_the_activities_miss_lines_without_crm(self, stage: ClockedSandbox) -> None:
        queues = [{"id": 3, "members": [7], "crm": False}, {"id": 4, "members": [7]}]
        chats = [{"id": 101, "owner": 7, "queue": 3}, {"id": 102, "owner": 7, "queue": 4}]
        stage.reset(bitrix24={"queues": queues, "chats": chats, "switches": {"v2_methods": False}})
        assert found(stage.bitrix24().find_agents_chats(["7"])) == [("102", "7", None)]


class TestTheRecentList:
    @pytest.mark.parametrize("switches", [*NO_REPORTS, {"missing_scope": "not_found", "v2_methods": False}])
    def test_the_recent_list_is_read_for_the_webhooks_own_user(
        self, stage: ClockedSandbox, switches: dict[str, Any]
    ) -> None:
        webhook = {"user": 7, "code": "own", "scopes": ["imopenlines", "im"]}
        stage.reset(bitrix24={"webhooks": [webhook], "switches": switches})
        assert found(stage.bitrix24(user=7, code="own").find_agents_chats(["7"])) == truth(stage, "7", offered=False)
        assert stage.asked()[-1] == RECENT

    def test_the_recent_list_is_not_used_for_anybody_else(self, stage: ClockedSandbox) -> None:
        webhook = {"user": 7, "code": "own", "scopes": ["imopenlines", "im"]}
        stage.reset(bitrix24={"webhooks": [webhook], "switches": {"v2_methods": False}})
        with pytest.raises(RequestRefusedError, match="cannot list the open chats of agents 7, 8"):
            stage.bitrix24(user=7, code="own").find_agents_chats(["7", "8"])
        assert RECENT not in stage.asked()


class TestNoWay:
    def test_through_is_an_error_and_not_an_empty_list(self, stage: ClockedSandbox) -> None:
        webhook = {"user": 1, "code": "narrow", "scopes": ["imopenlines"]}
        stage.reset(bitrix24={"webhooks": [webhook], "switches": {"plan_has_reports": False}})
        with pytest.raises(RequestRefusedError, match="insufficient_scope"):
            stage.bitrix24(code="narrow").find_agents_chats(["7"])
        with pytest.raises(RequestRefusedError, match="waiting in queue 3"):
            stage.bitrix24(code="narrow").find_waiting_chats("3")

    def test_no_way_in_with_a_wrong_code_tries_no_other_way(self, stage: ClockedSandbox) -> None:
        with pytest.raises(CredentialsError, match="INVALID_CREDENTIALS"):
            stage.bitrix24(code="wrongcode").find_agents_chats(["7"])
        assert stage.asked() == ["batch"]


class TestAnAnswerThatIsNoneOfThePortals:
    """It is told as such, with its method, and stands for no chats at all."""

    @pytest.mark.parametrize(
        ("result", "method"),
        [
            ({"sessions": None}, SESSIONS),
            ({"sessions": ["x"]}, SESSIONS),
            ([], SESSIONS),
            ({"sessions": [{"id": 1}]}, SESSIONS),
        ],
    )
    def test_an_answer_that_is_none_of_the_portals_is_no_list_of_sessions(
        self, script: Script, portal: Bitrix24Client, result: Any, method: str
    ) -> None:
        script.play(Scripted.json({"result": result}))
        with pytest.raises(UnexpectedResponseError) as error:
            Bitrix24Platform(portal).find_waiting_chats("3")
        assert error.value.method == method

    @pytest.mark.parametrize(
        "rows",
        [
            None,
            ["x"],
            [{"ID": "5"}],
            [{"ID": "x", "ASSOCIATED_ENTITY_ID": "7"}] * 50,
            [{"ASSOCIATED_ENTITY_ID": "7"}] * 50,
            [{"ID": "0", "ASSOCIATED_ENTITY_ID": "7"}] * 50,
        ],
    )
    def test_an_answer_that_is_none_of_the_portals_is_no_list_of_activities(
        self, script: Script, portal: Bitrix24Client, rows: Any
    ) -> None:
        no_reports = Scripted.json({"error": "TARIFF_RESTRICTION"}, status=400)
        script.play(no_reports, Scripted.json({"result": rows}))
        with pytest.raises(UnexpectedResponseError) as error:
            Bitrix24Platform(portal).find_waiting_chats("3")
        assert error.value.method == ACTIVITIES

    def test_an_answer_that_is_none_of_the_portals_that_shows_the_same_rows_again_is_not_read_for_ever(
        self, script: Script, portal: Bitrix24Client
    ) -> None:
        no_reports = Scripted.json({"error": "TARIFF_RESTRICTION"}, status=400)
        rows = [{"ID": str(each), "ASSOCIATED_ENTITY_ID": "7"} for each in range(1, 51)]
        script.play(no_reports, Scripted.json({"result": rows}))
        with pytest.raises(UnexpectedResponseError, match="does not go on"):
            Bitrix24Platform(portal).find_waiting_chats("3")
