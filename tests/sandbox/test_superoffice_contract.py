# SPDX-License-Identifier: Apache-2.0
"""Every answer of the SuperOffice sandbox against SuperOffice's own OpenAPI document of its 55 chat paths."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests

from tests.sandbox.superoffice_client import SUPERVISOR, TenantClient

OPENAPI = Path(__file__).parents[3] / "shared" / "contracts" / "superoffice-chat.openapi.json"
PREFIX = "/api/v1/"
NOT_SERVED: frozenset[str] = frozenset()
"""Operations that the sandbox answers with 501. There is none."""

OWN, WAITING, TOPIC, COLLEAGUE, NOBODY = 157, 153, 3, "agent12", 99999
IDS = ("ChatSessionId", "ChatTopicId", "chatSessionEntityId", "chatTopicEntityId")
HOURS = {"OpeningHoursEnabled": True, "OpeningHours": {"MonEnabled": True, "MonStart": "08:00", "MonStop": "16:00"}}
ROLE = {"User": {"AssociateId": 12}, "CanRespond": True}
BODIES: Mapping[str, Any] = {
    "Agents/Chat/SaveChatPresence": {"ChatPresence": [{"UserId": 12, "Present": True}]},
    "Agents/Chat/SaveChatSessionEntity": {"ChatSessionId": OWN, "TopicId": TOPIC, "User": {"AssociateId": 7}},
    "Agents/Chat/TransferChatSession": {"ChatSessionId": OWN, "ToAssociate": "12"},
    "Agents/Chat/AcceptChatSessionTransfer": {"ChatSessionId": OWN},
    "Agents/Chat/RejectChatSessionTransfer": {"ChatSessionId": OWN},
    "Agents/Chat/PickUpChatSession": {"ChatSessionId": WAITING},
    "Agents/Chat/ResetChatSession": {"ChatSessionId": OWN},
    "Agents/Chat/GetChatTranscript": {"ChatSessionId": OWN, "Html": False},
    "Agents/Chat/GetChatMessages": {"ChatSessionId": OWN, "After": 0},
    "Agents/Chat/AddChatMessage": {"ChatSessionId": OWN, "Message": {"Type": "ToCustomer", "Message": "One moment."}},
    "Agents/Chat/SaveChatTopicEntity": {"ChatTopicId": 0, "Name": "Returns", **HOURS},
    "Agents/Chat/IsWithinOpeningHours": {"ChatTopicId": TOPIC},
    "Agents/Chat/GetUserAgentList": {"Flat": False, "OnlyPresent": True},
    "Agents/Chat/GetChatTopicUserAgentList": {"ChatTopicId": TOPIC},
    "Agents/Chat/GetChatTopicUserAgent": {"ChatTopicId": TOPIC, "Username": COLLEAGUE},
    "Agents/Chat/AddChatTopicUserAgent": {"ChatTopicId": TOPIC, "Useragent": ROLE},
    "Agents/Chat/UpdateChatTopicUserAgent": {"ChatTopicId": TOPIC, "Username": COLLEAGUE, "Useragent": ROLE},
    "Agents/Chat/UpdateChatTopicUserAgents": {"ChatTopicId": TOPIC, "Useragents": [ROLE]},
    "Agents/Chat/DeleteChatTopicUserAgent": {"ChatTopicId": TOPIC, "Username": COLLEAGUE},
    "Agents/Chat/CreateChatSessionForTopic": {"ChatTopicId": TOPIC},
    "ChatSession": {"ChatSessionId": 0, "TopicId": TOPIC, "Status": "InQueue"},
    "ChatSession/{id}": {"TopicId": TOPIC, "CustomerName": "Somebody"},
    "ChatSession/{chatSessionId}/Messages": {"Type": "ToUser", "Message": "Thanks."},
    "ChatTopic": {"Name": "Returns"},
    "ChatTopic/{id}": {"Name": "Returns", **HOURS},
    "ChatTopic/{chatTopicId}/UserAgent": [ROLE],
    "ChatTopic/{chatTopicId}/UserAgent/{username}": ROLE,
    "Presence/SaveAll": [{"UserId": 12, "Present": False}],
}
"""A body for each operation that wants one; `POST …/UserAgent` gets one role where `PUT` gets a list."""


@dataclass(frozen=True)
class Operation:
    """One verb at one path, as the document describes it."""

    verb: str
    path: str
    document: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.verb} {self.path}"

    @property
    def agents(self) -> bool:
        return self.path.startswith("Agents/")

    @property
    def queries(self) -> dict[str, bool]:
        """The names in the query, and whether they are required."""
        described = self.document.get("parameters", ())
        return {each["name"]: each.get("required", False) for each in described if each["in"] == "query"}

    @property
    def addressed(self) -> bool:
        """Whether it names a session or a topic."""
        named = {*self.queries, *(BODIES.get(self.path, ()) if self.agents else ())}
        return "{" in self.path or bool(named & set(IDS))

    @property
    def schema(self) -> Mapping[str, Any] | None:
        content: Mapping[str, Any] = self.document["responses"].get("200", {}).get("content", {})
        return content["application/json"]["schema"] if content else None

    def send(self, desk: TenantClient, *, entity: int | None = None, select: str | None = None) -> requests.Response:
        """Carry it out on the usual session and topic, or on those with the id ``entity``."""
        usual = WAITING if self.path.endswith("/Pickup") else OWN
        session, topic = (entity, entity) if entity else (usual, TOPIC)
        path = self.path.replace("{chatSessionId}", str(session)).replace("{chatTopicId}", str(topic))
        path = path.replace("{id}", str(session if path.startswith("ChatSession") else topic))
        path = path.replace("{toAssociate}", "12").replace("{username}", COLLEAGUE)
        values = {"chatSessionEntityId": session, "chatTopicEntityId": topic, "flat": "true"}
        query = {name: values[name] for name, required in self.queries.items() if required}
        if select:
            query["$select"] = select
        return desk.send(
            self.verb, path, by=7, params=query, json=self._body(entity), headers={"SO-TimeZone": "UTC,includeTZOffset"}
        )

    def _body(self, entity: int | None) -> Any:
        if "requestBody" not in self.document:
            return None
        body = BODIES[self.path]
        if self.verb == "POST" and isinstance(body, list) and self.path.endswith("/UserAgent"):
            (body,) = body
        if entity and self.agents:
            return {name: entity if name in IDS else value for name, value in body.items()}
        return body


def _operations() -> Iterator[Operation]:
    if not OPENAPI.exists():
        return
    for path, verbs in json.loads(OPENAPI.read_text())["paths"].items():
        for verb, document in verbs.items():
            yield Operation(verb.upper(), path.removeprefix(PREFIX), document)


OPERATIONS = list(_operations())
SELECTABLE = [each for each in OPERATIONS if "$select" in each.queries and "$filter" not in each.queries]
ADDRESSED = [each for each in OPERATIONS if each.addressed]

here = pytest.mark.skipif(not OPENAPI.exists(), reason="SuperOffice's OpenAPI document is not beside this repository")


@pytest.fixture(scope="module")
def components() -> Mapping[str, Any]:
    """Return the document's schemas, made strict: see `_close`."""
    document: dict[str, Any] = json.loads(OPENAPI.read_text())
    for schema in document["components"]["schemas"].values():
        _close(schema)
    components: dict[str, Any] = document["components"]
    return components


@here
class TestTheOfficialContract:
    def test_the_official_contract_has_55_paths(self) -> None:
        assert len({operation.path for operation in OPERATIONS}) == 55

    @pytest.mark.parametrize("operation", OPERATIONS, ids=str)
    def test_an_answer_is_one_of_the_documented_ones(
        self, desk: TenantClient, components: Mapping[str, Any], operation: Operation
    ) -> None:
        reply = operation.send(desk)
        assert (reply.status_code == 501) == (str(operation) in NOT_SERVED), reply.text
        assert str(reply.status_code) in operation.document["responses"], reply.text
        if (schema := operation.schema) is None:
            assert (reply.status_code, reply.content) == (204, b"")
            return
        assert reply.headers["content-type"] == "application/json; charset=utf-8"
        validator = jsonschema.Draft4Validator({**schema, "components": components})
        assert [error.message for error in validator.iter_errors(reply.json())] == []

    @pytest.mark.parametrize("operation", ADDRESSED, ids=str)
    def test_what_is_missing_is_null_for_an_agent_and_404_for_rest(
        self, desk: TenantClient, operation: Operation
    ) -> None:
        reply = operation.send(desk, entity=NOBODY)
        if not operation.agents:
            assert (reply.status_code, reply.json()["ErrorType"]) == (404, "SoNotFoundException")
        elif operation.schema is None:
            assert (reply.status_code, reply.content) == (204, b"")
        else:
            assert (reply.status_code, reply.json()) == (200, None)
        assert desk.ledger() == []

    @pytest.mark.parametrize("operation", SELECTABLE, ids=str)
    def test_select_nulls_the_rest(self, desk: TenantClient, operation: Operation) -> None:
        reply = operation.send(desk, select="chatsessionid,ChatTopicId,ToPiCiD")
        found = reply.json() if reply.content else None
        for item in found if isinstance(found, list) else [found]:
            kept = {name for name, value in item.items() if value is not None} if isinstance(item, dict) else set()
            assert kept <= {"ChatSessionId", "ChatTopicId", "TopicId", "_Links"}

    @pytest.mark.parametrize("operation", [each for each in OPERATIONS if not each.queries], ids=str)
    def test_select_means_nothing_where_it_is_not_documented(self, desk: TenantClient, operation: Operation) -> None:
        reply = operation.send(desk, select="ChatSessionId")
        if reply.content and isinstance(entity := reply.json(), dict):
            assert len([value for value in entity.values() if value is not None]) > 1

    @pytest.mark.parametrize("operation", OPERATIONS, ids=str)
    def test_nobody_is_let_in_without_a_credential(self, desk: TenantClient, operation: Operation) -> None:
        before = desk.state()
        assert desk.send(operation.verb, operation.path.replace("{", "1").replace("}", "")).status_code == 401
        assert desk.state() == before


class TestTheDocumentation:
    """The section "SuperOffice: paths" against the addresses that the sandbox lists."""

    def test_the_documentation_names_every_path_and_no_other(self, desk: TenantClient) -> None:
        text = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text()
        section = text.partition("### SuperOffice: paths\n")[2].partition("\n#")[0]
        told = set(re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) [A-Z][\w/{}]+)`", section))
        told |= {f"{verb} Agents/Chat/{name}" for name in re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
                 for verb in ("GET", "POST")}  # fmt: skip
        resources = ("Agents/Chat/", "ChatSession", "ChatTopic", "Presence/", "MDOList/")
        listed = requests.get(desk.api, auth=SUPERVISOR, timeout=10).json()
        served = {
            f"{verb} {address.removeprefix(desk.api + '/')}" for address, verbs in listed.items() for verb in verbs
        }
        assert told == {operation for operation in served if operation.partition(" ")[2].startswith(resources)}


def _close(schema: dict[str, Any]) -> None:
    """Make every documented member required, allow null for each, and no other: the document leaves both open.

    `object` without members is .NET's, that is anything.
    """
    if "properties" not in schema:
        return
    schema["required"] = list(schema["properties"])
    schema["additionalProperties"] = False
    schema["properties"] = {
        name: {"anyOf": [{"type": "null"}, _anything(member)]} for name, member in schema["properties"].items()
    }


def _anything(schema: Any) -> Any:
    if schema == {"type": "object"}:
        return {}
    if isinstance(schema, dict):
        return {name: _anything(value) for name, value in schema.items()}
    return schema
