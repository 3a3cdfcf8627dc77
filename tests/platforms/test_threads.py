# SPDX-License-Identifier: Apache-2.0
"""Sixteen threads on one platform at the same moment: what one of them learns holds for all, and each chat moves once.

What concerns all of them is asked for once: a token, where the account is, who a receiver is.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, TypeVar

import pytest

from airflow_provider_chattransfer.chats.model import Chat
from airflow_provider_chattransfer.chats.reconciliation import Answered, NotApplied, Refused
from airflow_provider_chattransfer.chats.run import Move, Sent
from airflow_provider_chattransfer.exceptions import CredentialsError, PlatformError, UnreachableError
from airflow_provider_chattransfer.platforms import bounded_session
from airflow_provider_chattransfer.platforms.base import ChatPlatform, SendOptions
from airflow_provider_chattransfer.platforms.bitrix24.platform import Bitrix24Platform
from airflow_provider_chattransfer.platforms.bitrix24.receivers import Receivers
from airflow_provider_chattransfer.platforms.bitrix24.redirects import MAX_MOVES, PortalMovedError, PortalRedirects
from airflow_provider_chattransfer.platforms.issued_token import IssuedToken
from airflow_provider_chattransfer.platforms.reading_age import MAX_READ_AGE_SECONDS, sending_what_was_read
from airflow_provider_chattransfer.platforms.single_flight import SingleFlight
from airflow_provider_chattransfer.platforms.superoffice import tenant as tenants
from airflow_provider_chattransfer.platforms.superoffice.auth import Basic
from airflow_provider_chattransfer.platforms.superoffice.platform import SuperOfficePlatform
from airflow_provider_chattransfer.platforms.tokens.manager import Entry, TokenManager
from airflow_provider_chattransfer.platforms.transport import Request

from ..support.token_stores import MemoryTokenStore
from .conftest import ClockedSandbox, to
from .raw_server import OK, hear, raw_server
from .test_bitrix24_signing_in import an_app, refreshes
from .test_superoffice_signing_in import Online

THREADS = 16
PIECE = 3
"""Chats that one thread reads, sends and reads back."""

TRANSFER, USERS = "TransferChatSession", "im.user.list.get"
IDS = [str(1000 + number) for number in range(THREADS * PIECE)]
OWNED_BY_7: dict[str, Any] = {"chats": [{"id": int(chat_id), "owner": 7, "queue": 3} for chat_id in IDS]}

T = TypeVar("T")


def at_once(work: Callable[[int], T]) -> list[T]:
    """Call ``work`` in sixteen threads that begin together, each with its number; return what they return."""
    together = threading.Barrier(THREADS, timeout=10)

    def begin(number: int) -> T:
        together.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(begin, range(THREADS)))


def transfer_all(platform: ChatPlatform, target: str = "agent:12") -> dict[str, str]:
    """Hand all chats over, a piece by each thread, and return whom each rings at or belongs to in the end."""

    def piece(number: int) -> dict[str, str]:
        ids = IDS[number * PIECE : (number + 1) * PIECE]
        sent = send(platform, ids, target)
        assert {type(answer) for answer in sent.answers.values()} == {Answered}, sent
        return {
            chat_id: str(chat.offered_to or chat.owner)
            for chat_id, chat in platform.read_chats(ids).items()
            if isinstance(chat, Chat)
        }

    return {chat_id: receiver for piece in at_once(piece) for chat_id, receiver in piece.items()}


def send(platform: ChatPlatform, ids: Sequence[str], target: str = "agent:12") -> Sent:
    """Read chats and send them."""
    chats = platform.read_chats(ids)
    moves = [Move(each, chat) for each in to(target, *ids) if isinstance(chat := chats[each.chat_id], Chat)]
    return platform.send(moves, SendOptions())


class TestAPortal:
    @pytest.fixture
    def platform(self, stage: ClockedSandbox) -> Bitrix24Platform:
        stage.reset(bitrix24=OWNED_BY_7)
        return Bitrix24Platform(an_app(stage))

    def test_gives_out_one_token_and_is_asked_about_people_once(
        self, stage: ClockedSandbox, platform: Bitrix24Platform
    ) -> None:
        assert transfer_all(platform) == dict.fromkeys(IDS, "12")
        assert sorted(stage.moved("bitrix24")) == IDS
        assert refreshes(stage) == 1
        assert stage.asked().count(USERS) == 2, "about the owner, and about the receiver"

    def test_gives_out_one_more_when_that_expires(self, stage: ClockedSandbox, platform: Bitrix24Platform) -> None:
        platform.read_chats(IDS)
        stage.fault(kind="token_expired", service="bitrix24")
        assert transfer_all(platform) == dict.fromkeys(IDS, "12")
        assert sorted(stage.moved("bitrix24")) == IDS
        assert refreshes(stage) == 2

    def test_is_followed_when_it_is_renamed(
        self, stage: ClockedSandbox, platform: Bitrix24Platform, caplog: pytest.LogCaptureFixture
    ) -> None:
        stage.reset(bitrix24={**OWNED_BY_7, "switches": {"moved_to": "localhost"}})
        assert transfer_all(platform) == dict.fromkeys(IDS, "12")
        assert sorted(stage.moved("bitrix24")) == IDS
        assert caplog.text.count("The portal is now at") == 1

    def test_is_followed_by_all_also_at_its_last_move(self) -> None:
        names = [f"https://{name}.bitrix24.com" for name in ("a", "b", "c", "d")]
        redirects = PortalRedirects(names[0])
        for old, new in pairwise(names[: MAX_MOVES + 1]):
            for _ in range(2):
                redirects.follow(f"{old}/rest/x", PortalMovedError(f"{new}/rest/x", method="x"))
        assert redirects.of(names[0]) == names[-1]

    def test_that_tells_late_who_a_receiver_is_lets_nobody_send_to_a_wrong_one(
        self, stage: ClockedSandbox, platform: Bitrix24Platform
    ) -> None:
        platform.read_chats(IDS)
        stage.fault(kind="delay_before", service="bitrix24", method=USERS, seconds=0.3)
        answers = at_once(lambda number: send(platform, [IDS[number]], "agent:4711").answers[IDS[number]])
        assert {type(answer) for answer in answers} == {Refused}
        assert stage.moved("bitrix24") == []
        assert stage.asked().count(USERS) == 2

    def test_that_tells_so_late_that_a_chat_must_be_read_again_is_sent_what_is_still_there(
        self, stage: ClockedSandbox, platform: Bitrix24Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        look_up = Receivers.look_up

        def slowly(receivers: Receivers, targets: Any) -> None:
            look_up(receivers, targets)
            stage.sleep(MAX_READ_AGE_SECONDS + 1)

        monkeypatch.setattr(Receivers, "look_up", slowly)
        with sending_what_was_read(stage.now(), clock=stage.now):
            assert isinstance(send(platform, IDS[:1]).answers[IDS[0]], Answered)
        assert stage.asked().count("imopenlines.dialog.get") == 2


class TestATenant:
    @pytest.fixture
    def online(self, stage: ClockedSandbox, monkeypatch: pytest.MonkeyPatch) -> Online:
        monkeypatch.setattr(tenants, "_locations", {})
        online = Online(stage)
        online.reset(**OWNED_BY_7)
        return online

    def test_is_found_and_signed_in_to_once(self, online: Online) -> None:
        assert transfer_all(online.platform(online.agent())) == dict.fromkeys(IDS, "12")
        assert sorted(online.stage.moved("superoffice")) == IDS
        assert (online.asked("Cust12345"), online.asked("tokens")) == (1, 1)

    def test_gives_out_one_more_token_when_that_expires(self, online: Online) -> None:
        platform = online.platform(online.agent())
        platform.read_chats(IDS[:1])
        online.stage.fault(kind="token_expired", service="superoffice")
        assert transfer_all(platform) == dict.fromkeys(IDS, "12")
        assert sorted(online.stage.moved("superoffice")) == IDS
        assert online.asked("tokens") == 2

    def test_is_asked_for_once_when_it_moves(self, online: Online) -> None:
        online.reset(**OWNED_BY_7, data_host={"name": "localhost", "after": 60})
        platform = online.platform(online.agent())
        platform.read_chats(IDS[:1])
        online.stage.sleep(61)
        assert transfer_all(platform) == dict.fromkeys(IDS, "12")
        assert sorted(online.stage.moved("superoffice")) == IDS
        assert online.asked("Cust12345") == 2

    def test_is_not_tried_by_all_with_a_password_that_is_wrong(self, stage: ClockedSandbox) -> None:
        stage.reset(superoffice=OWNED_BY_7)
        wrong = stage.web_api(Basic("agent7", "wrong"))
        platform = SuperOfficePlatform(stage.web_api(), identities=lambda _: wrong)
        answers = at_once(lambda number: send(platform, [IDS[number]]).answers[IDS[number]])
        assert {type(answer) for answer in answers} == {Refused}
        assert stage.asked("superoffice").count(TRANSFER) == 1, "an account may be locked for trying again"

    def test_lets_all_in_once_it_has_let_in_one(self, stage: ClockedSandbox) -> None:
        """Else sixteen transfers that take 0.4 s each would take 6.4 s."""
        stage.reset(superoffice=OWNED_BY_7)
        platform = stage.superoffice()
        send(platform, IDS[-1:])
        stage.fault(kind="delay_before", service="superoffice", method=TRANSFER, seconds=0.4, count=THREADS)
        began = time.monotonic()
        at_once(lambda number: send(platform, [IDS[number]]))
        assert time.monotonic() - began < 4

    def test_is_sent_nothing_that_was_read_too_long_ago_when_another_was_let_in(self, online: Online) -> None:
        platform = online.platform(online.agent())

        @contextmanager
        def another_signs_in_slowly() -> Iterator[None]:
            online.stage.sleep(MAX_READ_AGE_SECONDS + 1)
            yield

        platform._first_sign_ins["7"] = another_signs_in_slowly()
        with sending_what_was_read(online.stage.now(), clock=online.stage.now):
            assert isinstance(send(platform, IDS[:1]).answers[IDS[0]], NotApplied)
        assert online.stage.moved("superoffice") == []


class TestWhatIsSharedByThreads:
    def test_a_token_that_expires_costs_one_visit_to_the_store(self) -> None:
        loaded: list[Entry] = []

        class Store(MemoryTokenStore):
            def load(self, entry: Entry) -> str | None:
                loaded.append(entry)
                return super().load(entry)

        def fetch_token(_: str | None) -> IssuedToken:
            time.sleep(0.2)
            return IssuedToken("new", obtained_at=time.time())

        manager = TokenManager(store=Store(), fetch_token=fetch_token, rotates=False)
        old = IssuedToken("old", obtained_at=1.0)
        assert {token.secret for token in at_once(lambda _: manager.refresh(old))} == {"new"}
        assert loaded == [Entry.TOKEN]

    def test_a_token_that_is_refused_is_asked_for_once(self) -> None:
        asked: list[str | None] = []

        def fetch_token(refresh_token: str | None) -> IssuedToken:
            asked.append(refresh_token)
            time.sleep(0.3)
            raise CredentialsError("not taken", method="token")

        manager = TokenManager(store=MemoryTokenStore(), fetch_token=fetch_token, rotates=False)

        def problem(_: int) -> str:
            with pytest.raises(CredentialsError) as caught:
                manager.token()
            return str(caught.value)

        assert at_once(problem) == ["token: not taken"] * THREADS
        assert asked == [None]
        assert problem(0) == "token: not taken"
        assert len(asked) == 2, "who comes later asks anew"

    def test_an_error_is_not_shared_with_who_needs_something_else_once_it_is_over(self) -> None:
        flight: SingleFlight = SingleFlight()

        def failing() -> str:
            raise UnreachableError("away", method="x")

        with pytest.raises(PlatformError):
            flight.run(failing, known=lambda: None)
        assert flight.run(lambda: "found", known=lambda: None) == "found"

    def test_connections_are_kept_alive_for_all(self, stage: ClockedSandbox) -> None:
        """In each round all sixteen are under way before the first is answered."""
        rounds = 3
        all_here = threading.Barrier(THREADS, timeout=10)

        def serve(connection: socket.socket) -> None:
            while hear(connection):
                all_here.wait()
                connection.sendall(OK + b"Content-Length: 2\r\n\r\n{}")

        transport = stage.transport()
        with raw_server(serve) as server:
            request = Request(method="x", url=server.url, json={})
            for _ in range(rounds):
                assert at_once(lambda _: transport.send(request, lambda response: response.status)) == [200] * THREADS
            assert server.connections == THREADS

    def test_the_manager_of_a_proxy_is_found_by_nobody_before_it_is_bounded(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bound: list[object] = []

        def slowly(manager: object) -> None:
            time.sleep(0.1)
            bound.append(manager)

        monkeypatch.setattr(bounded_session, "_bound", slowly)
        adapter = bounded_session.BoundedSession().get_adapter("https://example.org")
        assert all(at_once(lambda _: adapter.proxy_manager_for("http://proxy.example:3128") in bound))  # type: ignore[attr-defined]
