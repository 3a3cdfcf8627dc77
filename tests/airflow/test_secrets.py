# SPDX-License-Identifier: Apache-2.0
"""Nothing secret, and nothing of a customer, leaves, also when a service puts it where nobody expects it.

``tests/chaos/test_canaries.py`` searches all that tasks leave behind in ordinary good and bad weather.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_chattransfer.exceptions import PlatformError
from airflow_provider_chattransfer.hooks.dispatch import open_platform
from airflow_provider_chattransfer.operators.accept import AcceptTransferOperator
from airflow_provider_chattransfer.operators.transfer import ReassignChatsOperator, TransferChatsOperator
from airflow_provider_chattransfer.platforms import decoding, transport
from airflow_provider_chattransfer.platforms.coordination.pace import Pace
from airflow_provider_chattransfer.sandbox.bitrix24 import Portal
from airflow_provider_chattransfer.sandbox.service import HttpRequest, HttpResponse
from airflow_provider_chattransfer.sandbox.superoffice.tenant import Tenant
from airflow_provider_chattransfer.sensors.accept_transfer import AcceptTransferSensor
from airflow_provider_chattransfer.testing.connections import as_environment

from ..chaos.canaries import connections, leaks, planted, scenario
from ..support.record_stores import TaskStateStore
from .conftest import Sandbox

CUSTOMER = "Zelda Quist <zelda@customer.example>"
"""What no text of ours may hold, wherever an answer does."""
CHATS = {"bitrix24": ["101", "102", "103"], "superoffice": ["150", "151", "152"]}
SERVICES = list(CHATS)

Twist = Callable[[HttpRequest, HttpResponse], HttpResponse]
"""What becomes of an answer on its way."""


@dataclass(slots=True)
class Answers:
    """The answers of both services, twisted on their way; and which of their keys our code has looked at."""

    twist: Twist = field(default_factory=lambda: _straight)
    looked_at: set[str] = field(default_factory=set)

    def pass_on(self, call: HttpRequest, reply: HttpResponse) -> HttpResponse:
        """Return an answer as the client gets it."""
        return self.twist(call, reply)

    def declared(self, adapter: Any) -> Any:
        """``adapter``, whose members our code looks at where it decodes an answer."""
        schema = adapter.json_schema()
        for kind in (schema, *schema.get("$defs", {}).values()):
            self.looked_at |= kind.get("properties", {}).keys()
        return adapter

    def watched(self, value: Any) -> Any:
        """``value`` with objects that note which of their keys are looked at."""
        if isinstance(value, dict):
            return Watched(self.looked_at, {key: self.watched(item) for key, item in value.items()})
        return [self.watched(item) for item in value] if isinstance(value, list) else value


class Watched(dict[str, Any]):
    """An object of an answer that notes in ``looked_at`` which of its keys are looked at."""

    def __init__(self, looked_at: set[str], items: Mapping[str, Any]) -> None:
        super().__init__(items)
        self._looked_at = looked_at

    def get(self, key: str, default: Any = None) -> Any:
        self._looked_at.add(key)
        return super().get(key, default)

    def __getitem__(self, key: str) -> Any:
        self._looked_at.add(key)
        return super().__getitem__(key)


@pytest.fixture
def answers(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, no_pauses: None) -> Answers:
    """Return the answers of the sandbox, in which only the canaries' secrets sign in."""
    answers = Answers()
    for service in (Portal, Tenant):
        answer: Any = service.answer
        monkeypatch.setattr(
            service, "answer", lambda self, call, answer=answer: answers.pass_on(call, answer(self, call))
        )
    for name, value in as_environment(connections(sandbox.url)).items():
        monkeypatch.setenv(name, value)
    adapter = decoding._adapter
    monkeypatch.setattr(decoding, "_adapter", lambda kind: answers.declared(adapter(kind)))
    parse = transport._json
    monkeypatch.setattr(transport, "_json", lambda *reply: answers.watched(parse(*reply)))
    monkeypatch.setattr(transport, "MAX_ATTEMPTS", 2)
    monkeypatch.setattr(transport.Transport, "pause", lambda *_: None)
    monkeypatch.setattr(Pace, "close_for", lambda *_, **__: None)
    sandbox.reset(**small())
    return answers


def small() -> dict[str, Any]:
    """Return the canaries' scenario with few chats, as it is set up many times."""
    services = scenario()
    for service, chats in CHATS.items():
        services[service]["chats"] = [{"id": int(chat), "owner": 7, "queue": 3} for chat in chats]
    return services


@dataclass(slots=True)
class Told:
    """All that tasks say: results and what they push, errors as Airflow logs them, and the rows of their record."""

    texts: list[str] = field(default_factory=list)

    def run(self, task: Any) -> None:
        """One try of a task, whatever becomes of it."""
        store = TaskStateStore()
        ti = SimpleNamespace(
            max_tries=0, try_number=1, xcom_push=lambda **push: self.texts.append(repr(push)), task_id="task",
            dag_id="dag", run_id="run", map_index=-1,
        )  # fmt: skip
        context: Any = {"ti": ti, "task_state_store": store}
        try:
            self.texts.append(repr(task.execute(context)))
        except Exception as error:
            self.texts += [repr(error), *traceback.format_exception(error)]
        self.texts.append(repr(store))


def everything(service: str) -> str:
    """List, move, accept, wait: all that is said on the way."""
    told = Told()
    to_12 = [{"chat_id": chat, "to": "agent:12"} for chat in CHATS[service]]
    conn_id = f"{service}_default"
    for task in (
        TransferChatsOperator(task_id="some", conn_id=conn_id, transfers=to_12[:2]),
        ReassignChatsOperator(
            task_id="all", conn_id=conn_id, from_agents=["7"], to=["agent:12", "agent:15"], strategy="least_loaded"
        ),
        TransferChatsOperator(task_id="back", conn_id=conn_id, transfers=[{**each, "to": "queue"} for each in to_12]),
        AcceptTransferOperator(task_id="accept", conn_id=conn_id, chat_id=CHATS[service][0]),
        AcceptTransferSensor(
            task_id="wait",
            conn_id=conn_id,
            transfers=to_12,
            accept_within=timedelta(milliseconds=1),
            poll_interval=0.01,
        ),
    ):
        told.run(task)
    return "\n".join(told.texts)


class TestACustomersTextInAnAnswer:
    """Under any key of any answer, and in errors: it stays there."""

    @pytest.mark.parametrize("service", SERVICES)
    def test_a_customers_text_in_an_answer_is_not_repeated_from_any_field(
        self, sandbox: Sandbox, answers: Answers, caplog: pytest.LogCaptureFixture, service: str
    ) -> None:
        caplog.set_level(logging.DEBUG)
        assert "accepted" in everything(service)
        looked_at = set(answers.looked_at)
        assert len(looked_at) > 10
        twists = {key: _replacing({key}.__contains__) for key in sorted(looked_at)}
        twists["all the others"] = _replacing(lambda key: key not in looked_at)
        assert repeated(twists, sandbox, answers, caplog, service) == []

    @pytest.mark.parametrize("of", ["everything", "transfers"])
    @pytest.mark.parametrize("service", SERVICES)
    def test_a_customers_text_in_an_answer_is_not_repeated_from_an_error(
        self, sandbox: Sandbox, answers: Answers, caplog: pytest.LogCaptureFixture, service: str, of: str
    ) -> None:
        caplog.set_level(logging.DEBUG)
        twists = {name: _failing(error, only_transfers=of == "transfers") for name, error in errors(service)}
        assert repeated(twists, sandbox, answers, caplog, service) == []

    def test_a_customers_text_in_an_answer_is_not_repeated_from_what_should_be_a_list_of_users(
        self, answers: Answers, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        instead = HttpResponse.json({"result": CUSTOMER})
        answers.twist = lambda call, reply: instead if call.path.endswith("im.user.list.get") else reply
        told = everything("bitrix24") + caplog.text
        assert "Cannot tell people from bots" in told
        assert "Zelda" not in told


def repeated(
    twists: Mapping[str, Twist], sandbox: Sandbox, answers: Answers, caplog: pytest.LogCaptureFixture, service: str
) -> list[str]:
    """Return the names of those ``twists`` with which the customer's text is found in what is told or logged."""
    found = []
    for name, twist in twists.items():
        answers.twist = _straight
        sandbox.reset(**small())
        caplog.clear()
        answers.twist = twist
        text = everything(service) + caplog.text
        if "Zelda" in text or "customer.example" in text:
            found.append(name)
    return found


def errors(service: str) -> Iterator[tuple[str, HttpResponse]]:
    """Errors of every kind and status that tell of a customer, by what they are."""
    page = HttpResponse(status=502, body=f"<html>{CUSTOMER}</html>".encode(), content_type="text/html")
    headers = {"retry-after": CUSTOMER, "location": f"https://portal.example/{CUSTOMER}", "date": CUSTOMER}
    for status in (200, 302, 404, 429, 502, 503):
        yield f"page {status}", replace(page, status=status, headers=headers)
    for name, body in {"text": CUSTOMER, "list": [CUSTOMER], **BODIES[service]}.items():
        for status in STATUSES[service]:
            yield f"{name} {status}", HttpResponse.json(body, status=status)


def _portals(code: str) -> dict[str, Any]:
    return {"error": code, "error_description": CUSTOMER}


def _of_a_batch(error: Any) -> dict[str, Any]:
    return {"result": {"result": [], "result_error": {f"c{number}": error for number in range(50)}}}


CODES = (
    *("INVALID_CREDENTIALS", "ACCESS_DENIED", "OPERATOR_WRONG", "ACCESS_ERROR", "ANOTHER", "INTERNAL_SERVER_ERROR"),
    *("QUERY_LIMIT_EXCEEDED", "OPERATION_TIME_LIMIT", CUSTOMER),
)
"""One of each way in which the client takes a portal's error."""

BODIES: Mapping[str, Mapping[str, Any]] = {
    "bitrix24": {
        "result": {"result": CUSTOMER},
        "results of a batch": {"result": {"result": {f"c{number}": CUSTOMER for number in range(50)}}},
        "only text in a batch": _of_a_batch(CUSTOMER),
        **{code: _portals(code) for code in CODES},
        **{f"{code} in a batch": _of_a_batch(_portals(code)) for code in CODES},
    },
    "superoffice": {
        "object": {"Error": CUSTOMER},
        "oauth": _portals(CUSTOMER),
        "asp.net": {"Message": CUSTOMER, "MessageDetail": CUSTOMER},
        "rest": {"Error": True, "ErrorType": "SoSessionException", "ErrorMessage": CUSTOMER, "ErrorSource": CUSTOMER},
        "soap": {"ExceptionType": CUSTOMER, "FriendlyText": CUSTOMER, "StackTrace": CUSTOMER},
    },
}
STATUSES = {"bitrix24": (200,), "superoffice": (200, 400, 401, 404, 500)}


class TestWhatIsPrinted:
    """By somebody who debugs, and prints what he has got."""

    @pytest.mark.parametrize("service", SERVICES)
    def test_what_is_printed_of_our_objects_holds_no_secret(
        self, sandbox: Sandbox, answers: Answers, monkeypatch: pytest.MonkeyPatch, service: str, tmp_path: Any
    ) -> None:
        words = planted(sandbox.url)
        with open_platform(f"{service}_default") as platform:
            client: Any = platform.client  # type: ignore[attr-defined]
            objects = [platform, client, *vars(client).values(), *vars(platform).values()]
            chats = platform.read_chats(CHATS[service])
        (tmp_path / "printed").write_text("\n".join(map(repr, [*objects, chats])))
        assert leaks(words, within=tmp_path) == []

    def test_what_is_printed_of_an_error_does_not_lead_to_the_address_that_is_a_webhooks_secret(
        self, answers: Answers
    ) -> None:
        with open_platform("wrong_port") as platform, pytest.raises(PlatformError) as trouble:
            platform.read_chats(["101"])
        assert "nobody listens" in str(trouble.value)
        assert (trouble.value.__context__, trouble.value.__cause__) == (None, None)


def _replacing(meant: Callable[[str], bool]) -> Twist:
    """Return the customer's text in place of every plain value whose key is ``meant``."""

    def replaced(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {
                key: CUSTOMER if meant(key) and not isinstance(item, Mapping | list) else replaced(item)
                for key, item in value.items()
            }
        return [replaced(item) for item in value] if isinstance(value, list) else value

    def twist(_: HttpRequest, reply: HttpResponse) -> HttpResponse:
        is_json = reply.body.startswith((b"{", b"["))
        return replace(reply, body=HttpResponse.json(replaced(json.loads(reply.body))).body) if is_json else reply

    return twist


def _failing(error: HttpResponse, *, only_transfers: bool) -> Twist:
    """Return an error in place of the answers to transfers, or of all."""
    return lambda call, reply: error if _moves(call) or not only_transfers else reply


def _straight(_: HttpRequest, reply: HttpResponse) -> HttpResponse:
    return reply


def _moves(call: HttpRequest) -> bool:
    """Whether a request moves a chat, in a batch as well."""
    told = call.path.encode() + call.body
    return b"ession.transfer" in told or b"TransferChatSession" in told or b"ResetChatSession" in told
