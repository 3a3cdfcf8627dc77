# SPDX-License-Identifier: Apache-2.0
"""Chats whose owner nobody can act as: a plan says which they are, and by whom they could be moved."""

from __future__ import annotations

from functools import partial

import pytest

from airflow_provider_chattransfer.operators.transfer import ReassignChatsOperator, TransferChatsOperator

from .conftest import Ran, Sandbox, run_one

do = partial(run_one, conn_id="superoffice_default")

REASON = "connection 'superoffice_agent_8'"


@pytest.fixture
def without_8(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Agent 8 has no connection, and nobody accepts anything."""
    sandbox.reset(superoffice={"people": {"ignore": 1}})
    monkeypatch.delenv("AIRFLOW_CONN_SUPEROFFICE_AGENT_8")
    return sandbox


def by_sender(ran: Ran) -> dict[str, set[tuple[str, bool]]]:
    """By the agent whose chats they were: the outcomes, and whether the reason names the missing connection."""
    found: dict[str, set[tuple[str, bool]]] = {}
    for entry in ran.results["task"]["transfers"]:
        found.setdefault(entry["from"], set()).add((entry["outcome"], REASON in (entry["reason"] or "")))
    return found


class TestAMissingIdentity:
    def test_a_missing_identity_shows_in_a_dry_run(self, without_8: Sandbox) -> None:
        ran = do(ReassignChatsOperator, from_agents=["7", "8"], to=["agent:15"], dry_run=True)
        assert by_sender(ran) == {"agent:7": {("planned", False)}, "agent:8": {("failed", True)}}
        assert without_8.sent("superoffice") == []

    def test_a_missing_identity_is_told_at_the_start_of_a_run_and_leaves_the_chats_of_others_alone(
        self, without_8: Sandbox, caplog: pytest.LogCaptureFixture
    ) -> None:
        ran = do(ReassignChatsOperator, from_agents=["7", "8"], to=["agent:15"], max_failed_ratio=0.9)
        log = caplog.text
        assert ran.state == "success"
        assert by_sender(ran) == {"agent:7": {("requested", False)}, "agent:8": {("failed", True)}}
        owners = {chat["id"]: chat["owner"] for chat in without_8.chats("superoffice").values()}
        assert {owners[chat_id] for chat_id in without_8.sent("superoffice")} == {"7"}
        assert "chats of agent:8 can be sent: there is no connection 'superoffice_agent_8'" in log
        assert "chats of agent:7 can be sent" not in log

    def test_a_missing_identity_of_a_chat_that_is_named_without_its_owner_is_found_when_it_is_read(
        self, without_8: Sandbox
    ) -> None:
        chats = without_8.chats("superoffice").values()
        theirs = [each["id"] for each in chats if each["state"] == "open" and each["owner"] == "8"]
        ran = do(TransferChatsOperator, transfers=[{"chat_id": each, "to": "agent:15"} for each in theirs])
        assert by_sender(ran) == {"agent:8": {("failed", True)}}
        assert without_8.sent("superoffice") == []
