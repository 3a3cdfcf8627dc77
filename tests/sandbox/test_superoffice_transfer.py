# SPDX-License-Identifier: Apache-2.0
"""Who may move a chat session of the SuperOffice sandbox, and what "nothing happens" looks like."""

from __future__ import annotations

import pytest

from airflow_provider_chattransfer.sandbox.superoffice.model import Status
from airflow_provider_chattransfer.sandbox.superoffice.scenario import state_of
from tests.sandbox.superoffice_client import TenantClient

IGNORANT = {"ignore": 1.0}
WRONG = "Unknown associate: 4711"
QUEUED = 153
CLOSED = 159
PENDING = 151


class TestATransferIsARequest:
    def test_the_owner_stays_until_the_receiver_accepts(self, desk: TenantClient) -> None:
        entity = desk.transfer(157, 12, by=7)
        assert entity["User"]["AssociateId"] == 7
        assert entity["TransferTo"]["AssociateId"] == 12
        assert desk.held(157) == ("7", "12", 1)

    def test_it_is_in_the_ledger_with_who_asked_and_by_which_request(self, desk: TenantClient) -> None:
        desk.transfer(157, 12, by=7)
        (change,) = desk.ledger()
        assert (change["change"], change["chat_id"], change["by"]) == ("transferred", "157", "associate:7")
        assert (change["before"], change["after"]) == ("agent:7", "agent:12")
        assert (change["method"], change["request"]) == ("TransferChatSession", 1)

    def test_the_receiver_is_named_by_id_or_by_login(self, desk: TenantClient) -> None:
        assert desk.transfer(157, "agent12", by=7)["TransferTo"]["AssociateId"] == 12
        assert desk.transfer(150, "12", by=7)["TransferTo"]["AssociateId"] == 12

    def test_an_ejuser_id_is_not_an_associate_id(self, desk: TenantClient) -> None:
        """12 is agent 7's ejuser id, and another agent's associate id."""
        entity = desk.transfer(157, 12, by=7)
        assert entity["TransferTo"]["EjUserId"] == 17
        assert entity["User"]["EjUserId"] == 12

    def test_the_rest_flavour_does_the_same(self, desk: TenantClient) -> None:
        reply = desk.send("POST", "ChatSession/157/TransferTo/agent12", by=7)
        assert reply.json()["TransferTo"]["AssociateId"] == 12
        assert "_Links" not in reply.json()
        assert desk.ledger()[0]["method"] == "ChatSession/{id}/TransferTo/{associate}"


class TestWhatAClientCanTell:
    """There is no status, flag or error: only `User` and `TransferTo` of the session that comes back."""

    def seen(self, desk: TenantClient, to: int, *, by: int) -> tuple[int, int | None]:
        entity = desk.transfer(157, to, by=by)
        asked = entity["TransferTo"]
        return entity["User"]["AssociateId"], asked and asked["AssociateId"]

    def test_what_a_client_can_tell_that_his_transfer_is_pending(self, desk: TenantClient) -> None:
        assert self.seen(desk, 12, by=7) == (7, 12)

    def test_what_a_client_can_tell_that_the_receiver_has_it_already(self, desk: TenantClient) -> None:
        desk.transfer(157, 12, by=7)
        desk.skip()
        assert self.seen(desk, 12, by=7) == (12, None)
        assert desk.held(157)[2] == 1

    def test_what_a_client_can_tell_that_nothing_happened(self, desk: TenantClient) -> None:
        assert self.seen(desk, 12, by=8) == (7, None)

    def test_what_a_client_can_tell_that_somebody_else_is_being_asked(self, desk: TenantClient) -> None:
        desk.reset(switches={"overwrite_pending": False}, people=IGNORANT)
        desk.transfer(157, 15, by=7)
        assert self.seen(desk, 12, by=7) == (7, 15)

    def test_what_a_client_can_tell_that_there_is_no_such_session(self, desk: TenantClient) -> None:
        assert desk.transfer(99999, 12, by=7) is None
        assert desk.agent("AcceptChatSessionTransfer", {"ChatSessionId": 99999}, by=12) is None
        assert desk.send("POST", "ChatSession/99999/TransferTo/12", by=7).status_code == 404
        assert desk.ledger() == []

    def test_nothing_from_an_answer_without_those_two(self, desk: TenantClient) -> None:
        entity = desk.agent(
            "TransferChatSession?$select=ChatSessionId,Status", {"ChatSessionId": 157, "ToAssociate": "12"}, by=7
        )
        assert (entity["User"], entity["TransferTo"]) == (None, None)
        assert desk.held(157) == ("7", "12", 1)


class TestTheReceiver:
    def test_the_receiver_accepts_and_becomes_the_user(self, desk: TenantClient) -> None:
        desk.transfer(157, 12, by=7)
        desk.skip()
        entity = desk.session(157)
        assert (entity["User"]["AssociateId"], entity["TransferTo"]) == (12, None)
        assert desk.ledger()[1]["by"] == "person:12"
        assert (desk.ledger()[1]["before"], desk.ledger()[1]["after"]) == ("agent:7", "agent:12")

    def test_the_receiver_leaves_a_special_message_when_he_accepts(self, desk: TenantClient) -> None:
        desk.transfer(157, 12, by=7)
        desk.skip()
        last = desk.agent("GetChatMessages", {"ChatSessionId": 157, "After": 0})[-1]
        assert (last["Type"], last["SpecialType"]) == ("Special", "TransferedSession")

    def test_the_receiver_gets_the_lowest_free_rank(self, desk: TenantClient) -> None:
        desk.transfer(157, 12, by=7)
        desk.transfer(150, 12, by=7)
        desk.skip()
        assert sorted(desk.session(chat)["Rank"] for chat in (150, 155, 157)) == [1, 2, 3]

    def test_rejects_and_the_sender_goes_on(self, desk: TenantClient) -> None:
        desk.reset(people={"reject": 1.0})
        desk.transfer(157, 12, by=7)
        desk.skip()
        assert desk.held(157) == ("7", None, 1)
        assert desk.verbs() == ["transferred", "rejected"]
        last = desk.agent("GetChatMessages", {"ChatSessionId": 157, "After": 0})[-1]
        assert last["SpecialType"] == "TransferRejected"

    def test_who_ignores_it_leaves_it_pending_for_ever(self, desk: TenantClient) -> None:
        desk.reset(people=IGNORANT)
        desk.transfer(157, 12, by=7)
        desk.skip(7 * 86_400)
        assert desk.held(157) == ("7", "12", 1)

    def test_who_is_away_does_not_answer(self, desk: TenantClient) -> None:
        desk.reset(operators=[{"id": 5, "login": "tje0", "password": "Tje0"}, {"id": 7}, {"id": 12, "present": False}])
        desk.transfer(157, 12, by=7)
        desk.skip(3600)
        assert desk.held(157) == ("7", "12", 1)

    def test_habits_of_a_single_agent_count(self, desk: TenantClient) -> None:
        desk.reset(people={"agents": {"12": {"reject": 1.0}}})
        desk.transfer(157, 12, by=7)
        desk.transfer(150, 15, by=7)
        desk.skip()
        assert (desk.held(157)[0], desk.held(150)[0]) == ("7", "15")


class TestNothingHappens:
    """200, the session as it is, and no line in the ledger."""

    @pytest.mark.parametrize(
        ("chat", "to", "by"),
        [
            pytest.param(157, 12, 8, id="by somebody who does not own it"),
            pytest.param(157, 7, 7, id="to oneself"),
            pytest.param(157, 4711, 7, id="to nobody"),
            pytest.param(157, "nobody", 7, id="to a name of nobody"),
            pytest.param(157, "", 7, id="to an empty name"),
            pytest.param(157, 90, 7, id="to a deleted associate"),
            pytest.param(157, 99, 7, id="to the system user"),
            pytest.param(CLOSED, 12, 7, id="of a closed session"),
            pytest.param(QUEUED, 12, 7, id="of a session in the queue"),
        ],
    )
    def test_nothing_happens_on_a_transfer(self, desk: TenantClient, chat: int, to: int | str, by: int) -> None:
        before = desk.session(chat)
        assert desk.transfer(chat, to, by=by) == before
        assert desk.ledger() == []
        assert desk.held(chat)[2] == 0

    @pytest.mark.parametrize("status", [name for name in Status.__members__ if not Status[name].active])
    def test_nothing_happens_on_a_transfer_in_any_status_but_the_two_of_an_open_session(
        self, desk: TenantClient, status: str
    ) -> None:
        """By a manager where nobody owns it, so that the status alone is in the way."""
        owner = {"owner": 7} if Status[status].ended else {}
        desk.reset(
            switches={"manager_may_transfer": True},
            queues=[{"id": 3, "managers": [8]}],
            chats=[{"id": 1, "queue": 3, "status": status, "state": state_of(Status[status]), **owner}],
        )
        assert desk.transfer(1, 12, by=8)["TransferTo"] is None
        assert desk.ledger() == []

    @pytest.mark.parametrize("status", ["CustomerLast", "UserLast"])
    def test_not_in_those_two(self, desk: TenantClient, status: str) -> None:
        desk.reset(chats=[{"id": 1, "owner": 7, "status": status}])
        assert desk.transfer(1, 12, by=7)["TransferTo"]["AssociateId"] == 12

    @pytest.mark.parametrize("status", [name for name in Status.__members__ if name != "InQueue"])
    def test_nothing_happens_on_picking_up_what_is_not_in_the_queue(self, desk: TenantClient, status: str) -> None:
        owner = {"owner": 7} if Status[status].active else {}
        desk.reset(chats=[{"id": 1, "queue": 3, "status": status, "state": state_of(Status[status]), **owner}])
        assert desk.agent("PickUpChatSession", {"ChatSessionId": 1}, by=12) is None
        assert desk.ledger() == []

    def test_nothing_happens_on_a_transfer_by_a_manager(self, desk: TenantClient) -> None:
        desk.reset(queues=[{"id": 3, "members": [7, 8, 12], "managers": [8]}])
        assert desk.transfer(157, 12, by=8)["TransferTo"] is None

    def test_nothing_happens_on_a_transfer_by_the_system_user(self, desk: TenantClient) -> None:
        headers = {"Authorization": "SOTicket 7T:Cust12345.system", "SO-AppToken": "sandbox-secret"}
        body = {"ChatSessionId": 157, "ToAssociate": "12"}
        assert desk.send("POST", "Agents/Chat/TransferChatSession", headers=headers, json=body).status_code == 200
        assert desk.ledger() == []

    def test_nothing_happens_on_accepting_as_the_system_user(self, desk: TenantClient) -> None:
        headers = {"Authorization": "SOTicket 7T:Cust12345.system", "SO-AppToken": "sandbox-secret"}
        for action in ("AcceptTransfer", "RejectTransfer"):
            entity = desk.send("POST", f"ChatSession/{PENDING}/{action}", headers=headers).json()
            assert (entity["User"]["AssociateId"], entity["TransferTo"]["AssociateId"]) == (8, 12)
        assert desk.ledger() == []

    def test_nothing_happens_on_accepting_what_is_not_being_transferred(self, desk: TenantClient) -> None:
        assert desk.agent("AcceptChatSessionTransfer", {"ChatSessionId": 157}, by=12)["User"]["AssociateId"] == 7
        assert desk.ledger() == []

    def test_nothing_happens_on_accepting_or_rejecting_for_somebody_else(self, desk: TenantClient) -> None:
        for method in ("AcceptChatSessionTransfer", "RejectChatSessionTransfer"):
            for by in (7, 8, 15):
                assert desk.agent(method, {"ChatSessionId": PENDING}, by=by)["TransferTo"]["AssociateId"] == 12
        assert desk.ledger() == []

    def test_nothing_happens_on_resetting_what_is_closed_or_queued(self, desk: TenantClient) -> None:
        for chat in (CLOSED, QUEUED):
            desk.agent("ResetChatSession", {"ChatSessionId": chat}, by=7)
        assert desk.ledger() == []


class TestAcceptingByApi:
    def test_assigns_to_the_caller_who_was_asked(self, desk: TenantClient) -> None:
        entity = desk.send("POST", f"ChatSession/{PENDING}/AcceptTransfer", by=12).json()
        assert (entity["User"]["AssociateId"], entity["TransferTo"]) == (12, None)
        assert (desk.ledger()[0]["change"], desk.ledger()[0]["by"]) == ("accepted", "associate:12")

    def test_accepting_by_api_comes_before_the_person_who_then_does_nothing(self, desk: TenantClient) -> None:
        desk.transfer(157, 12, by=7)
        desk.agent("AcceptChatSessionTransfer", {"ChatSessionId": 157}, by=12)
        desk.skip()
        assert desk.verbs() == ["transferred", "accepted"]

    def test_what_was_given_away_cannot_be_transferred_by_the_former_owner(self, desk: TenantClient) -> None:
        desk.send("POST", f"ChatSession/{PENDING}/AcceptTransfer", by=12)
        assert desk.transfer(PENDING, 15, by=8)["TransferTo"] is None

    def test_a_rejection_by_api_clears_the_transfer(self, desk: TenantClient) -> None:
        entity = desk.send("POST", f"ChatSession/{PENDING}/RejectTransfer", by=12).json()
        assert (entity["User"]["AssociateId"], entity["TransferTo"]) == (8, None)
        assert (desk.ledger()[0]["before"], desk.ledger()[0]["after"]) == ("agent:12", "agent:8")


class TestTheSenderMeanwhile:
    def test_still_owns_it_and_can_put_it_back_on_the_queue(self, desk: TenantClient) -> None:
        desk.reset(people=IGNORANT)
        desk.transfer(157, 12, by=7)
        desk.agent("ResetChatSession", {"ChatSessionId": 157}, by=7)
        assert desk.held(157) == (None, None, 1)
        assert desk.agent("AcceptChatSessionTransfer", {"ChatSessionId": 157}, by=12)["User"] is None

    def test_the_sender_meanwhile_cannot_take_it_back(self, desk: TenantClient) -> None:
        desk.agent("RejectChatSessionTransfer", {"ChatSessionId": PENDING}, by=8)
        desk.transfer(PENDING, 8, by=8)
        assert desk.held(PENDING) == ("8", "12", 0)


class TestASecondTransfer:
    def test_replaces_the_pending_one_and_the_first_receiver_is_out(self, desk: TenantClient) -> None:
        desk.transfer(157, 12, by=7)
        desk.transfer(157, 15, by=7)
        assert desk.held(157) == ("7", "15", 2)
        desk.skip()
        assert desk.held(157) == ("15", None, 2)
        assert desk.verbs() == ["transferred", "transferred", "accepted"]

    def test_a_second_transfer_to_the_same_receiver_counts_and_is_accepted_once(self, desk: TenantClient) -> None:
        desk.transfer(157, 12, by=7)
        desk.transfer(157, 12, by=7)
        desk.skip()
        assert desk.held(157) == ("12", None, 2)
        assert desk.verbs() == ["transferred", "transferred", "accepted"]

    def test_a_second_transfer_to_the_same_receiver_does_not_start_his_time_again(self, desk: TenantClient) -> None:
        desk.reset(people={"accept_after": [10, 10]})
        desk.transfer(157, 12, by=7)
        desk.skip(6)
        desk.transfer(157, 12, by=7)
        desk.skip(6)
        assert desk.held(157)[0] == "12"

    def test_back_and_forth_does_not_wake_the_first_offer(self, desk: TenantClient) -> None:
        desk.reset(people={"accept_after": [1, 2], "agents": {"12": {"reject": 1.0, "accept_after": [30, 31]}}})
        desk.transfer(157, 12, by=7)
        desk.transfer(157, 15, by=7)
        desk.skip(10)
        assert desk.held(157)[0] == "15"
        desk.transfer(157, 12, by=15)
        desk.skip(25)
        assert desk.held(157) == ("15", "12", 3), "the answer to the first offer is not one to the second"


class TestSwitches:
    def test_manager_may_transfer(self, desk: TenantClient) -> None:
        desk.reset(switches={"manager_may_transfer": True}, queues=[{"id": 3, "managers": [8]}])
        assert desk.transfer(157, 12, by=8)["TransferTo"]["AssociateId"] == 12
        assert desk.transfer(150, 12, by=15)["TransferTo"] is None
        assert desk.transfer(150, 8, by=8)["TransferTo"] is None, "to himself, as for everybody"
        assert desk.ledger()[0]["by"] == "associate:8"

    @pytest.mark.parametrize("status", [200, 400, 500])
    def test_unknown_target_error(self, desk: TenantClient, status: int) -> None:
        desk.reset(switches={"unknown_target": "error", "error_status": status})
        body = {"ChatSessionId": 157, "ToAssociate": "4711"}
        reply = desk.send("POST", "Agents/Chat/TransferChatSession", by=7, json=body)
        assert reply.status_code == status
        assert reply.json()["Error"] is True
        assert reply.json()["ErrorType"] == "SoInvalidArgumentException"
        assert desk.ledger() == []

    @pytest.mark.parametrize(
        ("shape", "expected"),
        [
            ("object", {"Error": True, "ErrorType": "SoInvalidArgumentException", "ErrorMessage": WRONG}),
            ("exception_info", {"ExceptionType": "SoInvalidArgumentException", "Message": WRONG, "Parameters": {}}),
        ],
    )
    def test_agent_errors(self, desk: TenantClient, shape: str, expected: dict[str, object]) -> None:
        desk.reset(switches={"unknown_target": "error", "agent_errors": shape})
        body = {"ChatSessionId": 157, "ToAssociate": "4711"}
        reply = desk.send("POST", "Agents/Chat/TransferChatSession", by=7, json=body)
        assert reply.status_code == 400
        assert expected.items() <= reply.json().items()
        rest = desk.send("POST", "ChatSession/157/TransferTo/4711", by=7)
        assert (rest.status_code, rest.json()["ErrorType"]) == (400, "SoInvalidArgumentException")

    def test_agent_errors_may_be_nothing_at_all(self, desk: TenantClient) -> None:
        desk.reset(switches={"unknown_target": "error", "agent_errors": "null"})
        assert desk.transfer(157, 4711, by=7) is None
        assert desk.send("POST", "ChatSession/157/TransferTo/4711", by=7).status_code == 400

    def test_third_party_accept(self, desk: TenantClient) -> None:
        desk.reset(switches={"third_party_accept": "assign"})
        assert desk.agent("AcceptChatSessionTransfer", {"ChatSessionId": PENDING}, by=15)["User"]["AssociateId"] == 15

    @pytest.mark.parametrize("leaves", [True, False])
    def test_special_messages(self, desk: TenantClient, leaves: bool) -> None:
        desk.reset(people={"reject": 1.0, "accept_after": [1, 2]}, switches={"special_messages": leaves})
        desk.transfer(157, 12, by=7)
        desk.skip()
        assert desk.held(157)[:2] == ("7", None)
        for said in (desk.agent("GetChatMessages", {"ChatSessionId": 157}), desk.get("ChatSession/157/Messages")):
            assert ("TransferRejected" in {each["SpecialType"] for each in said}) is leaves
            assert any(each["SpecialType"] == "None" for each in said)

    def test_sender_may_reject(self, desk: TenantClient) -> None:
        desk.reset(switches={"sender_may_reject": True})
        assert desk.agent("RejectChatSessionTransfer", {"ChatSessionId": PENDING}, by=8)["TransferTo"] is None
        assert desk.ledger()[0]["by"] == "associate:8"

    def test_overwrite_pending(self, desk: TenantClient) -> None:
        desk.reset(switches={"overwrite_pending": False})
        assert desk.transfer(PENDING, 15, by=8)["TransferTo"]["AssociateId"] == 12
        assert desk.ledger() == []

    def test_transfer_to_ended(self, desk: TenantClient) -> None:
        desk.reset(switches={"transfer_to_ended": "apply"})
        assert desk.transfer(CLOSED, 12, by=7)["TransferTo"]["AssociateId"] == 12
        desk.reset(switches={"transfer_to_ended": "error"})
        body = {"ChatSessionId": CLOSED, "ToAssociate": "12"}
        reply = desk.send("POST", "Agents/Chat/TransferChatSession", by=7, json=body)
        assert (reply.status_code, reply.json()["ErrorType"]) == (400, "SoIllegalOperationException")

    def test_away_target(self, desk: TenantClient) -> None:
        desk.reset(switches={"away_target": "noop"})
        desk.send("POST", "Presence/SaveAll", by=12, json=[{"UserId": 17, "Present": False}])
        assert desk.transfer(157, 12, by=7)["TransferTo"] is None

    def test_non_member_target(self, desk: TenantClient) -> None:
        desk.reset(switches={"non_member_target": "noop"}, queues=[{"id": 3, "members": [7, 8, 15]}])
        assert desk.transfer(157, 12, by=7)["TransferTo"] is None
        assert desk.transfer(157, 15, by=7)["TransferTo"]["AssociateId"] == 15

    def test_target_name(self, desk: TenantClient) -> None:
        assert desk.transfer(157, "agent12@example.com", by=7)["TransferTo"] is None
        desk.reset(switches={"target_name": "user_name"})
        assert desk.transfer(157, "agent12", by=7)["TransferTo"] is None
        assert desk.transfer(157, "agent12@example.com", by=7)["TransferTo"]["AssociateId"] == 12

    def test_reset_by(self, desk: TenantClient) -> None:
        desk.reset(switches={"reset_by": "owner"})
        assert desk.agent("ResetChatSession", {"ChatSessionId": 157}, by=8)["Status"] != "InQueue"
        assert desk.agent("ResetChatSession", {"ChatSessionId": 157}, by=7)["Status"] == "InQueue"

    def test_an_unknown_one_is_refused(self, desk: TenantClient) -> None:
        for switches in ({"managers": True}, {"unknown_target": "maybe"}, {"manager_may_transfer": 1}):
            assert desk.reset(switches=switches).status_code == 400


class TestTheQueue:
    def test_a_reset_chat_waits_in_its_topic_without_user(self, desk: TenantClient) -> None:
        entity = desk.send("POST", f"ChatSession/{PENDING}/Reset", by=8).json()
        assert (entity["Status"], entity["User"], entity["TransferTo"]) == ("InQueue", None, None)
        assert entity["WhenStarted"].startswith("0001-01-01")
        assert (desk.ledger()[0]["change"], desk.ledger()[0]["after"]) == ("reset", "queue:3")
        assert entity["ChatbotIsActive"] is False, "a bot hands over by this call"

    def test_a_picked_up_chat_belongs_to_the_caller_and_the_customer_is_welcomed(self, desk: TenantClient) -> None:
        entity = desk.agent("PickUpChatSession", {"ChatSessionId": QUEUED}, by=12)
        assert (entity["User"]["AssociateId"], entity["Status"]) == (12, "UserLast")
        last = desk.agent("GetChatMessages", {"ChatSessionId": QUEUED, "After": 0})[-1]
        assert last["SpecialType"] == "Welcome"
        assert (desk.ledger()[0]["change"], desk.ledger()[0]["before"]) == ("accepted", "queue:3")

    def test_what_is_not_in_the_queue_cannot_be_picked_up(self, desk: TenantClient) -> None:
        assert desk.agent("PickUpChatSession", {"ChatSessionId": 157}, by=12) is None
        assert desk.send("POST", "ChatSession/157/Pickup", by=12).json() is None
        assert desk.ledger() == []

    def test_the_first_is_the_longest_waiting_of_the_callers_topics(self, desk: TenantClient) -> None:
        assert desk.agent("PickUpFirstChatSession", by=7)["ChatSessionId"] == 153
        assert desk.agent("PickUpFirstChatSession", by=7)["ChatSessionId"] == 173
        assert desk.agent("PickUpFirstChatSession", by=7) is None, "163 waits in a topic that agent 7 has no role in"


class TestTheScenario:
    def test_the_default_one_is_an_end_of_shift(self, desk: TenantClient) -> None:
        chats = desk.state()["chats"]
        assert len(chats) == 30
        going_home = [chat for chat in chats if chat["owner"] in ("7", "8") and chat["state"] == "open"]
        assert len(going_home) > 15
        assert sum(chat["state"] == "waiting" for chat in chats) == 3
        assert sum(chat["state"] == "closed" for chat in chats) == 3
        assert [(chat["owner"], chat["offered_to"]) for chat in chats if chat["offered_to"]] == [("8", "12")]
        assert len({chat["customer"] for chat in chats}) < len(chats)

    def test_a_chat_can_be_listed_with_few_words(self, desk: TenantClient) -> None:
        desk.reset(chats=[{"id": 1, "owner": 7}, {"queue": 4}, {"id": 9, "owner": 8, "state": "closed"}])
        assert [(chat["id"], chat["state"], chat["owner"]) for chat in desk.state()["chats"]] == [
            ("1", "open", "7"),
            ("2", "waiting", None),
            ("9", "closed", "8"),
        ]

    def test_it_grows_to_thousands(self, desk: TenantClient) -> None:
        desk.reset(operators=10, chats=2000)
        reply = desk.send("GET", "ChatSession", by=7, params={"$filter": "status oneOf (5,6)", "$top": "100"})
        assert len(reply.json()["value"]) == 100

    @pytest.mark.parametrize(
        "wrong",
        [
            {"chat": 3},
            {"chats": [{"id": 1, "owner": 4711}]},
            {"chats": [{"id": 1, "owner": 90}]},
            {"chats": [{"id": 1, "owner": 7, "state": "waiting"}]},
            {"chats": [{"id": 1, "state": "open"}]},
            {"chats": [{"id": 1, "queue": 77}]},
            {"chats": [{"id": 1, "owner": 7, "transfer_to": 7}]},
            {"chats": [{"id": 1, "colour": "red"}]},
            {"chats": [{"id": 1}, {"id": 1}]},
            {"chats": [{"id": 1, "owner": 7, "state": "closed", "status": "UserLast"}]},
            {"queues": [{"id": 3, "members": [4711]}]},
            {"operators": [{"id": 7}, {"id": 7}]},
            {"operators": True},
            {"tokens": {"8A:x": 4711}},
            {"rate": 0},
            {"tenant_state": "Asleep"},
            {"time_zone": "Middle/Earth"},
            {"application": {"secret": "x"}},
            {"application": {"consent": "Perhaps"}},
            {"application": {"public_key": "-----BEGIN PUBLIC KEY-----"}},
            {"data_host": {"after": 60}},
            {"data_host": 7},
        ],
    )
    def test_a_contradictory_one_is_refused(self, desk: TenantClient, wrong: dict[str, object]) -> None:
        assert desk.reset(**wrong).status_code == 400
        assert len(desk.state()["chats"]) == 30, "the old state stays"
