# SPDX-License-Identifier: Apache-2.0
"""Whether what a task did, returned, raised and logged was right, whatever it was told.

Where all that was changed is about some chats, the others are to be moved all the same.

A report may believe an answer that is well-formed and about the chat that was asked for, and says another state than
the true one: ``lied_about`` holds those chats. Of them it is not judged whether they were accepted, nor whether they
were moved once; of all others it is.
"""

from __future__ import annotations

import json
import re
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_chattransfer.exceptions import TransferError
from airflow_provider_chattransfer.testing.audit import MOVES, POSSIBLE_MOVES

from ..support.answers import Exchange, Given, written
from .changes import CANARY
from .errands import Errand

LONGEST = 300
"""Letters of an error or a reason."""

MOST_REQUESTS, MOST_SECONDS = 50, 10.0

SECRETS = (
    CANARY, "secretcode", "appsecret", "refresh-1", "refresh-tje0", "refresh-agent", "Secret7", "Secret12", "Tje0",
)  # fmt: skip
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
OF_ONE_CHAT = ("imopenlines.dialog.get?", "imopenlines.bot.session.transfer?")
LOOK_UPS = frozenset({"resolve", "resolve_chats", "_resolved", "plan"})
"""Where bad input is found out from a directory's answers: what they say is not there is not there."""


@dataclass
class Ran:
    """What came of an errand."""

    result: Any = None
    error: BaseException | None = None
    pushed: list[Any] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)
    changes: list[Mapping[str, Any]] = field(default_factory=list)
    chats: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    told: list[tuple[Exchange, Given]] = field(default_factory=list)
    requests: int = 0
    seconds: float = 0.0

    @property
    def report(self) -> Mapping[str, Any] | None:
        """The report that was returned, or pushed last by a task that failed."""
        found = self.result if self.error is None else self.pushed[-1] if self.pushed else None
        return found if isinstance(found, Mapping) and "transfers" in found else None


def judge(errand: Errand, ran: Ran) -> list[str]:
    """Return what was wrong, a sentence for each."""
    lies = lied_about(ran.told)
    ours = [each for each in ran.changes if each["service"] == errand.service and each["request"] is not None]
    return [
        *_of_the_end(errand, ran),
        *_of_texts(ran),
        *_of_touched(errand, ours, lies),
        *_of_the_report(errand, ran, ours, lies),
        *_of_the_others(errand, ran),
    ]


def _of_the_end(errand: Errand, ran: Ran) -> Iterator[str]:
    if ran.error is not None and not _is_typed(ran.error):
        frames = traceback.extract_tb(ran.error.__traceback__)[-4:]
        yield f"raised {ran.error!r:.300} at {[f'{each.filename[-40:]}:{each.lineno}' for each in frames]}"
    if ran.requests > MOST_REQUESTS:
        yield f"made {ran.requests} requests"
    if ran.seconds > MOST_SECONDS:
        yield f"took {ran.seconds:.1f} s"
    if ran.error is None and errand.name.startswith("a test") and "could not be tested" in ran.result[1]:
        yield f"the test met an untyped error: {ran.result[1]}"


def _is_typed(error: BaseException) -> bool:
    if type(error) is ValueError:
        return any(frame.name in LOOK_UPS for frame in traceback.extract_tb(error.__traceback__))
    cause = error.__cause__
    if type(error).__name__ == "AirflowFailException" and cause is not None:
        return _is_typed(cause)
    return isinstance(error, TransferError | AirflowException)


def _of_texts(ran: Ran) -> Iterator[str]:
    """Yield where a text holds a secret, something of a customer or a control character, or has no end."""
    report = ran.report
    reasons = [each["reason"] for each in report["transfers"] if each["reason"]] if report else []
    said = [*reasons, *([str(ran.error)] if ran.error is not None else [])]
    names_people = type(ran.error) is ValueError
    for text in said:
        if len(text) > LONGEST:
            yield f"{len(text)} letters: {text[:400]!r}"
    whole = json.dumps(ran.pushed) + json.dumps(ran.result)
    for text in [*said, *ran.logged, *([ran.result[1]] if isinstance(ran.result, tuple) else [])]:
        if CONTROL.search(text):
            yield f"control characters: {text[:300]!r}"
    for text in [*said, *ran.logged, whole]:
        for secret in SECRETS:
            if secret in text and not (secret == CANARY and names_people and text == str(ran.error)):
                yield f"{secret!r} in {text[max(0, text.index(secret) - 150) :][:300]!r}"


def _of_touched(errand: Errand, ours: Sequence[Mapping[str, Any]], lies: frozenset[str]) -> Iterator[str]:
    """Only what was named is touched, and moved once."""
    for chat_id in sorted({each["chat_id"] for each in ours}):
        if chat_id not in errand.named:
            yield f"chat {chat_id} was touched, which was not named: {[e for e in ours if e['chat_id'] == chat_id][:1]}"
    if ours and not errand.sends:
        yield f"something was sent: {ours[0]}"
    moves = Counter(each["chat_id"] for each in ours if each["change"] in MOVES)
    for chat_id, count in moves.items():
        if count > 1 and chat_id not in lies:
            yield f"chat {chat_id} was moved {count} times"


def _of_the_report(errand: Errand, ran: Ran, ours: Sequence[Mapping[str, Any]], lies: frozenset[str]) -> Iterator[str]:
    moves = Counter(each["chat_id"] for each in ours if each["change"] in MOVES)
    report = ran.report
    if report is None:
        if ours and errand.name != "a call":
            yield "something was sent, and there is no report"
        return
    rows = [each["chat_id"] for each in report["transfers"]]
    if errand.reports and sorted(rows) != sorted(errand.reports):
        yield f"the report has the chats {rows}"
    if len(set(rows)) != len(rows) or not {each["chat_id"] for each in ours} <= set(rows):
        yield f"the report has the chats {rows}, and {dict(moves)} were moved"
    counted = Counter(each["outcome"] for each in report["transfers"])
    if +Counter(report["counts"]) != counted:
        yield f"the report counts {report['counts']}, and lists {counted}"
    if ran.error is None and report["transfers"] and set(counted) == {"failed"}:
        yield "all chats failed, and the task did not"
    for row in report["transfers"]:
        if row["chat_id"] not in lies:
            yield from _of_a_row(errand, row, moves[row["chat_id"]], ran)


def _of_a_row(errand: Errand, row: Mapping[str, Any], moved: int, ran: Ran) -> Iterator[str]:
    outcome, chat_id = row["outcome"], row["chat_id"]
    chat = ran.chats[chat_id]
    if errand.moves and moved not in POSSIBLE_MOVES[outcome]:
        yield f"chat {chat_id} is {outcome} ({row['reason']}), and was moved {moved} times"
    if outcome == "accepted":
        by = [each["after"] for each in ran.changes if each["chat_id"] == chat_id and each["change"] == "accepted"]
        if not (row["to"] in by if row["to"].startswith("agent:") else by):
            yield f"chat {chat_id} is accepted by {row['to']}, and the ledger has no such acceptance"

    if outcome == "unchanged" and row["to"] not in (f"agent:{chat['owner']}", f"queue:{chat['queue']}", "queue"):
        yield f"chat {chat_id} is unchanged, and is not with {row['to']}: {chat}"
    if row["reason"] == "closed" and chat["state"] != "closed":
        yield f"chat {chat_id} is closed, and is {chat['state']}"


def _of_the_others(errand: Errand, ran: Ran) -> Iterator[str]:
    """Yield where what is wrong with one chat keeps another one waiting."""
    disturbed = _disturbed(ran.told)
    if disturbed is None or ran.report is None or not errand.moves:
        return
    for row in ran.report["transfers"]:
        if row["outcome"] == "failed" and row["chat_id"] not in disturbed:
            yield f"chat {row['chat_id']} failed, and all trouble was with {sorted(disturbed)}: {row['reason']}"


def _disturbed(told: Sequence[tuple[Exchange, Given]]) -> frozenset[str] | None:
    """Return the chats that all changed answers were about; ``None`` where one was about more."""
    chats: set[str] = set()
    for exchange, given in told:
        if given == Given(exchange.answer):
            continue
        about = _sent_alone(exchange, given) or _in_batch(exchange, given)
        if about is None:
            return None
        chats |= about
    return frozenset(chats)


def _sent_alone(exchange: Exchange, given: Given) -> set[str] | None:
    """SuperOffice: each transfer is a request of its own; 401 is about whoever signs in, and limits about all."""
    if exchange.method != "TransferChatSession" or given.headers or given.status in (401, 421, 429, 503):
        return None
    return {str(exchange.asked["ChatSessionId"])}


def _in_batch(exchange: Exchange, given: Given) -> set[str] | None:
    """Bitrix24: commands about single chats, whose results alone differ; a text that is no JSON is about all.

    So is one with a number or a depth beyond all measure, which parsers refuse as a whole.
    """
    if exchange.method != "batch" or given.status or given.headers:
        return None
    try:
        msgspec.json.decode(written(given.answer))
        true, told = exchange.answer["result"]["result"], given.answer["result"]["result"]
        same = {**given.answer, "result": {**given.answer["result"], "result": true}} == exchange.answer
        keys = {key for key in {*true, *told} if key not in true or key not in told or true[key] != told[key]}
        commands = [exchange.asked["cmd"][key] for key in keys]
    except (TypeError, KeyError, msgspec.DecodeError, RecursionError):
        return None
    if not same or not all(command.startswith(OF_ONE_CHAT) for command in commands):
        return None
    chats = {dict(parse_qsl(command.partition("?")[2])).get("CHAT_ID") for command in commands}
    return {chat_id for chat_id in chats if chat_id} if all(chats) else None


def lied_about(told: Sequence[tuple[Exchange, Given]]) -> frozenset[str]:
    """Return the chats of which a well-formed state was given that is not the true one."""
    return frozenset(state[0] for exchange, given in told for state in _states(given.answer) - _states(exchange.answer))


def _states(value: Any) -> frozenset[tuple[str, ...]]:
    return frozenset(filter(None, map(_state, _dicts(value))))


def _state(told: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return a chat's id, and all by which its state is told, where the service may well write them so."""
    if "ChatSessionId" in told:
        user, asked = told.get("User"), told.get("TransferTo")
        key = told["ChatSessionId"]
        holders = [each.get("AssociateId", 0) if isinstance(each, Mapping) else each for each in (user, asked)]
        more: list[Any] = [told.get("Status"), told.get("TopicId")]
    elif "owner" in told and "id" in told:
        key, holders = told["id"], [told["owner"]]
        more = [told.get(name) for name in ("entity_type", "entity_data_1", "entity_id", "last_message_id",
                                            "message_count")]  # fmt: skip
    elif "chatId" in told:
        key, holders, more = told["chatId"], [told.get("operatorId")], [told.get("status"), told.get("configId")]
    else:
        return None
    if not _is_number(key) or not all(each is None or each == "" or _is_number(each) for each in holders):
        return None
    return (str(int(key)), *(str(each or 0) for each in holders), *map(repr, more))


def _is_number(value: Any) -> bool:
    return type(value) is int or (isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20)


def _dicts(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for each in inner:
        yield from _dicts(each)
