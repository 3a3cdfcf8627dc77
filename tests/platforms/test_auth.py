# SPDX-License-Identifier: Apache-2.0
"""How a request is signed in, and when it is sent once more: the one loop of all clients."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_chattransfer.exceptions import (
    CredentialsError,
    MisdirectedError,
    NotAppliedError,
    PlatformError,
    RequestRefusedError,
    TokenExpiredError,
)
from airflow_provider_chattransfer.platforms.auth import AuthenticatedClient, AuthHeaders, AuthStrategy
from airflow_provider_chattransfer.platforms.reading_age import MAX_READ_AGE_SECONDS, sending_what_was_read
from airflow_provider_chattransfer.platforms.transport import Request, Response

from .conftest import ClockedSandbox, Script, Scripted

MAX_MOVES = 2
GOOD = Scripted.json({"good": True})
EXPIRED, ELSEWHERE, REFUSED = (Scripted.json({}, status=status) for status in (401, 421, 400))
MEANINGS: dict[int, type[PlatformError]] = {401: TokenExpiredError, 421: MisdirectedError, 400: RequestRefusedError}


class NumberedTokens(AuthStrategy):
    """Sign in with ``token-1``, then ``token-2``; each takes ``seconds`` of the clock to fetch."""

    actor = "user 1"

    def __init__(self, stage: ClockedSandbox, *, seconds: float = 0.0) -> None:
        self.number = 1
        self.refreshed: list[str] = []
        self._stage = stage
        self._seconds = seconds

    def authenticate(self) -> AuthHeaders:
        return AuthHeaders({"Authorization": f"token-{self.number}"})

    def refresh(self, expired: AuthHeaders) -> None:
        self.refreshed.append(expired.headers["Authorization"])
        self._stage.sleep(self._seconds)
        self.number += 1


class MovingClient(AuthenticatedClient[NumberedTokens]):
    """Call a service that answers as it is told, and follow it ``MAX_MOVES`` times."""

    def __init__(self, auth: NumberedTokens, *, script: Script, stage: ClockedSandbox) -> None:
        super().__init__(auth=auth, transport=stage.transport(), clock=stage.now)
        self.url = script.url
        self.moves: list[int] = []

    def call(self, *, repeatable: bool = False) -> Any:
        def build(signed: AuthHeaders) -> Request:
            return Request(
                method="move",
                url=f"{self.url}/at-{len(self.moves)}",
                json={},
                headers=signed.headers,
                repeatable=repeatable,
            )

        def understand(response: Response, signed: AuthHeaders) -> Any:
            if response.status != 200:
                raise MEANINGS[response.status](f"HTTP {response.status}", method="move", code=str(response.status))
            return {**response.body, "by": signed.headers["Authorization"]}

        return self.send_signed(build, understand)

    def follow_move(self, error: PlatformError, request: Request, signed: AuthHeaders, *, moves: int) -> bool:
        if not isinstance(error, MisdirectedError) or moves == MAX_MOVES:
            return False
        self.moves.append(moves)
        return True


@pytest.fixture
def client(script: Script, stage: ClockedSandbox) -> MovingClient:
    """Return a client whose tokens are fetched at once."""
    return MovingClient(NumberedTokens(stage), script=script, stage=stage)


class TestASignedRequest:
    @pytest.mark.parametrize("repeatable", [False, True], ids=["once", "repeatable"])
    @pytest.mark.parametrize(
        ("answers", "sent"),
        [
            ([GOOD], ["token-1 /at-0"]),
            ([EXPIRED, GOOD], ["token-1 /at-0", "token-2 /at-0"]),
            ([ELSEWHERE, GOOD], ["token-1 /at-0", "token-1 /at-1"]),
            ([ELSEWHERE, EXPIRED, GOOD], ["token-1 /at-0", "token-1 /at-1", "token-2 /at-1"]),
            ([EXPIRED, ELSEWHERE, GOOD], ["token-1 /at-0", "token-2 /at-0", "token-2 /at-1"]),
            ([ELSEWHERE, ELSEWHERE, GOOD], ["token-1 /at-0", "token-1 /at-1", "token-1 /at-2"]),
        ],
        ids=["good", "expired", "moved", "moved and expired", "expired and moved", "moved twice"],
    )
    def test_a_signed_request_is_sent_until_it_is_let_in_with_what_is_new_each_time(
        self, client: MovingClient, script: Script, answers: list[Scripted], sent: list[str], repeatable: bool
    ) -> None:
        script.play(*answers)
        assert client.call(repeatable=repeatable) == {"good": True, "by": sent[-1].split()[0]}
        assert [f"{each.headers['Authorization']} {each.path}" for each in script.heard] == sent

    @pytest.mark.parametrize(
        ("answers", "kind", "requests"),
        [
            ([EXPIRED], CredentialsError, 2),
            ([EXPIRED, ELSEWHERE, EXPIRED], CredentialsError, 3),
            ([ELSEWHERE], MisdirectedError, 1 + MAX_MOVES),
            ([REFUSED], RequestRefusedError, 1),
            ([EXPIRED, REFUSED], RequestRefusedError, 2),
        ],
        ids=["expired twice", "expired twice with a move between", "moved for ever", "refused", "expired and refused"],
    )
    def test_a_signed_request_is_given_up(
        self, client: MovingClient, script: Script, answers: list[Scripted], kind: type[PlatformError], requests: int
    ) -> None:
        script.play(*answers)
        with pytest.raises(kind) as caught:
            client.call(repeatable=True)
        assert type(caught.value) is kind, "a token that was fetched just now has not expired"
        assert len(script.heard) == requests

    def test_refreshes_what_the_request_carried(self, client: MovingClient, script: Script) -> None:
        script.play(EXPIRED, GOOD)
        client.call()
        assert client.auth.refreshed == ["token-1"]

    def test_a_signed_request_that_may_be_sent_once_only_is_not_sent_on_what_was_read_long_ago(
        self, script: Script, stage: ClockedSandbox
    ) -> None:
        client = MovingClient(NumberedTokens(stage, seconds=MAX_READ_AGE_SECONDS + 1), script=script, stage=stage)
        script.play(EXPIRED, GOOD)
        with (
            pytest.raises(NotAppliedError, match="it must be read again"),
            sending_what_was_read(stage.now(), clock=stage.now),
        ):
            client.call()
        assert len(script.heard) == 1

    def test_a_signed_request_that_may_be_sent_once_only_is_sent_on_what_was_read_just_now(
        self, script: Script, stage: ClockedSandbox
    ) -> None:
        client = MovingClient(NumberedTokens(stage, seconds=MAX_READ_AGE_SECONDS - 2), script=script, stage=stage)
        script.play(EXPIRED, GOOD)
        with sending_what_was_read(stage.now(), clock=stage.now):
            assert client.call()["good"] is True

    def test_a_signed_request_that_is_repeatable_is_sent_however_long_signing_in_takes(
        self, script: Script, stage: ClockedSandbox
    ) -> None:
        client = MovingClient(NumberedTokens(stage, seconds=MAX_READ_AGE_SECONDS + 1), script=script, stage=stage)
        script.play(EXPIRED, GOOD)
        with sending_what_was_read(stage.now(), clock=stage.now):
            assert client.call(repeatable=True)["good"] is True
