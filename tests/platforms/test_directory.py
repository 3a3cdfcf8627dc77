# SPDX-License-Identifier: Apache-2.0
"""People, queues and chats that are looked up: what there is, what there is not, and what one may not ask."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_chattransfer.chats.model import Chat, Target
from airflow_provider_chattransfer.exceptions import CredentialsError, UnexpectedResponseError
from airflow_provider_chattransfer.platforms.base import ChatPlatform
from airflow_provider_chattransfer.platforms.bitrix24.client import Bitrix24Client
from airflow_provider_chattransfer.platforms.bitrix24.platform import Bitrix24Platform
from airflow_provider_chattransfer.platforms.directory import Entry, closest
from airflow_provider_chattransfer.platforms.superoffice.auth import Basic
from airflow_provider_chattransfer.platforms.superoffice.client import SuperOfficeClient
from airflow_provider_chattransfer.platforms.superoffice.platform import SuperOfficePlatform

from .conftest import ClockedSandbox, Script, Scripted

PORTAL: dict[str, Any] = {
    "operators": [
        {"id": 7, "name": "Anna Adams"},
        {"id": 8, "name": "Anna Bell"},
        {"id": 12, "name": "Zoë Costa"},
        {"id": 15, "name": "Max Doe"},
        {"id": 16, "name": "Max Doe", "active": False},
    ],
    "queues": [
        {"id": 3, "name": "Support"},
        {"id": 4, "name": "Sales: EU"},
        {"id": 5, "name": "Sales: EU"},
        {"id": 6, "name": "Old", "deleted": True},
    ],
}
TENANT: dict[str, Any] = {
    "operators": [
        {"id": 5, "login": "tje0", "password": "Tje0", "name": "Tone Jespersen"},
        {"id": 7, "login": "aa", "name": "Anna Adams"},
        {"id": 12, "login": "zc", "name": "Zoë Costa"},
        {"id": 15, "login": "md", "name": "Max Doe"},
        {"id": 16, "login": "md2", "name": "Max Doe"},
        {"id": 90, "login": "gone", "name": "Fred Former", "deleted": True},
    ],
    "queues": [{"id": 3, "name": "Support", "members": [7, 12, 15, 16]}, {"id": 4, "name": "Sales", "members": [7]}],
    "chats": [{"id": 150, "owner": 7, "queue": 3}],
}


@pytest.fixture
def portal_of(stage: ClockedSandbox) -> Bitrix24Platform:
    stage.reset(bitrix24=PORTAL | {"chats": 0})
    return stage.bitrix24()


@pytest.fixture
def tenant_of(stage: ClockedSandbox) -> SuperOfficePlatform:
    stage.reset(superoffice=TENANT)
    return stage.superoffice()


def resolved(platform: ChatPlatform, *written: str) -> list[str]:
    targets = [Target.parse(each) for each in written]
    found = platform.resolve(targets, of="to")
    assert set(found) == set(targets)
    assert all(each.name is None for each in found.values())
    return [str(found[target]) for target in targets]


def refusal(platform: ChatPlatform, *written: str) -> str:
    with pytest.raises(ValueError, match=r"^to: ") as error:
        platform.resolve([Target.parse(each) for each in written], of="to")
    assert len(str(error.value)) < 300
    return str(error.value).removeprefix("to: ")


class TestBitrix24:
    @pytest.mark.parametrize(
        ("written", "number"),
        [
            ("agent:7", "agent:7"),
            ("agent:90", "agent:90"),
            ("agent:Anna Adams", "agent:7"),
            ("agent:adams  anna", "agent:7"),
            ("agent:ZOE\u0308 COSTA", "agent:12"),
            ("agent:operator12@portal.example", "agent:12"),
            ("queue:3", "queue:3"),
            ("queue:Support", "queue:3"),
            ("queue:support", "queue:3"),
            ("queue", "queue"),
        ],
    )
    def test_what_is_there_is_found(self, portal_of: Bitrix24Platform, written: str, number: str) -> None:
        assert resolved(portal_of, written) == [number]

    @pytest.mark.parametrize(
        ("written", "why"),
        [
            ("agent:121", "there is no user 121 on the portal"),
            ("agent:80", "user 80 is a bot, not an operator"),
            ("agent:91", "user 91 is an extranet user, not an operator"),
            ("queue:9", "there is no open line 9"),
            ("queue:6", "there is no open line 6"),
            ("agent:Jane Roe", "there is no agent:Jane Roe; check the spelling, or write the number"),
            ("agent:jane@example.com", "there is no agent:jane@example.com; check the spelling, or write the number"),
            ("agent:%@portal.example", "there is no agent:%@portal.example; check the spelling, or write the number"),
            ("agent:Gina Guest", "there is no agent:Gina Guest; check the spelling, or write the number"),
            (
                "agent:Anna",
                "there is no agent:Anna; did you mean agent:7 (Anna Adams) or agent:8 (Anna Bell)?",
            ),
            ("agent:Max Doe", "agent:Max Doe may be agent:15 (Max Doe) or agent:16 (Max Doe); write the number"),
            ("queue:Suport", "there is no queue:Suport; did you mean queue:3 (Support)?"),
            ("queue:Sales: EU", "queue:Sales: EU may be queue:4 (Sales: EU) or queue:5 (Sales: EU); write the number"),
            ("queue:Old", "there is no queue:Old; check the spelling, or write the number"),
            ("agent:" + "x" * 200, f"there is no agent:{'x' * 42}…; check the spelling, or write the number"),
        ],
    )
    def test_what_is_not_there_is_bad_input_with_the_candidates(
        self, portal_of: Bitrix24Platform, written: str, why: str
    ) -> None:
        assert refusal(portal_of, "agent:7", written) == why

    def test_a_customer_is_no_agent(self, stage: ClockedSandbox) -> None:
        assert refusal(stage.bitrix24(), "agent:5001") == "user 5001 is a customer, not an operator"

    def test_several_that_are_not_there_are_told_together(self, portal_of: Bitrix24Platform) -> None:
        assert refusal(portal_of, "agent:121", "agent:122", "agent:7") == (
            "there is no user 121 on the portal (and so for 1 more)"
        )

    def test_all_are_asked_for_at_once_and_once(self, stage: ClockedSandbox, portal_of: Bitrix24Platform) -> None:
        everybody = ["agent:7", "agent:8", "agent:Zoë Costa", "agent:Anna Adams", "queue:3", "queue:Support", "queue"]
        for _ in range(3):
            resolved(portal_of, *everybody)
        assert len(stage.asked()) == 3, "numbers, names, and lines"

    def test_more_than_a_batch_of_names(self, stage: ClockedSandbox) -> None:
        operators = [{"id": number, "name": f"Person Number{number}"} for number in range(200, 320)]
        queues = [{"id": number, "name": f"Line {number}", "members": [200]} for number in range(1, 201)]
        stage.reset(bitrix24={"operators": operators, "queues": queues, "chats": 0})
        names = [f"agent:Person Number{number}" for number in range(200, 320)]
        assert resolved(stage.bitrix24(), *names, "queue:Line 200")[-2:] == ["agent:319", "queue:200"]

    @pytest.mark.parametrize("switches", [{}, {"missing_scope": "not_found"}])
    def test_bitrix24_without_the_right_to_ask_numbers_pass_and_names_do_not(
        self, stage: ClockedSandbox, switches: dict[str, Any]
    ) -> None:
        hooks = [{"user": 1, "code": "secretcode", "scopes": ["imopenlines"]}]
        stage.reset(bitrix24=PORTAL | {"chats": 0, "webhooks": hooks, "switches": switches})
        assert resolved(stage.bitrix24(), "agent:121", "queue:3") == ["agent:121", "queue:3"]
        for name in ("agent:Anna Adams", "agent:operator7@portal.example"):
            why = refusal(stage.bitrix24(), name)
            assert why.startswith(f"{name} cannot be looked up, write the number: user.")
            assert "the scope user" in why

    def test_a_scope_that_hides_addresses_is_named(self, stage: ClockedSandbox) -> None:
        hooks = [{"user": 1, "code": "secretcode", "scopes": ["imopenlines", "im", "user_brief"]}]
        stage.reset(bitrix24=PORTAL | {"chats": 0, "webhooks": hooks})
        assert resolved(stage.bitrix24(), "agent:Anna Adams") == ["agent:7"]
        assert "user_brief hides e-mail addresses" in refusal(stage.bitrix24(), "agent:operator7@portal.example")

    def test_a_wrong_webhook_is_no_lack_of_a_right(self, stage: ClockedSandbox) -> None:
        with pytest.raises(CredentialsError):
            stage.bitrix24(code="wrong").resolve([Target.parse("agent:Anna Adams")], of="to")

    @pytest.mark.parametrize(
        "answer", [None, "x", {"a": 1}, [1], [{"ID": None}], [{"ID": "x", "LINE_NAME": "Support"}]]
    )
    def test_an_answer_that_is_no_list_is_not_understood(
        self, script: Script, portal: Bitrix24Client, answer: Any
    ) -> None:
        script.play(Scripted.json({"result": answer, "time": {}}))
        with pytest.raises(UnexpectedResponseError):
            Bitrix24Platform(portal).resolve([Target.parse("queue:Support")], of="to")

    def test_a_portal_that_gives_all_lines_whatever_page_is_asked_for_ends_the_list(
        self, script: Script, portal: Bitrix24Client
    ) -> None:
        lines = [{"ID": str(number), "LINE_NAME": f"Line {number}"} for number in range(1, 301)]
        script.play(Scripted.json({"result": lines, "time": {}}))
        found = Bitrix24Platform(portal).resolve([Target.parse("queue:Line 300")], of="to")
        assert [*map(str, found.values())] == ["queue:300"]
        assert len(script.heard) == 2

    def test_the_next_page_begins_behind_the_last_line(self, script: Script, portal: Bitrix24Client) -> None:
        first = [{"ID": number, "LINE_NAME": f"Line {number}"} for number in range(1, 201)]
        pages = (first, [{"ID": 201, "LINE_NAME": "Support"}])
        script.play(*(Scripted.json({"result": page, "time": {}}) for page in pages))
        found = Bitrix24Platform(portal).resolve([Target.parse("queue:Support")], of="to")
        assert [*map(str, found.values())] == ["queue:201"]
        assert [heard.body["PARAMS"]["offset"] for heard in script.heard] == [0, 200]

    def test_a_name_that_could_write_into_a_terminal_is_not_shown(self, script: Script, portal: Bitrix24Client) -> None:
        lines = [{"ID": 1, "LINE_NAME": "Support\x1b[2J"}, {"ID": 2, "LINE_NAME": "Support " + "x" * 300}]
        script.play(Scripted.json({"result": lines, "time": {}}))
        why = refusal(Bitrix24Platform(portal), "queue:Support")
        assert why == "there is no queue:Support; did you mean queue:1 or queue:2 (Support xxxxxxxxxxxxxxxx)?"


class TestChatsOfBitrix24:
    @pytest.fixture
    def portal_of(self, stage: ClockedSandbox) -> Bitrix24Platform:
        """Of the chats of four customers one waits, one of two is open, two are open, and two are closed."""
        chats = [
            {"id": 101, "queue": 3, "state": "waiting", "customer": 5001},
            {"id": 102, "queue": 3, "owner": 7, "customer": 5002},
            {"id": 103, "queue": 3, "owner": 7, "state": "closed", "customer": 5002},
            {"id": 104, "queue": 3, "owner": 7, "customer": 5003},
            {"id": 105, "queue": 3, "owner": 8, "customer": 5003},
            {"id": 106, "queue": 3, "owner": 8, "state": "closed", "customer": 5004},
            {"id": 107, "queue": 3, "owner": 8, "state": "closed", "customer": 5004},
        ]
        stage.reset(bitrix24={"chats": chats})
        return stage.bitrix24()

    def test_a_number_costs_no_request(self, stage: ClockedSandbox, portal_of: Bitrix24Platform) -> None:
        assert portal_of.resolve_chats(["101", "999"]) == {"101": "101", "999": "999"}
        assert stage.asked() == []

    def test_a_session_leads_to_its_chat(self, stage: ClockedSandbox, portal_of: Bitrix24Platform) -> None:
        chat = portal_of.read_chats(["101"])["101"]
        assert isinstance(chat, Chat)
        reference = f"session:{chat.session}"
        before = len(stage.asked())
        for _ in range(2):
            assert portal_of.resolve_chats([reference, "102"]) == {reference: "101", "102": "102"}
        assert len(stage.asked()) == before + 1, "asked once"

    @pytest.mark.parametrize(
        ("customer", "chat"),
        [(5001, "101"), (5002, "102"), (5004, "107")],
        ids=["waits", "one is open", "all are closed"],
    )
    def test_an_entity_leads_to_its_open_chat_or_to_the_newest(
        self, portal_of: Bitrix24Platform, customer: int, chat: str
    ) -> None:
        lead = f"crm:lead:{10000 + customer}"
        assert portal_of.resolve_chats([lead]) == {lead: chat}

    def test_many_cost_two_requests(self, stage: ClockedSandbox, portal_of: Bitrix24Platform) -> None:
        leads = [f"crm:lead:{number}" for number in (15001, 15002, 15004)]
        assert list(portal_of.resolve_chats([*leads, *leads]).values()) == ["101", "102", "107"]
        assert len(stage.asked()) <= 3

    def test_several_open_chats_are_an_error_with_their_numbers(self, portal_of: Bitrix24Platform) -> None:
        with pytest.raises(ValueError, match="crm:lead:15003 has 2 open chats, 104, 105: write the number of one"):
            portal_of.resolve_chats(["crm:lead:15003"])

    @pytest.mark.parametrize("reference", ["session:99999", "crm:lead:99999", "crm:deal:1"])
    def test_nothing_there_is_bad_input(self, portal_of: Bitrix24Platform, reference: str) -> None:
        with pytest.raises(ValueError, match=reference) as error:
            portal_of.resolve_chats([reference])
        assert len(str(error.value)) < 300

    def test_what_may_not_be_read_says_so(self, stage: ClockedSandbox, portal_of: Bitrix24Platform) -> None:
        operator = stage.bitrix24(user=16, code="secretcode16")
        with pytest.raises(ValueError, match=r"crm:lead:15002, or it cannot be looked up: .*ACCESS_DENIED"):
            operator.resolve_chats(["crm:lead:15002"])

    @pytest.mark.parametrize(
        ("reference", "answer"),
        [
            ("session:1", {}),
            ("session:1", {"id": True}),
            ("session:1", []),
            ("crm:deal:1", {"a": 1}),
            ("crm:deal:1", [1]),
        ],
    )
    def test_an_answer_that_names_no_chat_is_not_understood(
        self, script: Script, portal: Bitrix24Client, reference: str, answer: Any
    ) -> None:
        script.play(Scripted.json({"result": answer, "time": {}}))
        with pytest.raises(UnexpectedResponseError):
            Bitrix24Platform(portal).resolve_chats([reference])


class TestSuperOffice:
    @pytest.mark.parametrize(
        ("written", "number"),
        [
            ("agent:7", "agent:7"),
            ("agent:Anna Adams", "agent:7"),
            ("agent:ZOE\u0308  costa", "agent:12"),
            ("agent:md2", "agent:16"),
            ("agent:ZC", "agent:12"),
            ("agent:zc@example.com", "agent:12"),
            ("queue:3", "queue:3"),
            ("queue:support", "queue:3"),
            ("queue", "queue"),
        ],
    )
    def test_what_is_there_is_found(self, tenant_of: SuperOfficePlatform, written: str, number: str) -> None:
        assert resolved(tenant_of, written) == [number]

    @pytest.mark.parametrize(
        ("written", "why"),
        [
            (
                "agent:121",
                "there is no agent:121: nobody with a chat licence has this number, and no open chat belongs to it",
            ),
            (
                "agent:90",
                "there is no agent:90: nobody with a chat licence has this number, and no open chat belongs to it",
            ),
            ("queue:9", "there is no queue:9: no chat topic has this number"),
            ("agent:jane@example.com", "there is no agent:jane@example.com; check the spelling, or write the number"),
            ("agent:Anna", "there is no agent:Anna; did you mean agent:7 (Anna Adams)?"),
            ("agent:Max Doe", "agent:Max Doe may be agent:15 (Max Doe) or agent:16 (Max Doe); write the number"),
            ("queue:Suport", "there is no queue:Suport; did you mean queue:3 (Support)?"),
            ("queue:All", "there is no queue:All; check the spelling, or write the number"),
        ],
    )
    def test_what_is_not_there_is_bad_input_with_the_candidates(
        self, tenant_of: SuperOfficePlatform, written: str, why: str
    ) -> None:
        assert refusal(tenant_of, "agent:7", written) == why

    def test_one_who_lost_the_licence_and_still_owns_a_chat_is_there(
        self, script: Script, tenant: SuperOfficeClient
    ) -> None:
        script.play(Scripted.json([]), Scripted.json({"value": [{"chatSessionId": 150, "status": 5}]}))
        assert resolved(SuperOfficePlatform(tenant), "agent:90") == ["agent:90"]

    def test_all_are_asked_for_at_once_and_once(self, stage: ClockedSandbox, tenant_of: SuperOfficePlatform) -> None:
        for _ in range(2):
            resolved(tenant_of, "agent:7", "agent:12", "agent:Anna Adams", "agent:Zoë Costa")
        assert stage.asked("superoffice") == ["chatuser"]
        resolved(tenant_of, "agent:md", "agent:md2")
        assert len(stage.asked("superoffice")) == 1 + 3, "the topics, and the agents of two topics"

    @pytest.mark.parametrize(
        "refused", [Scripted.json({"Message": "no"}, status=403), Scripted.json({"Message": "no"}, status=404)]
    )
    def test_super_office_without_the_right_to_ask_numbers_pass_and_names_do_not(
        self, script: Script, tenant: SuperOfficeClient, refused: Scripted
    ) -> None:
        script.play(refused)
        platform = SuperOfficePlatform(tenant)
        assert resolved(platform, "agent:121", "queue:9") == ["agent:121", "queue:9"]
        for name in ("agent:Anna Adams", "queue:Support"):
            assert refusal(platform, name).startswith(f"{name} cannot be looked up, write the number: GET MDOList/")

    def test_super_office_without_the_right_to_see_chats_a_number_passes(
        self, script: Script, tenant: SuperOfficeClient
    ) -> None:
        script.play(Scripted.json([]), Scripted.json({"Message": "no"}, status=403))
        assert resolved(SuperOfficePlatform(tenant), "agent:121") == ["agent:121"]

    def test_credentials_that_are_not_taken_are_no_lack_of_a_right(self, stage: ClockedSandbox) -> None:
        platform = stage.superoffice(Basic("tje0", "wrong"))
        with pytest.raises(CredentialsError):
            platform.resolve([Target.parse("agent:7")], of="to")

    @pytest.mark.parametrize("answer", [None, "x", {"a": 1}, [1], [[]]])
    def test_an_answer_that_is_no_list_is_not_understood(
        self, script: Script, tenant: SuperOfficeClient, answer: Any
    ) -> None:
        script.play(Scripted.json(answer))
        with pytest.raises(UnexpectedResponseError):
            SuperOfficePlatform(tenant).resolve([Target.parse("agent:Anna")], of="to")

    def test_the_item_that_stands_for_all_is_no_topic(self, script: Script, tenant: SuperOfficeClient) -> None:
        script.play(Scripted.json([{"Id": 0, "Name": "All"}, {"Id": 3, "Name": "Support"}]))
        assert refusal(SuperOfficePlatform(tenant), "queue:All").startswith("there is no queue:All")

    def test_a_named_queue_is_as_impossible_a_receiver_as_a_numbered_one(self, tenant_of: SuperOfficePlatform) -> None:
        with pytest.raises(ValueError, match="queue:Support is not possible on SuperOffice"):
            tenant_of.check_targets([Target.parse("queue:Support")])

    def test_chats_have_numbers_only(self, stage: ClockedSandbox, tenant_of: SuperOfficePlatform) -> None:
        assert tenant_of.resolve_chats(["150", "999"]) == {"150": "150", "999": "999"}
        for reference in ("session:332", "crm:deal:42"):
            with pytest.raises(ValueError, match=f"{reference}: SuperOffice finds a chat by its number only"):
                tenant_of.resolve_chats(["150", reference])
        assert stage.asked("superoffice") == []


class TestCandidates:
    def test_candidates_at_most_five_are_offered_the_most_alike_first(self) -> None:
        names = ["Ann Lee", "Anna Lee", "Anna Leigh", "Bob", "Anne Lee", "An Lee", "Hanna Lee", "Anna L"]
        entries = [Entry(Target.agent(str(number)), (name,)) for number, name in enumerate(names, 1)]
        offered = closest("Anna Lee", entries)
        assert len(offered) == 5
        assert "Anna Lee" in offered[0].names
        assert not any("Bob" in each.names for each in offered)
