# SPDX-License-Identifier: Apache-2.0
"""SuperOffice: who asks for what, what an answer is worth, and what is never asked for."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_chattransfer.chats.acceptance import AcceptancePoller
from airflow_provider_chattransfer.chats.model import Chat, Result, Target, TransferReport, UnreadableChat
from airflow_provider_chattransfer.chats.reconciliation import Answered, NotApplied, OutcomeUnknown, Refused
from airflow_provider_chattransfer.chats.run import Move, run_acceptance
from airflow_provider_chattransfer.exceptions import (
    CredentialsError,
    NotFoundError,
    PlatformError,
    RateLimitError,
    RequestRefusedError,
    ResponseLostError,
    UnexpectedResponseError,
)
from airflow_provider_chattransfer.platforms.base import SendOptions
from airflow_provider_chattransfer.platforms.polling import poll_until_done
from airflow_provider_chattransfer.platforms.runner import run_to_end
from airflow_provider_chattransfer.platforms.superoffice import platform as superoffice_platform
from airflow_provider_chattransfer.platforms.superoffice.auth import Basic, Bearer, SuperOfficeAuth
from airflow_provider_chattransfer.platforms.superoffice.client import SuperOfficeClient
from airflow_provider_chattransfer.platforms.superoffice.platform import SuperOfficePlatform

from ..support.reports import outcomes_of
from .conftest import SUPERVISOR, ClockedSandbox, Script, Scripted, query_of, to

TRANSFER = "TransferChatSession"
FIELDS = ["ChatSessionId", "TopicId", "User", "TransferTo", "Status"]


def who_asked(stage: ClockedSandbox, method: str) -> list[str]:
    """Return the logins of those who called ``method``, in order."""
    calls = [call for call in stage.calls if call.path.endswith(method)]
    return [base64.b64decode(call.headers["authorization"].split()[1]).decode().partition(":")[0] for call in calls]


def agents_chats(number: int, *, owner: int = 7, first: int = 150) -> list[dict[str, Any]]:
    """Return that many open chats of one agent."""
    return [{"id": first + index, "owner": owner} for index in range(number)]


class TestSigningIn:
    @pytest.mark.parametrize(
        "credentials", [Basic("agent7", "Secret7"), Bearer("8A:Cust12345.agent7")], ids=["basic", "bearer"]
    )
    def test_signing_in_works_by_password_and_by_token(
        self, stage: ClockedSandbox, credentials: SuperOfficeAuth
    ) -> None:
        platform = SuperOfficePlatform(stage.web_api(credentials))
        assert outcomes_of(stage.run_to_end(platform, to("agent:12", "150"))) == ["requested"]
        assert stage.ledger("superoffice")[0]["by"] == "associate:7"

    @pytest.mark.parametrize(
        "credentials", [Basic("agent7", "wrong"), Bearer("8A:Cust12345.nobody")], ids=["basic", "bearer"]
    )
    def test_signing_in_with_wrong_credentials_stops_before_anything_is_sent(
        self, stage: ClockedSandbox, credentials: SuperOfficeAuth
    ) -> None:
        results = stage.run_to_end(SuperOfficePlatform(stage.web_api(credentials)), to("agent:12", "150", "152"))
        assert outcomes_of(results) == ["failed"] * 2
        assert stage.asked("superoffice") == ["ChatSessionsForUser"]
        assert "[401]" in (results[0].reason or "")

    def test_as_an_agent_that_fails_concerns_only_his_chats(self, stage: ClockedSandbox) -> None:
        def identity(agent: str) -> SuperOfficeClient:
            return stage.web_api(Basic(f"agent{agent}", "wrong" if agent == "8" else f"Secret{agent}"))

        platform = SuperOfficePlatform(stage.web_api(), identities=identity)
        stage.reset(superoffice={"chats": [{"id": 150, "owner": 8}, {"id": 151, "owner": 7}]})
        results = stage.run_to_end(platform, to("agent:12", "150", "151"))
        assert outcomes_of(results) == ["failed", "requested"]
        assert "signing in as agent 8" in (results[0].reason or "")
        assert stage.moved("superoffice") == ["151"]

    def test_as_an_agent_who_is_turned_away_is_not_tried_again_for_each_of_his_chats(
        self, stage: ClockedSandbox
    ) -> None:
        """So many wrong passwords in a row may lock his account."""

        def identity(agent: str) -> SuperOfficeClient:
            return stage.web_api(Basic(f"agent{agent}", "wrong" if agent == "8" else f"Secret{agent}"))

        platform = SuperOfficePlatform(stage.web_api(), identities=identity)
        chats = [*agents_chats(60, owner=8), *agents_chats(20, first=300)]
        stage.reset(superoffice={"chats": chats})
        results = stage.run_to_end(platform, to("agent:12", *(str(chat["id"]) for chat in chats)))
        assert outcomes_of(results) == ["failed"] * 60 + ["requested"] * 20
        assert all("signing in as agent 8" in (each.reason or "") for each in results[:60])
        assert who_asked(stage, TRANSFER).count("agent8") == 1

    def test_as_an_agent_without_a_connection_concerns_only_his_chats(self, stage: ClockedSandbox) -> None:
        def identity(agent: str) -> SuperOfficeClient:
            if agent == "8":
                raise ValueError("conn_id: there is no connection 'superoffice_agent_8'")
            return stage.web_api(Basic(f"agent{agent}", f"Secret{agent}"))

        platform = SuperOfficePlatform(stage.web_api(), identities=identity)
        stage.reset(superoffice={"chats": [{"id": 150, "owner": 8}, {"id": 151, "owner": 7}]})
        results = stage.run_to_end(platform, to("agent:12", "150", "151"))
        assert outcomes_of(results) == ["failed", "requested"]
        assert "superoffice_agent_8" in (results[0].reason or "")


class TestATransfer:
    def test_a_transfer_is_sent_by_the_owner_of_each_chat(self, stage: ClockedSandbox) -> None:
        owners = [8, 7, 12, 7]
        stage.reset(superoffice={"chats": [{"id": 150 + place, "owner": owner} for place, owner in enumerate(owners)]})
        results = stage.run_to_end(stage.superoffice(), to("agent:15", "150", "151", "152", "153"))
        assert outcomes_of(results) == ["requested"] * 4
        assert sorted(who_asked(stage, TRANSFER)) == sorted(f"agent{owner}" for owner in owners)
        assert set(who_asked(stage, "ChatSessionsForUser")) == {"tje0"}

    def test_a_transfer_names_the_session_by_a_number_and_the_receiver_by_a_string(self, stage: ClockedSandbox) -> None:
        stage.run_to_end(stage.superoffice(), to("agent:12", "150"))
        call = next(call for call in stage.calls if call.path.endswith(TRANSFER))
        assert json.loads(call.body) == {"ChatSessionId": 150, "ToAssociate": "12"}
        assert query_of(call)["$select"].split(",") == FIELDS

    @pytest.mark.parametrize("wrong", [Basic("agent8", "Secret8"), SUPERVISOR], ids=["a colleague", "the supervisor"])
    def test_a_transfer_by_somebody_else_is_recognised_as_not_performed(
        self, stage: ClockedSandbox, wrong: Basic
    ) -> None:
        platform = SuperOfficePlatform(stage.web_api(), identities=lambda _: stage.web_api(wrong))
        results = stage.run_to_end(platform, to("agent:12", "150"))
        assert outcomes_of(results) == ["failed"]
        assert "not performed" in (results[0].reason or "")
        assert stage.asked("superoffice").count(TRANSFER) == 1
        assert stage.ledger("superoffice") == []

    @pytest.mark.parametrize("target", ["90", "99", "4711"])
    def test_a_transfer_to_nobody_is_recognised_as_not_performed(self, stage: ClockedSandbox, target: str) -> None:
        results = stage.run_to_end(stage.superoffice(), to(f"agent:{target}", "150"))
        assert outcomes_of(results) == ["failed"]
        assert "not performed" in (results[0].reason or "")

    @pytest.mark.parametrize("status", [200, 400, 500])
    def test_a_transfer_that_is_an_error_fails_with_the_services_own_words(
        self, stage: ClockedSandbox, status: int
    ) -> None:
        stage.reset(superoffice={"switches": {"unknown_target": "error", "error_status": status}})
        results = stage.run_to_end(stage.superoffice(), to("agent:4711", "150"))
        assert outcomes_of(results) == ["failed"]
        assert "SoInvalidArgumentException" in (results[0].reason or "")
        assert stage.ledger("superoffice") == []

    def test_a_transfer_of_a_closed_chat_is_skipped(self, stage: ClockedSandbox) -> None:
        stage.reset(superoffice={"chats": [{"id": 150, "owner": 7, "state": "closed"}]})
        assert outcomes_of(stage.run_to_end(stage.superoffice(), to("agent:12", "150"))) == ["skipped"]
        assert TRANSFER not in stage.asked("superoffice")

    def test_a_transfer_of_a_chat_that_waits_in_its_queue_is_refused_without_a_request(
        self, stage: ClockedSandbox
    ) -> None:
        results = stage.run_to_end(stage.superoffice(), to("agent:12", "153"))
        assert outcomes_of(results) == ["failed"]
        assert "waits in its queue" in (results[0].reason or "")
        assert TRANSFER not in stage.asked("superoffice")

    def test_a_transfer_that_rings_at_its_target_already_is_not_sent_again(self, stage: ClockedSandbox) -> None:
        assert stage.chats("superoffice")["151"]["offered_to"] == "12"
        assert outcomes_of(stage.run_to_end(stage.superoffice(), to("agent:12", "151"))) == ["requested"]
        assert TRANSFER not in stage.asked("superoffice")

    def test_back_to_the_queue_resets_the_session(self, stage: ClockedSandbox) -> None:
        results = stage.run_to_end(stage.superoffice(), to("queue", "150", "151"))
        assert outcomes_of(results) == ["requested"] * 2
        assert [each["change"] for each in stage.ledger("superoffice")] == ["reset", "reset"]
        assert who_asked(stage, "ResetChatSession") == ["agent7", "agent8"]
        chat = stage.chats("superoffice")["151"]
        assert (chat["state"], chat["owner"], chat["offered_to"]) == ("waiting", None, None)

    def test_a_transfer_to_another_queue_is_not_possible(self, stage: ClockedSandbox) -> None:
        with pytest.raises(ValueError, match="queue:4 is not possible on SuperOffice"):
            stage.superoffice().check_targets([Target.parse("agent:12"), Target.parse("queue:4")])
        stage.superoffice().check_targets([Target.parse("agent:12"), Target.parse("queue")])

    def test_a_transfer_that_hits_the_limit_is_sent_again(self, stage: ClockedSandbox) -> None:
        stage.reset(superoffice={"rate": 2, "chats": agents_chats(5), "people": {"ignore": 1.0}})
        results = stage.run_to_end(stage.superoffice(), to("agent:12", *map(str, range(150, 155))))
        assert outcomes_of(results) == ["requested"] * 5
        assert sorted(stage.moved("superoffice")) == [str(number) for number in range(150, 155)]


class TestAcceptance:
    def test_acceptance_is_seen(self, stage: ClockedSandbox) -> None:
        platform = stage.superoffice()
        results = stage.run_to_end(platform, to("agent:12", "150", "152", source="agent:7"))
        assert outcomes_of(_wait(stage, platform, results).results) == ["accepted"] * 2

    def test_acceptance_that_is_rejected_is_seen_as_rejected(self, stage: ClockedSandbox) -> None:
        stage.reset(superoffice={"people": {"agents": {"12": {"reject": 1.0}}}})
        platform = stage.superoffice()
        results = stage.run_to_end(platform, to("agent:12", "150", source="agent:7"))
        assert outcomes_of(results) == ["requested"]
        waited = _wait(stage, platform, results).results
        assert outcomes_of(waited) == ["failed"]
        assert waited[0].reason == "rejected: agent:12 did not take it, agent:7 has it still"

    def test_acceptance_is_given_as_the_receiver(self, stage: ClockedSandbox) -> None:
        platform = stage.superoffice()
        chat = platform.read_chats(["151"])["151"]
        assert isinstance(chat, Chat)
        assert platform.receiver_of(chat) == Target.agent("12")
        assert outcomes_of(run_to_end(run_acceptance(to("agent:12", "151")[0]), platform).results) == ["accepted"]
        assert who_asked(stage, "AcceptTransfer") == ["agent12"]
        assert stage.chats("superoffice")["151"]["owner"] == "12"

    def test_acceptance_of_what_is_not_being_transferred_is_skipped(self, stage: ClockedSandbox) -> None:
        platform = stage.superoffice()
        assert outcomes_of(run_to_end(run_acceptance(to("agent:12", "150")[0]), platform).results) == ["skipped"]
        assert stage.ledger("superoffice") == []

    def test_acceptance_without_the_receivers_identity_is_recognised_as_not_performed(
        self, stage: ClockedSandbox
    ) -> None:
        platform = SuperOfficePlatform(stage.web_api())
        results = run_to_end(run_acceptance(to("agent:12", "151")[0]), platform).results
        assert outcomes_of(results) == ["failed"]
        assert stage.ledger("superoffice") == []

    def test_acceptance_is_given_by_the_agents_twin_where_the_resource_is_not_found(
        self, script: Script, tenant: SuperOfficeClient
    ) -> None:
        session = {"ChatSessionId": 151, "Status": "UserLast", "User": {"AssociateId": 12}, "TransferTo": None}
        script.play(Scripted.json({"Message": "No HTTP resource was found"}, status=404), Scripted.json(session))
        assert tenant.accept("151").owner == "12"
        first, second = script.heard
        assert first.path.endswith("/ChatSession/151/AcceptTransfer")
        assert second.path.split("?")[0].endswith("/Agents/Chat/AcceptChatSessionTransfer")
        assert second.body == {"ChatSessionId": 151}

    def test_receiver_of_what_rings_at_nobody_is_whoever_the_connection_is(self, stage: ClockedSandbox) -> None:
        platform = SuperOfficePlatform(stage.web_api(Basic("agent15", "Secret15")))
        for _ in range(2):
            assert platform.receiver_of(Chat(id="150", owner="7")) == Target.agent("15")
        assert stage.asked("superoffice") == ["currentPrincipal"], "it is asked once"


ANSWERS: list[tuple[Scripted, type[PlatformError], type[object]]] = [
    (Scripted.json({"Error": True, "ErrorType": "SoX", "ErrorMessage": "no"}), RequestRefusedError, Refused),
    (Scripted.json({"Message": "The request is invalid."}), RequestRefusedError, Refused),
    (Scripted.json({"Message": "bad"}, status=400), RequestRefusedError, Refused),
    (Scripted.json({"ExceptionType": "SoX", "FriendlyText": "no"}, status=400), RequestRefusedError, Refused),
    (Scripted.json({"Message": "not found"}, status=404), NotFoundError, Refused),
    (
        Scripted.json({"Error": True, "ErrorType": "SoX", "ErrorMessage": "no"}, status=500),
        ResponseLostError,
        OutcomeUnknown,
    ),
    (Scripted(500, b"<html>", {}), ResponseLostError, OutcomeUnknown),
    (Scripted(0), ResponseLostError, OutcomeUnknown),
    (Scripted(200, b"<html>"), UnexpectedResponseError, OutcomeUnknown),
    (Scripted(302, b"", {"Location": "/login"}), UnexpectedResponseError, OutcomeUnknown),
]


class TestAnAnswer:
    @pytest.mark.parametrize(("answer", "kind", "_"), ANSWERS)
    def test_an_answer_that_is_no_session_is_typed(
        self, script: Script, tenant: SuperOfficeClient, answer: Scripted, kind: type[PlatformError], _: object
    ) -> None:
        script.play(answer)
        with pytest.raises(kind) as trouble:
            tenant.agents(TRANSFER, body={})
        assert type(trouble.value) is kind
        assert len(script.heard) == 1

    @pytest.mark.parametrize(("answer", "_", "meaning"), ANSWERS)
    def test_an_answer_to_a_transfer_says_whether_it_may_have_been_carried_out(
        self, script: Script, tenant: SuperOfficeClient, answer: Scripted, _: object, meaning: type[object]
    ) -> None:
        script.play(answer)
        assert isinstance(_send(tenant, "150")["150"], meaning)

    def test_null_is_a_refusal(self, script: Script, tenant: SuperOfficeClient) -> None:
        script.play(Scripted.json(None))
        assert isinstance(_send(tenant, "150")["150"], Refused)

    @pytest.mark.parametrize("body", [{}, [], True, "ok", {"ChatSessionId": 0}])
    def test_an_answer_that_is_something_else_is_unclear(
        self, script: Script, tenant: SuperOfficeClient, body: Any
    ) -> None:
        script.play(Scripted.json(body))
        assert isinstance(_send(tenant, "150")["150"], OutcomeUnknown)

    def test_an_answer_with_a_session_is_an_answer(self, script: Script, tenant: SuperOfficeClient) -> None:
        entity = {"ChatSessionId": 150, "TransferTo": {"AssociateId": 12}, "User": {"AssociateId": 7}}
        script.play(Scripted.json(entity))
        answer = _send(tenant, "150")["150"]
        assert isinstance(answer, Answered)
        assert answer.chat == Chat(id="150", owner="7", offered_to="12", shows_offers=True)

    @pytest.mark.parametrize("status", [401, 421])
    def test_an_answer_that_does_not_let_us_in_ends_the_run(
        self, script: Script, tenant: SuperOfficeClient, status: int
    ) -> None:
        script.play(Scripted.json({"Message": "denied"}, status=status))
        moves = _moves("150", "151")
        sent = SuperOfficePlatform(tenant).send(moves, SendOptions())
        assert sent.stop is not None
        assert len(script.heard) == 1
        assert isinstance(sent.answers["150"], NotApplied)

    def test_an_answer_that_the_limit_is_reached_for_long_leaves_the_rest_unsent(
        self, script: Script, tenant: SuperOfficeClient
    ) -> None:
        script.play(Scripted(429, b"", {"Retry-After": "3600"}))
        with pytest.raises(RateLimitError):
            tenant.entity("150")
        script.heard.clear()
        sent = SuperOfficePlatform(tenant).send(_moves("150", "151"), SendOptions())
        assert {chat_id: type(answer) for chat_id, answer in sent.answers.items()} == {"150": NotApplied}
        assert len(script.heard) == 1


class TestReading:
    def test_many_chats_is_one_request(self, stage: ClockedSandbox) -> None:
        chat_ids = list(stage.chats("superoffice"))
        chats = stage.superoffice().read_chats(chat_ids)
        assert stage.asked("superoffice") == ["ChatSessionsForUser"]
        for chat_id, known in stage.chats("superoffice").items():
            chat = chats[chat_id]
            assert isinstance(chat, Chat)
            assert chat.closed == (known["state"] == "closed")
            if not chat.closed:
                assert (chat.owner, chat.offered_to) == (known["owner"], known["offered_to"])

    def test_one_chat_is_one_request(self, stage: ClockedSandbox) -> None:
        stage.superoffice().read_chats(["150"])
        assert stage.asked("superoffice") == ["GetChatSessionEntity"]

    def test_chats_of_topics_that_the_reader_has_no_role_in_goes_one_by_one(self, stage: ClockedSandbox) -> None:
        queues = [{"id": 3, "members": [7, 12]}, {"id": 4, "members": [8]}]
        chats = [{"id": 150, "owner": 7, "queue": 3}, *({"id": each, "owner": 8, "queue": 4} for each in (151, 152))]
        stage.reset(superoffice={"queues": queues, "chats": chats})
        read = stage.superoffice(Basic("agent12", "Secret12")).read_chats(["150", "151", "152"])
        assert [_owner(read[each]) for each in ("150", "151", "152")] == ["7", "8", "8"]
        assert stage.asked("superoffice") == ["ChatSessionsForUser", "GetChatSessionEntity", "GetChatSessionEntity"]

    def test_a_list_that_never_helps_is_asked_for_only_now_and_then(self, stage: ClockedSandbox) -> None:
        stage.reset(superoffice={"queues": [{"id": 3, "members": [7, 8], "listeners": []}], "chats": agents_chats(4)})
        platform = stage.superoffice(Basic("agent15", "Secret15"))
        for _ in range(30):
            platform.read_chats(["150", "151"])
        assert stage.asked("superoffice").count("ChatSessionsForUser") == superoffice_platform.MAX_EMPTY_LISTS + 2
        assert stage.asked("superoffice").count("GetChatSessionEntity") == 30 * 2

    def test_a_list_is_not_given_up_for_chats_that_it_does_not_show(self, stage: ClockedSandbox) -> None:
        """Such as closed ones: the next chats may be among those that it shows."""
        stage.reset(superoffice={"chats": agents_chats(2)})
        platform = stage.superoffice()
        for _ in range(superoffice_platform.READS_PER_LIST):
            platform.read_chats(["4711", "4712"])
        for _ in range(2):
            stage.calls.clear()
            platform.read_chats(["150", "151"])
            assert stage.asked("superoffice") == ["ChatSessionsForUser"]

    def test_a_list_that_has_helped_once_is_asked_for_again_whatever_came_between(self, stage: ClockedSandbox) -> None:
        """Chats of other topics, a whole piece of them, say nothing of the next piece."""
        topics = [{"id": 3, "members": [7], "listeners": [15]}, {"id": 4, "members": [7], "listeners": []}]
        mine = [{**chat, "queue": 3} for chat in agents_chats(2)]
        others = [{**chat, "queue": 4} for chat in agents_chats(2, first=160)]
        stage.reset(superoffice={"queues": topics, "chats": [*mine, *others]})
        platform = stage.superoffice(Basic("agent15", "Secret15"))
        for chat_ids in (["160", "161"], ["150", "151"], *[["160", "161"]] * 4, ["150", "151"]):
            stage.calls.clear()
            platform.read_chats(chat_ids)
        assert stage.asked("superoffice") == ["ChatSessionsForUser"]

    def test_a_chat_that_is_not_there_says_so(self, stage: ClockedSandbox) -> None:
        chats = stage.superoffice().read_chats(["150", "4711"])
        assert chats["4711"] == UnreadableChat("not there, or this account may not see it")
        assert _owner(chats["150"]) == "7"

    def test_reading_asks_for_five_fields_and_hands_on_nothing_of_the_customer(self, stage: ClockedSandbox) -> None:
        platform = stage.superoffice()
        chat_ids = list(stage.chats("superoffice"))
        parsed = str([platform.read_chats(chat_ids), platform.read_chats(["150"]), platform.find_agents_chats(["7"])])
        selects = {call.path.rpartition("/")[2]: query_of(call)["$select"].split(",") for call in stage.calls}
        assert selects == {
            "ChatSessionsForUser": FIELDS,
            "GetChatSessionEntity": FIELDS,
            "ChatSession": ["chatSessionId", "status", "associateId", "personId", "chatTopic/chatTopicId"],
        }
        sessions = stage.server.sandbox.services[1]._centre.sessions  # type: ignore[attr-defined]
        assert len(sessions) == 30
        for session in sessions.values():
            customer = session.customer
            for secret in (customer.last_name, customer.email, customer.phone, session.key, session.last_message):
                assert not secret or secret not in parsed


class TestListing:
    def test_listing_finds_the_open_chats_of_agents(self, stage: ClockedSandbox) -> None:
        found = stage.superoffice().find_agents_chats(["8", "7"])
        expected = [
            (chat["id"], chat["owner"], chat["queue"])
            for chat in stage.chats("superoffice").values()
            if chat["owner"] in ("7", "8") and chat["state"] == "open"
        ]
        assert len(expected) > 10
        assert [(chat.id, chat.owner, chat.queue) for chat in found] == expected

    def test_listing_goes_from_page_to_page_by_key_and_never_skips(
        self, stage: ClockedSandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(superoffice_platform, "PAGE_ROWS", 3)
        stage.reset(superoffice={"chats": agents_chats(7)})
        found = stage.superoffice().find_agents_chats(["7"])
        assert [chat.id for chat in found] == [str(number) for number in range(150, 157)]
        queries = [query_of(call) for call in stage.calls if call.verb == "GET"]
        assert [query["$filter"].rpartition(" ")[2] for query in queries] == ["0", "152", "155"]
        assert all(query["$top"] == "3" and "$skip" not in query for query in queries)

    def test_listing_is_sure_of_its_end_when_the_last_page_is_full(
        self, stage: ClockedSandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(superoffice_platform, "PAGE_ROWS", 3)
        stage.reset(superoffice={"chats": agents_chats(6)})
        assert len(stage.superoffice().find_agents_chats(["7"])) == 6
        assert [call.verb for call in stage.calls] == ["GET", "GET", "GET", "POST"]

    def test_listing_shows_who_has_been_asked_for_a_chat_already(self, stage: ClockedSandbox) -> None:
        stage.reset(superoffice={"chats": [*agents_chats(1), {"id": 160, "owner": 7, "transfer_to": 12}]})
        found = stage.superoffice().find_agents_chats(["7"])
        assert [(chat.id, chat.offered_to) for chat in found] == [("150", None), ("160", "12")]

    def test_listing_knows_a_customer_by_a_key_and_not_by_name(self, stage: ClockedSandbox) -> None:
        chats = [{"id": 150 + place, "owner": 7, "customer": customer} for place, customer in enumerate((9, 8, 9))]
        stage.reset(superoffice={"chats": chats})
        first, second, third = stage.superoffice().find_agents_chats(["7"])
        assert first.customer == third.customer == "person 9"
        assert first.customer != second.customer

    def test_listing_of_a_queue_is_not_possible(self, stage: ClockedSandbox) -> None:
        with pytest.raises(ValueError, match="from_queue: queue:3 is not possible on SuperOffice"):
            stage.superoffice().find_waiting_chats("3")

    @pytest.mark.parametrize("body", [None, [], {}, {"value": None}])
    def test_listing_is_not_fooled_by_an_answer_without_rows(
        self, script: Script, tenant: SuperOfficeClient, body: Any
    ) -> None:
        script.play(Scripted.json(body))
        with pytest.raises(UnexpectedResponseError):
            SuperOfficePlatform(tenant).find_agents_chats(["7"])

    def test_listing_that_is_refused_says_why(self, stage: ClockedSandbox) -> None:
        with pytest.raises(CredentialsError):
            stage.superoffice(Basic("agent7", "wrong")).find_agents_chats(["7"])


def _owner(chat: object) -> str | None:
    assert isinstance(chat, Chat)
    return chat.owner


def _moves(*chat_ids: str) -> list[Move]:
    return [Move(transfer, Chat(id=transfer.chat_id, owner="7")) for transfer in to("agent:12", *chat_ids)]


def _send(tenant: SuperOfficeClient, *chat_ids: str) -> dict[str, object]:
    return dict(SuperOfficePlatform(tenant).send(_moves(*chat_ids), SendOptions()).answers)


def _wait(stage: ClockedSandbox, platform: SuperOfficePlatform, results: Sequence[Result]) -> TransferReport:
    """Wait ten minutes at the most, looking every fifteen seconds."""
    begin = stage.server.sandbox.clock.utc()
    report = TransferReport("superoffice", "test", tuple(results), started_at=begin, finished_at=begin)
    poller = AcceptancePoller(report, deadline=(begin + timedelta(minutes=10)).timestamp())
    return poll_until_done(poller, platform, interval=15.0, now=stage.server.sandbox.clock.utc, sleep=stage.sleep)
