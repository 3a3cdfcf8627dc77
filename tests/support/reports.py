# SPDX-License-Identifier: Apache-2.0
"""What a report says of each chat, as short as a test can compare it."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_chattransfer.chats.model import Json, Result


def outcomes(report: Json) -> list[str]:
    """Return the outcomes in the order of the report."""
    return [entry["outcome"] for entry in report["transfers"]]


def reasons(report: Json) -> list[str | None]:
    """Return the reasons in the order of the report."""
    return [entry["reason"] for entry in report["transfers"]]


def outcome_by_chat(report: Json) -> dict[str, str]:
    """Return the outcome of each chat by its id."""
    return {entry["chat_id"]: entry["outcome"] for entry in report["transfers"]}


def reason_by_chat(report: Json) -> dict[str, str]:
    """Return the reasons that are given, by the id of their chat."""
    return {entry["chat_id"]: entry["reason"] for entry in report["transfers"] if entry["reason"]}


def outcomes_of(results: Sequence[Result]) -> list[str]:
    """Return the outcomes of results in their order."""
    return [result.outcome.value for result in results]
