# SPDX-License-Identifier: Apache-2.0
"""SuperOffice: an answer is decoded once, and is about what was asked; the rest is not understood, and moves nobody."""

from __future__ import annotations

import json
import math
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from airflow_provider_chattransfer.chats.model import Chat, Target, UnreadableChat
from airflow_provider_chattransfer.chats.reconciliation import Answered, OutcomeUnknown, Refused
from airflow_provider_chattransfer.chats.run import Move
from airflow_provider_chattransfer.exceptions import (
    CredentialsError,
    NotAllowedError,
    PlatformError,
    UnexpectedResponseError,
)
from airflow_provider_chattransfer.platforms.base import SendOptions
from airflow_provider_chattransfer.platforms.decoding import decode
from airflow_provider_chattransfer.platforms.issued_token import IssuedToken
from airflow_provider_chattransfer.platforms.superoffice import client as superoffice_client
from airflow_provider_chattransfer.platforms.superoffice import mapping, oauth, system_user
from airflow_provider_chattransfer.platforms.superoffice import platform as superoffice_platform
from airflow_provider_chattransfer.platforms.superoffice import tenant as tenants
from airflow_provider_chattransfer.platforms.superoffice.auth import Basic, Bearer, ManagedToken, SuperOfficeAuth
from airflow_provider_chattransfer.platforms.superoffice.carriers import SessionStatus
from airflow_provider_chattransfer.platforms.superoffice.client import SuperOfficeClient
from airflow_provider_chattransfer.platforms.superoffice.mapping import read_session, read_sessions
from airflow_provider_chattransfer.platforms.superoffice.oauth import RefreshToken
from airflow_provider_chattransfer.platforms.superoffice.platform import SuperOfficePlatform
from airflow_provider_chattransfer.platforms.superoffice.private_key import read_private_key
from airflow_provider_chattransfer.platforms.superoffice.tenant import Site, Tenant
from airflow_provider_chattransfer.sandbox.superoffice import keys

from ..support.answers import HUGE, Answers, Exchange, tampered
from ..support.reports import outcomes_of
from .conftest import SUPERVISOR, ClockedSandbox, Script, Scripted, one_at_a_time, to

ENTITY, LIST, MESSAGES, ROWS = "GetChatSessionEntity", "ChatSessionsForUser", "GetChatMessages", "ChatSession"
TRANSFER, RESET, ACCEPT = "TransferChatSession", "ResetChatSession", "AcceptTransfer"
OPEN = "150", "152", "157"
"""Chats of agent 7, with nobody asked for them."""
OFFERED = "151"
"""A chat of agent 8 that rings at 12."""
NEVER_NAMED = "999"

WRONG_IDS: list[Any] = [True, False, math.inf, 10**4999, 1.7, 150.0, -1, 2**63, "150\n", "1\x1b[31m", "x", [], {}]
SOME_WRONG_IDS: list[Any] = [True, math.inf, HUGE, 1.7, -1, "1\x1b[31m", []]
NO_OBJECT: list[Any] = [[], [{}], "text", 7, True]
NO_LIST: list[Any] = [None, {}, {"0": {}}, "text", 7, True]

KEY = keys.key_set()["keys"][0]

Change = Callable[[Any], Any]


def with_(**members: Any) -> Change:
    """Return the answer with other members."""
    return lambda answer: {**answer, **members}


def without(name: str) -> Change:
    """Return the answer without a member."""
    return lambda answer: {key: value for key, value in answer.items() if key != name}


def each(name: str, *values: Any) -> list[dict[str, Any]]:
    """Members of that name, with each of the values."""
    return [{name: value} for value in values]


def shown(value: object) -> str:
    """Return a short id of a case."""
    return "huge" if isinstance(value, int) and value > 10**20 else repr(value)[:40]


NO_SESSION: dict[str, Change] = {
    "another": with_(ChatSessionId=int(NEVER_NAMED)),
    "no id": without("ChatSessionId"),
    "null id": with_(ChatSessionId=None),
    "zero": with_(ChatSessionId=0),
    "in a list": lambda answer: [answer],
    **{f"id {shown(wrong)}": with_(ChatSessionId=wrong) for wrong in WRONG_IDS},
    **{f"session {shown(wrong)}": lambda _, wrong=wrong: wrong for wrong in [[], "text", 7, True, {}]},  # type: ignore[misc]
    **{f"status {shown(wrong)}": with_(Status=wrong) for wrong in [[], {}, 7, True, "Sleeping"]},
    **{f"user {shown(wrong)}": with_(User=wrong) for wrong in NO_OBJECT},
    **{f"user's id {shown(wrong)}": with_(User={"AssociateId": wrong}) for wrong in WRONG_IDS},
    **{f"offer {shown(wrong)}": with_(TransferTo=wrong) for wrong in NO_OBJECT},
    **{f"offer's id {shown(wrong)}": with_(TransferTo={"AssociateId": wrong}) for wrong in WRONG_IDS},
    **{f"topic {shown(wrong)}": with_(TopicId=wrong) for wrong in WRONG_IDS},
}
"""What makes the answer about one session none, by what is wrong."""

OF_A_LIST = [
    name for name in NO_SESSION if name.partition(" ")[0] in ("status", "user", "user's", "offer", "offer's", "topic")
]
"""What may be wrong with one session of a list whose id can be read."""

SOME: dict[str, Change] = {
    **{name: NO_SESSION[name] for name in ("another", "no id", "id True", "id inf", "id 1.7", "in a list")},
    **{name: NO_SESSION[name] for name in ("session 'text'", "status []", "user 'text'", "offer's id True")},
    "huge": with_(TopicId=HUGE),
    "deep": lambda _: b"[" * 100_000 + b"]" * 100_000,
}
"""One of each kind, over HTTP."""

cases = pytest.mark.parametrize("change", SOME.values(), ids=SOME)
SESSION = {
    "ChatSessionId": 150,
    "TopicId": 3,
    "Status": "UserLast",
    "User": {"AssociateId": 7, "FullName": "Kim"},
    "TransferTo": None,
    "CustomerName": None,
}


@pytest.fixture
def answers(stage: ClockedSandbox) -> Iterator[Answers]:
    """Yield the tenant's answers, to be changed."""
    stage.reset(superoffice={"people": {"ignore": 1}})
    with tampered(stage.url) as answers:
        yield answers


@pytest.fixture
def platform(stage: ClockedSandbox, answers: Answers) -> SuperOfficePlatform:
    """Return the tenant behind those answers, sent to as each owner."""
    transport = stage.transport()

    def client(credentials: SuperOfficeAuth) -> SuperOfficeClient:
        return SuperOfficeClient(
            address=Site(f"{answers.url}/Cust12345"), auth=credentials, transport=transport, clock=stage.now
        )

    return SuperOfficePlatform(
        client(SUPERVISOR), identities=lambda agent: client(Basic(f"agent{agent}", f"Secret{agent}"))
    )


def change(answers: Answers, method: str, how: Change) -> None:
    """Change what ``method`` answers."""
    answers.tampering = lambda each: how(each.answer) if each.method == method else each.answer


def change_session(answers: Answers, how: Change, *, chat_id: str) -> None:
    """Change one session of the list."""

    def tampering(each: Exchange) -> Any:
        if each.method != LIST:
            return each.answer
        return [how(entity) if str(entity["ChatSessionId"]) == chat_id else entity for entity in each.answer]

    answers.tampering = tampering


def moves(*chat_ids: str, target: str = "agent:12", owner: str = "7") -> list[Move]:
    return [Move(each, Chat(id=each.chat_id, owner=owner)) for each in to(target, *chat_ids)]


def touched(stage: ClockedSandbox) -> set[str]:
    """Return the chats that any request has changed."""
    return {each["chat_id"] for each in stage.ledger("superoffice") if each["request"]}


def typed(call: Callable[[], object]) -> object:
    """Return what came of it: a result, or a typed error."""
    came: object
    try:
        came = call()
    except PlatformError as error:
        came = error
    assert not isinstance(came, PlatformError) or len(str(came)) <= 300
    return came


class TestASession:
    @pytest.mark.parametrize("change", NO_SESSION.values(), ids=NO_SESSION)
    def test_a_session_that_is_none_or_another_is_not_understood(self, change: Change) -> None:
        with pytest.raises(UnexpectedResponseError) as caught:
            read_session(change(SESSION), chat_id="150", method=ENTITY)
        assert len(str(caught.value)) < 200
        assert "\x1b" not in str(caught.value)

    @pytest.mark.parametrize("name", OF_A_LIST)
    def test_a_session_that_is_wrong_is_not_read_in_a_list_either(self, name: str) -> None:
        rows = [NO_SESSION[name](SESSION), {**SESSION, "ChatSessionId": 151}]
        read = read_sessions(rows, wanted=["150", "151"], method=LIST)
        assert [type(read[each]) for each in ("150", "151")] == [UnreadableChat, Chat]

    @pytest.mark.parametrize("wrong", [None, *WRONG_IDS], ids=shown)
    def test_a_session_without_an_id_is_left_out_of_a_list(self, wrong: Any, caplog: pytest.LogCaptureFixture) -> None:
        rows = [{**SESSION, "ChatSessionId": wrong}, {**SESSION, "ChatSessionId": 151}]
        assert list(read_sessions(rows, wanted=["150", "151"], method=LIST)) == ["151"]
        assert "One chat of a list is left out" in caplog.text
        assert "\x1b" not in caplog.text

    def test_a_session_that_stands_there_twice_and_not_alike_is_not_read(self) -> None:
        rows = [SESSION, {**SESSION, "ChatSessionId": 151}, {**SESSION, "Status": "Closed"}, SESSION]
        read = read_sessions([*rows, rows[1]], wanted=["150", "151"], method=LIST)
        assert [type(read[each]) for each in ("150", "151")] == [UnreadableChat, Chat]

    @pytest.mark.parametrize("other", [999, "999"])
    def test_a_session_that_is_not_wanted_is_left_out_of_a_list(self, other: Any) -> None:
        rows = [{**SESSION, "ChatSessionId": other}, {**SESSION, "ChatSessionId": other, "Status": []}, SESSION]
        assert list(read_sessions(rows, wanted=["150", "151"], method=LIST)) == ["150"]

    def test_a_session_that_is_not_wanted_is_not_even_decoded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        decoded: list[Any] = []

        def counting(entity: Any, kind: type[Any], *, method: str) -> Any:
            decoded.append(entity["ChatSessionId"])
            return decode(entity, kind, method=method)

        monkeypatch.setattr(mapping, "decode", counting)
        read_sessions([{**SESSION, "ChatSessionId": number} for number in range(140, 160)], wanted=["150"], method=LIST)
        assert decoded == [150]

    @pytest.mark.parametrize(
        ("status", "closed"),
        [(status, number >= 7) for number, status in enumerate(SessionStatus)] + [(None, False)],
    )
    def test_a_session_is_over_from_finished_on(self, status: str | None, closed: bool) -> None:
        assert read_session({**SESSION, "Status": status}, chat_id="150", method=ENTITY).closed is closed

    @pytest.mark.parametrize(
        ("how", "expected"),
        [
            (with_(ChatSessionId="150"), "7"),
            (with_(User={"AssociateId": "7", "Else": [1]}, Else={}, Status=None, TopicId=None), "7"),
            (with_(User={"AssociateId": 0}), None),
            (with_(User={}), None),
            (with_(User=None), None),
            (without("User"), None),
            (without("Status"), "7"),
        ],
        ids=["text for ids", "more and nulls", "nobody", "an empty user", "null", "no user", "no status"],
    )
    def test_a_session_may_lack_members_or_have_more(self, how: Change, expected: str | None) -> None:
        assert read_session(how(SESSION), chat_id="150", method=ENTITY).owner == expected


class TestAChatRead:
    @cases
    def test_singly_is_the_one_that_was_asked_for_or_is_not_read(
        self, platform: SuperOfficePlatform, answers: Answers, change: Change
    ) -> None:
        answers.tampering = lambda each: change(each.answer)
        read = typed(lambda: platform.read_chats(["150"]))
        assert isinstance(read, PlatformError) or isinstance(read["150"], UnreadableChat)  # type: ignore[index]

    @cases
    def test_a_chat_read_by_the_list_is_read_or_is_not_and_so_for_no_other(
        self, platform: SuperOfficePlatform, answers: Answers, change: Change
    ) -> None:
        change_session(answers, change, chat_id="150")
        read = typed(lambda: platform.read_chats(OPEN))
        if isinstance(read, PlatformError):
            return
        assert isinstance(read, Mapping)
        assert set(read) == set(OPEN)
        for chat_id, chat in read.items():
            assert not isinstance(chat, Chat) or (chat.id, chat.owner) == (chat_id, "7")
        assert all(isinstance(read[chat_id], Chat) for chat_id in OPEN[1:])

    @pytest.mark.parametrize("wrong", NO_LIST, ids=shown)
    def test_a_chat_read_by_what_is_no_list_is_not_understood(
        self, platform: SuperOfficePlatform, answers: Answers, wrong: Any
    ) -> None:
        change(answers, LIST, lambda _: wrong)
        with pytest.raises(UnexpectedResponseError, match="ChatSessionsForUser"):
            platform.read_chats(OPEN)

    @pytest.mark.parametrize("wrong", [None, "x", 7, [[]], True], ids=shown)
    def test_a_chat_read_by_a_list_of_what_are_no_sessions_is_read_singly(
        self, platform: SuperOfficePlatform, answers: Answers, wrong: Any
    ) -> None:
        change(answers, LIST, lambda rows: [wrong] * len(rows))
        assert all(isinstance(chat, Chat) for chat in platform.read_chats(OPEN).values())

    @pytest.mark.parametrize("content_type", ["application/xml", "text/xml", "text/html"])
    def test_a_chat_read_from_xml_that_nobody_asked_for_is_not_understood(
        self, script: Script, tenant: SuperOfficeClient, content_type: str
    ) -> None:
        body = b"<ChatSessionEntity><ChatSessionId>150</ChatSessionId></ChatSessionEntity>"
        script.play(Scripted(200, body, {"Content-Type": content_type}))
        platform = SuperOfficePlatform(tenant)
        for read in (["150"], OPEN):
            with pytest.raises(UnexpectedResponseError):
                platform.read_chats(read)
        assert isinstance(platform.send(moves("150"), SendOptions()).answers["150"], OutcomeUnknown)


class TestATransfer:
    @cases
    @pytest.mark.parametrize(("target", "method"), [("agent:12", TRANSFER), ("queue", RESET)])
    def test_a_transfer_whose_answer_is_about_something_else_is_unclear(
        self,
        stage: ClockedSandbox,
        platform: SuperOfficePlatform,
        answers: Answers,
        target: str,
        method: str,
        change: Change,
    ) -> None:
        answers.tampering = lambda each: change(each.answer)
        sent = platform.send(moves("150", target=target), SendOptions())
        assert isinstance(sent.answers["150"], OutcomeUnknown)
        assert len(sent.answers["150"].reason) <= 300
        assert sent.stop is None
        assert touched(stage) == {"150"}
        assert answers.asked() == [method]

    def test_a_transfer_is_of_the_chat_that_was_named_whatever_was_read(
        self, stage: ClockedSandbox, platform: SuperOfficePlatform
    ) -> None:
        """Where a chat with another id was let through, the transfer's own is sent."""
        (transfer,) = to("agent:12", "150")
        platform.send([Move(transfer, Chat(id="152", owner="7"))], SendOptions())
        assert stage.moved("superoffice") == ["150"]

    @pytest.mark.parametrize("methods", [(ENTITY,), (LIST,), (ENTITY, LIST)], ids=" and ".join)
    def test_a_transfer_of_a_chat_for_which_another_is_shown_moves_neither(
        self, stage: ClockedSandbox, platform: SuperOfficePlatform, answers: Answers, methods: tuple[str, ...]
    ) -> None:
        def swapped(each: Exchange) -> Any:
            if each.method not in methods:
                return each.answer
            if each.method == ENTITY:
                return {**each.answer, "ChatSessionId": 152}
            return [{**entity, "ChatSessionId": 999 if entity["ChatSessionId"] == 150 else entity["ChatSessionId"]}
                    for entity in each.answer]  # fmt: skip

        answers.tampering = swapped
        if methods == (LIST,):
            results = stage.run_to_end(platform, to("agent:12", "150", "157"))
            assert outcomes_of(results) == ["requested", "requested"], "read singly"
            assert touched(stage) == {"150", "157"}
            return
        results = stage.run_to_end(platform, to("agent:12", "150"))
        assert outcomes_of(results) == ["failed"]
        assert results[0].reason == (
            "not understood: GetChatSessionEntity: the answer is about another session than was asked for"
        )
        assert touched(stage) == set()

    @cases
    def test_a_transfer_with_any_such_answer_moves_those_that_were_named_at_most(
        self, stage: ClockedSandbox, platform: SuperOfficePlatform, answers: Answers, change: Change
    ) -> None:
        answers.tampering = lambda each: change(each.answer) if isinstance(each.answer, dict) else each.answer
        results = stage.run_to_end(platform, to("agent:12", "150"))
        assert touched(stage) <= {"150"}
        assert len(results[0].reason or "") <= 300


class TestAnAcceptance:
    @cases
    def test_an_acceptance_whose_answer_is_about_something_else_is_typed(
        self, stage: ClockedSandbox, platform: SuperOfficePlatform, answers: Answers, change: Change
    ) -> None:
        answers.tampering = lambda each: change(each.answer)
        accepted = typed(lambda: platform.accept(Chat(id=OFFERED, owner="8", offered_to="12", shows_offers=True)))
        assert isinstance(accepted, PlatformError)
        assert touched(stage) == {OFFERED}
        assert answers.asked() == [ACCEPT]

    def test_an_acceptance_that_is_answered_with_null_is_refused(
        self, platform: SuperOfficePlatform, answers: Answers
    ) -> None:
        change(answers, ACCEPT, lambda _: None)
        with pytest.raises(PlatformError, match="answered null"):
            platform.accept(Chat(id=OFFERED, owner="8", offered_to="12", shows_offers=True))

    @pytest.mark.parametrize("wrong", [*SOME_WRONG_IDS, None, 0], ids=shown)
    def test_as_nobody_is_not_understood(self, platform: SuperOfficePlatform, answers: Answers, wrong: Any) -> None:
        change(answers, "currentPrincipal", with_(AssociateId=wrong))
        assert isinstance(typed(lambda: platform.receiver_of(Chat(id="150", owner="7"))), PlatformError)

    def test_as_oneself_is_by_number_or_text(self, platform: SuperOfficePlatform, answers: Answers) -> None:
        change(answers, "currentPrincipal", with_(AssociateId="15", UserType=[]))
        assert platform.receiver_of(Chat(id="150", owner="7")) == Target.agent("15")


class TestAList:
    @pytest.mark.parametrize("wrong", [*NO_LIST, [], *({"value": each} for each in NO_LIST)], ids=shown)
    def test_a_list_that_is_none_is_not_understood(
        self, platform: SuperOfficePlatform, answers: Answers, wrong: Any
    ) -> None:
        change(answers, ROWS, lambda _: wrong)
        with pytest.raises(UnexpectedResponseError, match="GET ChatSession"):
            platform.find_agents_chats(["7"])

    @pytest.mark.parametrize("row", [None, "x", 7, [], [[150]], {}, True], ids=shown)
    def test_a_list_with_a_row_that_is_none_is_not_understood(
        self, platform: SuperOfficePlatform, answers: Answers, row: Any
    ) -> None:
        change(answers, ROWS, lambda page: {**page, "value": [*page["value"], row]})
        with pytest.raises(UnexpectedResponseError, match="GET ChatSession"):
            platform.find_agents_chats(["7"])

    @pytest.mark.parametrize("wrong", [*SOME_WRONG_IDS, None, 0], ids=shown)
    def test_a_list_with_a_row_of_no_chat_is_not_understood(
        self, platform: SuperOfficePlatform, answers: Answers, wrong: Any
    ) -> None:
        change(answers, ROWS, lambda page: {**page, "value": [{**page["value"][0], "chatSessionId": wrong}]})
        assert isinstance(typed(lambda: platform.find_agents_chats(["7"])), PlatformError)

    @pytest.mark.parametrize("wrong", [True, 1.7, -1, "1\x1b[31m", [], {}], ids=shown)
    def test_a_list_may_be_wrong_in_what_only_helps(
        self, platform: SuperOfficePlatform, answers: Answers, wrong: Any
    ) -> None:
        helps = {"personId": wrong, "chatTopic/chatTopicId": wrong, "status": "Venter", "PrimaryKey": "1"}
        change(answers, ROWS, lambda page: {"value": [{**row, **helps} for row in page["value"]]})
        found = platform.find_agents_chats(["7"])
        assert {chat.id for chat in found} >= set(OPEN)
        assert {(chat.owner, chat.queue, chat.customer) for chat in found} == {("7", None, None)}

    @pytest.mark.parametrize(
        "other", [{"associateId": 8}, {"status": 7}, {"status": 4}, {"status": 9, "associateId": 7}], ids=str
    )
    def test_a_list_leaves_out_what_was_not_asked_for_as_far_as_it_shows_that(
        self,
        platform: SuperOfficePlatform,
        answers: Answers,
        other: dict[str, Any],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        rows = [{"chatSessionId": 150, "status": 5, "associateId": 7}, {"chatSessionId": 999, **other}]
        change(answers, ROWS, lambda page: {**page, "value": rows})
        assert [chat.id for chat in platform.find_agents_chats(["7"])] == ["150"]
        assert "Chat 999 is left out" in caplog.text

    @pytest.mark.parametrize(
        "ids",
        [
            lambda last: [1, 2, 3],
            lambda last: [last, last, last],
            lambda last: [last + 3, last + 2, last + 1],
            lambda last: [last + 1, last + 1, last + 2],
            lambda last: [2**62 + last, 2**62 + last + 1, 5],
        ],
        ids=["for ever the same", "the last for ever", "backwards", "twice the same", "back again"],
    )
    def test_a_list_that_does_not_go_on_behind_its_last_row_ends(
        self,
        platform: SuperOfficePlatform,
        answers: Answers,
        monkeypatch: pytest.MonkeyPatch,
        ids: Callable[[int], list[int]],
    ) -> None:
        monkeypatch.setattr(superoffice_platform, "PAGE_ROWS", 3)
        monkeypatch.setattr(superoffice_client, "MAX_ROWS", 30)

        def tampering(each: Exchange) -> Any:
            last = int(each.path.partition("+gt+")[2].partition("&")[0])
            return {"value": [{"chatSessionId": number} for number in ids(last or 10)]}

        answers.tampering = tampering
        with pytest.raises(UnexpectedResponseError, match="the list does not go on behind its last row"):
            platform.find_agents_chats(["7"])
        assert len(answers.heard) <= 2

    def test_a_list_with_ever_new_rows_ends_all_the_same(
        self, platform: SuperOfficePlatform, answers: Answers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(superoffice_platform, "PAGE_ROWS", 3)
        monkeypatch.setattr(superoffice_client, "MAX_ROWS", 30)

        def tampering(each: Exchange) -> Any:
            assert len(answers.heard) <= 10
            return {"value": [{"chatSessionId": 3 * len(answers.heard) + number} for number in range(3)]}

        answers.tampering = tampering
        with pytest.raises(UnexpectedResponseError, match="the list does not end within 30 rows"):
            platform.find_agents_chats(["7"])

    def test_a_list_finds_a_chat_whose_session_is_wrong(self, platform: SuperOfficePlatform, answers: Answers) -> None:
        """It is read again before it is sent."""
        change_session(answers, with_(Status=[]), chat_id="150")
        assert "150" in [chat.id for chat in platform.find_agents_chats(["7"])]


POSTED = "2026-11-21T21:00:00.1234567Z"


class TestAHistory:
    def proof(self, platform: SuperOfficePlatform, *, since: float = 0.0) -> bool | None:
        return platform.transfer_history(moves("150"), since={"150": since})["150"]

    @pytest.mark.parametrize("wrong", [*NO_LIST, [None], ["x"], [[]], [7]], ids=shown)
    def test_a_history_that_is_none_proves_nothing(
        self, platform: SuperOfficePlatform, answers: Answers, wrong: Any
    ) -> None:
        change(answers, MESSAGES, lambda _: wrong)
        assert self.proof(platform) is None

    @pytest.mark.parametrize(
        "message",
        [
            {"SpecialType": "TransferedSession", "WhenPosted": POSTED, "ChatSessionId": 999},
            {"SpecialType": "TransferedSession", "WhenPosted": POSTED, "ChatSessionId": True},
            {"SpecialType": [], "WhenPosted": POSTED},
            {"SpecialType": "TransferedSession", "WhenPosted": []},
            {"SpecialType": "TransferedSession", "WhenPosted": 1e300},
            {"SpecialType": "TransferedSession", "WhenPosted": "yesterday"},
            {"SpecialType": "TransferedSession", "WhenPosted": "99999999999-01-01T00:00:00Z"},
            {"SpecialType": "TransferedSession", "WhenPosted": "0001-01-01T00:00:00"},
            {"SpecialType": "TransferedSession", "WhenPosted": "0001-01-01T01:00:00+01:00"},
            {"SpecialType": "TransferedSession", "WhenPosted": None},
            {"SpecialType": "TransferedSession"},
        ],
        ids=str,
    )
    def test_a_history_with_a_message_that_cannot_be_told_proves_nothing(
        self, platform: SuperOfficePlatform, answers: Answers, message: dict[str, Any]
    ) -> None:
        change(answers, MESSAGES, lambda _: [message])
        assert self.proof(platform) is None

    @pytest.mark.parametrize(
        ("messages", "expected"),
        [
            ([], None),
            ([{"SpecialType": "None", "WhenPosted": POSTED}, {}], None),
            ([{"SpecialType": "NewSession", "WhenPosted": "2001-01-01T00:00:00"}], False),
            ([{"SpecialType": "TransferedSession", "WhenPosted": POSTED}], True),
            ([{"SpecialType": "TransferedSession"}, {"SpecialType": "TransferRejected", "WhenPosted": POSTED}], True),
            ([{"SpecialType": "TransferedSession", "WhenPosted": "9999-12-31T23:59:59.9999999+01:00"}], True),
            ([{"SpecialType": "TransferedSession", "WhenPosted": "2001-01-01T00:00:00"}], False),
            ([{"SpecialType": "SomethingNew", "WhenPosted": None}, {}], False),
        ],
        ids=str,
    )
    def test_proves_what_it_shows(
        self, platform: SuperOfficePlatform, answers: Answers, messages: list[dict[str, Any]], expected: bool | None
    ) -> None:
        change(answers, MESSAGES, lambda _: messages)
        assert self.proof(platform, since=1_700_000_000.0) is expected

    def test_a_history_of_one_chat_is_not_spoilt_by_anothers(
        self, platform: SuperOfficePlatform, answers: Answers
    ) -> None:
        def tampering(each: Exchange) -> Any:
            spoilt = each.method == MESSAGES and each.asked["ChatSessionId"] == 150
            return "text" if spoilt else each.answer

        answers.tampering = tampering
        asked = moves("150", "152")
        assert platform.transfer_history(asked, since=dict.fromkeys(OPEN, 0.0)) == {"150": None, "152": False}


class TestAConnectionCheck:
    @pytest.mark.parametrize("method", ["currentPrincipal", "chatuser", "ChatTopicsForUser", ROWS, ENTITY])
    def test_a_connection_check_of_whatever_is_answered_is_typed_and_changes_nothing(
        self, stage: ClockedSandbox, answers: Answers, method: str
    ) -> None:
        examined = SuperOfficePlatform(as_agent_7(stage, answers))
        nothing: list[Any] = [None, ["x"], "text", {}]
        for wrong in nothing:
            change(answers, method, lambda _, wrong=wrong: wrong)  # type: ignore[misc]
            typed(examined.check_connection)
        assert answers.asked().count(method) >= 4
        assert touched(stage) == set()

    @pytest.mark.parametrize("wrong", [None, *NO_OBJECT, {"AssociateId": 1.7}], ids=shown)
    def test_as_nobody_is_not_understood(self, platform: SuperOfficePlatform, answers: Answers, wrong: Any) -> None:
        change(answers, "currentPrincipal", lambda _: wrong)
        with pytest.raises(UnexpectedResponseError, match="User/currentPrincipal"):
            platform.check_connection()

    def test_a_connection_check_of_a_list_of_people_counts_those_that_can_be_read(
        self, stage: ClockedSandbox, answers: Answers
    ) -> None:
        change(answers, "chatuser", lambda items: [{"Id": -1}, {"Id": "x"}, {}, *items])
        client = as_agent_7(stage, answers)
        assert {right.name: right.missing for right in SuperOfficePlatform(client).check_connection().capabilities}[
            "transfer"
        ] is None


class TestA403:
    """What the connection's own user may not do with one chat says nothing of the next."""

    DENIED = Scripted.json({"Error": True, "ErrorType": "SoSentryException"}, status=403)

    def answer(self, chat_id: str) -> Scripted:
        return Scripted.json(
            {"ChatSessionId": int(chat_id), "User": {"AssociateId": 7}, "TransferTo": {"AssociateId": 12}}
        )

    def test_about_one_chat_is_that_chats_refusal(self, script: Script, tenant: SuperOfficeClient) -> None:
        script.play(self.answer("150"), self.DENIED, self.answer("157"))
        sent = one_at_a_time(SuperOfficePlatform(tenant)).send(moves(*OPEN), SendOptions())
        assert [type(sent.answers[each]) for each in OPEN] == [Answered, Refused, Answered]
        refusal = sent.answers["152"]
        assert isinstance(refusal, Refused)
        assert refusal.code == "403"
        assert not refusal.passing
        assert sent.stop is None

    def test_chat_after_chat_stops_the_run(self, script: Script, tenant: SuperOfficeClient) -> None:
        script.play(self.DENIED)
        platform = SuperOfficePlatform(tenant)
        chats = [str(number) for number in range(150, 170)]
        first, second = platform.send(moves(*chats[:3]), SendOptions()), platform.send(moves(*chats[3:]), SendOptions())
        assert first.stop is None
        assert second.stop is not None
        assert second.stop.for_good
        assert "5 chats in a row: Agents/Chat/TransferChatSession: the user may not do this" in second.stop.reason
        assert len(script.heard) == superoffice_platform.MAX_SAME_REFUSALS == 5
        assert set(first.answers) | set(second.answers) == set(chats[:5])

    def test_between_others_stops_nothing(self, script: Script, tenant: SuperOfficeClient) -> None:
        chats = [str(number) for number in range(150, 164)]
        script.play(*(self.answer(each) if int(each) % 5 == 0 else self.DENIED for each in chats))
        sent = one_at_a_time(SuperOfficePlatform(tenant)).send(moves(*chats), SendOptions())
        assert sent.stop is None
        assert len(sent.answers) == len(chats)

    def test_about_a_chat_that_is_read_singly_is_that_chats(
        self, script: Script, tenant: SuperOfficeClient, stage: ClockedSandbox
    ) -> None:
        script.play(Scripted.json([]), self.DENIED, self.answer("152"))
        read = SuperOfficePlatform(tenant).read_chats(["150", "152"])
        assert isinstance(read["150"], UnreadableChat)
        assert "[403]" in read["150"].reason
        assert isinstance(read["152"], Chat)

    def test_about_an_acceptance_is_a_refusal(self, script: Script, tenant: SuperOfficeClient) -> None:
        script.play(self.DENIED)
        answer = SuperOfficePlatform(tenant).accept(Chat(id=OFFERED, owner="8", offered_to="12", shows_offers=True))
        assert isinstance(answer, Refused)
        assert answer.code == "403"

    @pytest.mark.parametrize("read", ["read_chats", "find_agents_chats"])
    def test_about_a_list_is_the_accounts(self, script: Script, tenant: SuperOfficeClient, read: str) -> None:
        script.play(self.DENIED)
        with pytest.raises(CredentialsError):
            getattr(SuperOfficePlatform(tenant), read)(["7", "8"])

    def test_a403_is_not_wrong_credentials_where_another_process_has_renewed_the_token_long_ago(
        self, script: Script, stage: ClockedSandbox
    ) -> None:
        """It is renewed once, also where the token in the store is not new; then it is about rights."""

        class Shared:
            def __init__(self) -> None:
                self.tokens = [IssuedToken("8A:old", 1.0), IssuedToken("8A:newer", stage.now() - 600.0)]

            def token(self) -> IssuedToken:
                return self.tokens[0]

            def refresh(self, expired: IssuedToken) -> None:
                self.tokens.remove(expired)

        credentials = ManagedToken(Shared(), scheme=Bearer)  # type: ignore[arg-type]
        client = SuperOfficeClient(
            address=Site(script.url), auth=credentials, transport=stage.transport(), clock=stage.now
        )
        script.play(self.DENIED)
        with pytest.raises(NotAllowedError):
            client.transfer("150", to="12")
        assert [each.headers["Authorization"] for each in script.heard] == ["Bearer 8A:old", "Bearer 8A:newer"]


class TestATenantsState:
    @pytest.fixture
    def tenant_at(self, script: Script, stage: ClockedSandbox, monkeypatch: pytest.MonkeyPatch) -> Tenant:
        monkeypatch.setattr(tenants, "_locations", {})
        return Tenant(host=script.url, name="Cust12345", transport=stage.transport(), clock=stage.now)

    def state(self, script: Script, **other: Any) -> Scripted:
        return Scripted.json({"State": "Running", "Api": f"{script.url}/Cust12345/api", **other})

    @pytest.mark.parametrize(
        "other",
        [
            *each("State", None, [], {}, 2, True),
            *each("Api", [], {}, 7, True, "", "x" * 60_000, f"https://{'x' * 60_000}/Cust12345/api"),
            {"ContextIdentifier": "Cust99999"},
            {"ContextIdentifier": []},
        ],
        ids=shown,
    )
    def test_a_tenants_state_that_is_none_is_not_understood(
        self, script: Script, tenant_at: Tenant, other: dict[str, Any]
    ) -> None:
        script.play(self.state(script, **other))
        with pytest.raises(UnexpectedResponseError) as caught:
            tenant_at.base()
        assert len(str(caught.value)) <= 300

    @pytest.mark.parametrize(
        "told", [None, [], 7, True, "x", "0001-01-01T00:00:00", "9999-12-31T23:59:59", "99999999999-01-01T00:00:00Z"]
    )
    def test_a_tenants_state_is_kept_for_a_while_whatever_its_end(
        self, script: Script, tenant_at: Tenant, told: Any
    ) -> None:
        script.play(self.state(script, ValidUntil=told, ContextIdentifier="cust12345"))
        assert tenant_at.base() == f"{script.url}/Cust12345"


class TestAToken:
    GOOD: dict[str, Any] = {"access_token": "8A:Cust12345.x", "expires_in": 3600}  # noqa: RUF012

    @pytest.fixture
    def grant(self, script: Script, stage: ClockedSandbox) -> RefreshToken:
        return RefreshToken(
            host=script.url,
            client_id="a",
            client_secret="b",
            refresh_token="first",
            transport=stage.transport(),
            clock=stage.now,
        )

    @pytest.mark.parametrize(
        "other",
        [
            *each("expires_in", math.nan, math.inf, 1e300, -1, 0, "soon", "nan", None, True, [], {}),
            *each("access_token", None, "", [], {}, 7, True, "8A:x\r\nHost: evil", "8A: x", "8A:é"),
            *each("refresh_token", [], {}, 7, True, "x\ny"),
        ],
        ids=shown,
    )
    def test_a_token_that_is_none_is_not_understood(
        self, script: Script, grant: RefreshToken, other: dict[str, Any]
    ) -> None:
        script.play(Scripted.json({**self.GOOD, **other}))
        with pytest.raises(UnexpectedResponseError, match="login/common/oauth/tokens") as caught:
            grant.fetch_token(None)
        assert "8A:" not in str(caught.value)

    @pytest.mark.parametrize("answer", [[], [[]], "text", 7, True, None, {}], ids=shown)
    def test_a_token_in_no_answer_is_typed(self, script: Script, grant: RefreshToken, answer: Any) -> None:
        for status in (200, 400, 401, 500):
            script.play(Scripted.json(answer, status=status))
            assert isinstance(typed(lambda: grant.fetch_token(None)), PlatformError)

    @pytest.mark.parametrize("more", [{}, {"refresh_token": None}, {"id_token": []}], ids=str)
    def test_a_token_that_is_one_is_taken(
        self, script: Script, stage: ClockedSandbox, grant: RefreshToken, more: dict[str, Any]
    ) -> None:
        script.play(Scripted.json({**self.GOOD, **more}))
        granted = grant.fetch_token("last")
        assert granted == IssuedToken("8A:Cust12345.x", granted.obtained_at, granted.obtained_at + 3600, "last")


class TestASystemUsersTicket:
    @pytest.fixture
    def user(self, script: Script, stage: ClockedSandbox) -> system_user.SystemUser:
        return system_user.SystemUser(
            host=script.url,
            tenant="Cust12345",
            client_secret="secret",
            token="App-x",
            key=read_private_key(keys.APPLICATION_KEY.pem),
            transport=stage.transport(),
        )

    @pytest.mark.parametrize(
        "answer",
        [
            [],
            "text",
            None,
            {},
            *({"IsSuccessful": True, **wrong} for wrong in each("Token", [], {}, 7, True)),
            *({"Token": "x.y.z", **wrong} for wrong in each("IsSuccessful", "true", 1, None, [], {})),
        ],
        ids=shown,
    )
    def test_a_system_users_ticket_in_no_answer_is_not_understood(
        self, script: Script, user: system_user.SystemUser, answer: Any
    ) -> None:
        script.play(Scripted.json(answer))
        with pytest.raises(UnexpectedResponseError, match="PartnerSystemUser/Authenticate"):
            user.fetch_token(None)

    @pytest.mark.parametrize("message", [None, [], {}, 7, True, "Denied " * 10_000], ids=shown)
    def test_a_system_users_ticket_that_is_refused_in_whatever_words_is_refused(
        self, script: Script, user: system_user.SystemUser, message: Any
    ) -> None:
        for status in (200, 400, 403):
            script.play(Scripted.json({"IsSuccessful": False, "ErrorMessage": message}, status=status))
            with pytest.raises(CredentialsError) as caught:
                user.fetch_token(None)
            assert len(str(caught.value)) <= 300

    @pytest.mark.parametrize(
        "found",
        [
            *NO_LIST,
            [None],
            [[]],
            *([{**KEY, **wrong}] for name in ("n", "e") for wrong in each(name, None, "", "!", "æ", 7, True, [], {})),
            *([{**KEY, **wrong}] for name in ("kid", "kty") for wrong in each(name, None, "", 7, True, [], "EC")),
        ],
        ids=shown,
    )
    def test_a_system_users_ticket_by_a_key_that_is_none_is_not_understood(
        self, script: Script, user: system_user.SystemUser, found: Any
    ) -> None:
        script.play(Scripted.json({"IsSuccessful": True, "Token": signed()}), Scripted.json({"keys": found}))
        with pytest.raises(UnexpectedResponseError):
            user.fetch_token(None)

    @pytest.mark.parametrize(
        "wrong",
        [
            *each("aud", [], ["spn:1801550193"], {}, 1801550193, True, None),
            *each("iss", [], {}, 7, True),
            *each("exp", "x", [], {}, math.inf, math.nan, True, None),
            *each("nbf", "x", [], {}, math.inf, math.nan),
            *each("iat", "x", [], {}, math.inf, 1e300),
            *each(system_user.CLAIM + "ticket", None, "", 7, True, [], {}, "7T:a b", "7T:x\r\n", "7T:é"),
            *each(system_user.CLAIM + "ctx", None, "", 7, True, [], {}, "Cust99999"),
            *each(system_user.CLAIM + "serial", None, "", 7, True, [], {}),
        ],
        ids=shown,
    )
    def test_a_system_users_ticket_with_a_claim_that_is_none_is_typed(
        self, script: Script, user: system_user.SystemUser, wrong: dict[str, Any]
    ) -> None:
        answered = Scripted.json({"IsSuccessful": True, "Token": signed(**wrong)})
        script.play(answered, Scripted.json(keys.key_set()))
        with pytest.raises((UnexpectedResponseError, CredentialsError)):
            user.fetch_token(None)

    @pytest.mark.parametrize("text", ["x", "..", "W10.W10.", "bnVsbA.bnVsbA.x", "A" * 100_000, "é.é.é"], ids=shown)
    def test_a_system_users_ticket_in_what_is_no_token_is_not_understood(
        self, script: Script, user: system_user.SystemUser, text: str
    ) -> None:
        script.play(Scripted.json({"IsSuccessful": True, "Token": text}), Scripted.json(keys.key_set()))
        with pytest.raises(UnexpectedResponseError, match="the token is not one of SuperOffice"):
            user.fetch_token(None)

    def test_nested_too_deep_is_not_understood(self, script: Script, user: system_user.SystemUser) -> None:
        deep = urlsafe_b64encode(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}").decode().rstrip("=")
        script.play(Scripted.json({"IsSuccessful": True, "Token": f"{deep}.e30.x"}), Scripted.json(keys.key_set()))
        with pytest.raises(UnexpectedResponseError):
            user.fetch_token(None)


def signed(**claims: Any) -> str:
    """Return a token that the sandbox has signed, with other claims."""
    serial, now = "1801550193", int(time.time())
    about = {"serial": serial, "ctx": "Cust12345", "ticket": "7T:good"}
    whole = {
        **{system_user.CLAIM + name: value for name, value in about.items()},
        **{"iss": system_user.ISSUER, "aud": f"spn:{serial}", "nbf": now - 60, "exp": now + 300},
        **claims,
    }
    head = {"alg": "RS256", "kid": keys.KEY_ID}
    parts = [urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (head, whole)]
    key = load_pem_private_key(keys.SIGNING_KEY.pem.encode(), None)
    signature = key.sign(".".join(parts).encode(), PKCS1v15(), SHA256())  # type: ignore[union-attr,call-arg,arg-type]
    return ".".join([*parts, urlsafe_b64encode(signature).decode().rstrip("=")])


class TestEveryRemedy:
    @pytest.mark.parametrize(
        ("method", "remedies"), [(oauth.METHOD, oauth.REMEDIES), (system_user.METHOD, system_user.REMEDIES)]
    )
    def test_every_remedy_is_whole_in_a_chats_reason(self, method: str, remedies: Mapping[str, str]) -> None:
        for code, why in remedies.items():
            reason = f"signing in as agent 2147483647: {CredentialsError(why, method=method, code=code)}"
            assert len(reason) <= 300
            assert why in reason


def as_agent_7(stage: ClockedSandbox, answers: Answers) -> SuperOfficeClient:
    """Agent 7, who acts for themselves."""
    return SuperOfficeClient(
        address=Site(f"{answers.url}/Cust12345"), auth=Basic("agent7", "Secret7"), transport=stage.transport()
    )
