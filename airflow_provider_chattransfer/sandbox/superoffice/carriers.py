# SPDX-License-Identifier: Apache-2.0
"""The JSON carriers: PascalCase, every member present, as the official OpenAPI document lists them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from .dates import Dates
from .model import (
    Associate,
    AssociateType,
    Centre,
    ChatSession,
    Customer,
    Message,
    MessageType,
    Role,
    SpecialType,
    Topic,
)

COUNTRY = 578
"""Norway, as SuperOffice numbers countries."""

USER_GROUP = 2
SYSTEM_GROUP = 1

_RIGHTS: dict[str, Any] = {"TableRight": {"Mask": "FULL", "Reason": ""}, "FieldProperties": {}}
"""Everybody may do everything with an entity."""

_SESSION: dict[str, Any] = {
    "ChatSessionId": 0, "TopicId": 0, "User": None, "Person": None, "CustomerAlias": "", "CustomerHost": "",
    "CustomerName": "", "CustomerEmail": "", "CustomerPhone": "", "CustomerConsented": False,
    "CustomerCompanyName": "", "Status": "Invalid", "FirstMessage": "", "LastMessage": "", "WhenRequested": "",
    "WhenStarted": "", "WhenEnded": "", "WhenIdle": "", "WhenFetched": "", "SessionKey": "", "InitialQueuePos": 0,
    "AlertLevel": 0, "Rank": 0, "Flags": "CustomerIsTyping", "Contact": None, "Project": None, "Sale": None,
    "Ticket": None, "TransferTo": None, "ChatbotIsActive": False, "Rating": 0, **_RIGHTS,
}  # fmt: skip

_PERSON: dict[str, Any] = {
    "Position": "", "PersonId": 0, "Mrmrs": "", "Firstname": "", "Lastname": "", "MiddleName": "", "Title": "",
    "Description": "", "Email": "", "FullName": "", "DirectPhone": "", "FormalName": "", "CountryId": COUNTRY,
    "ContactId": 0, "ContactName": "", "Retired": 0, "Rank": 1, "ActiveInterests": 0, "ContactDepartment": "",
    "ContactCountryId": COUNTRY, "ContactOrgNr": "", "FaxPhone": "", "MobilePhone": "", "ContactPhone": "",
    "AssociateName": "", "AssociateId": 0, "UsePersonAddress": False, "ContactFax": "", "Kanafname": "",
    "Kanalname": "", "Post1": "", "Post2": "", "Post3": "", "EmailName": "", "ContactFullName": "",
    "ActiveErpLinks": 0, "TicketPriorityId": 0, "SupportLanguageId": 0, "SupportAssociateId": 0, "CategoryName": "",
    "PersonNumber": "", **_RIGHTS,
}  # fmt: skip

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

OPENING_HOURS: dict[str, Any] = {
    "TzLocation": None,
    **{f"{day}{member}": value for day in _DAYS for member, value in (("Enabled", False), ("Start", ""), ("Stop", ""))},
    "UseLunchHours": False, "LunchStart": "", "LunchStop": "",
}  # fmt: skip
"""`ChatOpeningHours` of a topic that is never open."""

_TOPIC: dict[str, Any] = {
    "ChatTopicId": 0, "Name": "", "Description": "", "WelcomeMessage": "Welcome!", "Language": None,
    "LastAccept": None, "SecondsPrAccept": 60, "AlertRecipient": "", "AlertTemplate": None, "CollectConsent": False,
    "BadgeHeader": "", "CustomQueueTextEnabled": False, "CustomQueueText": "", "WarnNewChatMinutes": 2,
    "WarnManagerNewChatMinutes": 5, "TicketEnabled": False, "TicketCategory": None, "TicketPriority": None,
    "OpeningHoursEnabled": False, "OpeningHours": None, "Widget": None, "BotEnabled": False, "BotSettings": None,
    "OfflineCollectConsent": False, "WarnChatMessageMinutes": 2, "WarnManagerChatMessageMinutes": 5,
    "UseQueueOfflineForm": False, "OfflineFormTimeLimit": 0, "OfflineFormQueueLength": 0, "WidgetEnableRating": False,
    "WidgetRatingText": "", **_RIGHTS,
}  # fmt: skip


class Carriers:
    """Writes the tenant's objects for one caller."""

    def __init__(self, centre: Centre, dates: Dates) -> None:
        self._centre = centre
        self._dates = dates
        self._associates: dict[int, dict[str, Any]] = {}

    def session(self, session: ChatSession) -> dict[str, Any]:
        """`ChatSessionEntity`, with all that a customer told about himself and the session's key."""
        customer, date = session.customer, self._dates.entity
        return {
            **_SESSION,
            "ChatSessionId": session.id,
            "TopicId": session.topic,
            "User": self._associate_of(session.user),
            "Person": person(customer) if customer.known else None,
            "CustomerAlias": customer.first_name,
            "CustomerHost": customer.host,
            "CustomerName": customer.full_name,
            "CustomerEmail": customer.email,
            "CustomerPhone": customer.phone,
            "CustomerConsented": True,
            "CustomerCompanyName": customer.company,
            "Status": session.status.name,
            "FirstMessage": session.first_message,
            "LastMessage": session.last_message,
            "WhenRequested": date(session.requested),
            "WhenStarted": date(session.started),
            "WhenEnded": date(session.ended),
            "WhenIdle": date(session.idle),
            "WhenFetched": date(session.idle),
            "SessionKey": session.key,
            "InitialQueuePos": session.queue_position,
            "Rank": session.rank,
            "TransferTo": self._associate_of(session.transfer_to),
            "ChatbotIsActive": session.chatbot,
            "Rating": session.rating,
            **session.stored,
        }

    def blank_session(self) -> dict[str, Any]:
        """`ChatSessionEntity` with the default value of every member's type.

        What CreateDefault fills in beyond that is not documented.
        """
        none = self._dates.entity(None)
        return {**_SESSION, **{name: none for name in _SESSION if name.startswith("When")}}

    def associate(self, associate: Associate) -> dict[str, Any]:
        """`Associate`."""
        return {
            "AssociateId": associate.id,
            "Name": associate.login,
            "PersonId": associate.person_id,
            "Rank": associate.id,
            "Tooltip": associate.full_name,
            "Type": associate.type.value,
            "GroupIdx": group_of(associate),
            "FullName": associate.full_name,
            "FormalName": associate.full_name,
            "Deleted": associate.deleted,
            "EjUserId": associate.ejuser_id,
            "UserName": associate.user_name,
            "ExtraFields": {},
            "CustomFields": {},
            **_RIGHTS,
        }

    def topic(self, topic: Topic) -> dict[str, Any]:
        """`ChatTopicEntity`."""
        return {**self.blank_topic(), **topic.stored, "ChatTopicId": topic.id, "Name": topic.name}

    def blank_topic(self) -> dict[str, Any]:
        """`ChatTopicEntity` as CreateDefault gives it; the values are not documented."""
        return {**_TOPIC, "LastAccept": self._dates.entity(None)}

    def topic_agents(self, topic: Topic) -> list[dict[str, Any]]:
        """`ChatTopicAgent` of everybody with a role in ``topic``."""
        return [self.topic_agent(topic, self._centre.associates[number]) for number in sorted(topic.people)]

    def topic_agent(self, topic: Topic, associate: Associate) -> dict[str, Any]:
        """`ChatTopicAgent`: the roles of ``associate`` in ``topic``."""
        own = topic.roles.get(associate.id, frozenset())
        return {
            "TopicId": topic.id,
            "User": self.associate(associate),
            **{role.value: role in own for role in (Role.LISTEN, Role.RESPOND, Role.MANAGE, Role.NOTIFY)},
        }

    def message(self, session: ChatSession, message: Message) -> dict[str, Any]:
        """`ChatMessage`."""
        return {
            "ChatMessageId": message.id,
            "ChatSessionId": session.id,
            "Type": message.type.value,
            "Message": message.text,
            "Author": message.author,
            "ReadByCustomer": 0 if message.special is not SpecialType.NONE else 1,
            "SpecialType": message.special.value,
            "SpecialParam": message.param,
            "WhenPosted": self._dates.posted(message.posted),
        }

    def presence(self, *, by_associate: bool) -> list[dict[str, Any]]:
        """`ChatPresence` of all chat users; `UserId` is the ejuser id unless ``by_associate``."""
        ongoing = Counter(session.user for session in self._centre.sessions.values() if session.status.active)
        return [
            {
                "UserId": associate.id if by_associate else associate.ejuser_id,
                "DisplayName": associate.full_name,
                "OngoingChats": ongoing[associate.id],
                "Present": associate.id in self._centre.present,
                "ChatTopics": [topic.id for topic in self._centre.topics_of(associate)],
                **_RIGHTS,
            }
            for associate in self._centre.chat_users()
        ]

    def _associate_of(self, associate_id: int | None) -> dict[str, Any] | None:
        if associate_id is None:
            return None
        if associate_id not in self._associates:
            self._associates[associate_id] = self.associate(self._centre.associates[associate_id])
        return self._associates[associate_id]


BLANK_TOPIC_AGENT: dict[str, Any] = {"TopicId": 0, "User": None, **{role.value: False for role in Role}}
"""`ChatTopicAgent` as CreateDefault gives it."""

BLANK_MESSAGE: dict[str, Any] = {
    "ChatMessageId": 0, "ChatSessionId": 0, "Type": MessageType.INVALID.value, "Message": "", "Author": "",
    "ReadByCustomer": 0, "SpecialType": SpecialType.NONE.value, "SpecialParam": "", "WhenPosted": "",
}  # fmt: skip
"""`ChatMessage` of which nothing is known."""


def with_links(entity: dict[str, Any], *, base: str, resource: str, entity_id: int) -> dict[str, Any]:
    """Return the carrier `…WithLinks` of the REST resources.

    Captured links name the port, also the usual one, and end in a slash.
    """
    scheme, _, address = base.partition("://")
    host, _, path = address.partition("/")
    usual = "" if ":" in host.rpartition("]")[2] else ":443" if scheme == "https" else ":80"
    archive = f"{scheme}://{host}{usual}/{path}/v1/{resource}/"
    return {**entity, "_Links": {"Self": f"{archive}{entity_id}/", "Archive": archive}}


def person(customer: Customer) -> dict[str, Any]:
    """`Person`."""
    return {
        **_PERSON,
        "PersonId": customer.id,
        "Firstname": customer.first_name,
        "Lastname": customer.last_name,
        "Email": customer.email,
        "FullName": customer.full_name,
        "FormalName": customer.full_name,
        "DirectPhone": customer.phone,
        "ContactName": customer.company,
        "ContactFullName": customer.company,
        "EmailName": customer.full_name,
    }


def principal(associate: Associate, *, tenant: str) -> dict[str, Any]:
    """`SoPrincipalCarrier`: who the caller is."""
    system = associate.type is AssociateType.SYSTEM
    return {
        "UserType": associate.type.value,
        "Associate": associate.login,
        "AssociateId": associate.id,
        "IsPersonContact": False,
        "PersonId": associate.person_id,
        "GroupId": group_of(associate),
        "SecondaryGroups": [],
        "CountryId": COUNTRY,
        "HomeCountryId": COUNTRY,
        "ContactId": 1,
        "ContactOwner": 0,
        "RoleId": 1,
        "RoleName": "System" if system else "User level 0",
        "RoleType": "System" if system else "Employee",
        "Licenses": [],
        "FullName": associate.full_name,
        "EMailAddress": associate.user_name,
        "FunctionRights": [],
        "EjUserId": associate.ejuser_id,
        "EjAccessLevel": 1,
        "EjUserStatus": "StatusNormal",
        "ProvidedCredentials": [],
        "DatabaseContextIdentifier": tenant,
        "UserName": associate.user_name,
        **_RIGHTS,
    }


def selected(value: Any, properties: Iterable[str]) -> Any:
    """``value`` with everything nulled that `$select` does not name; a name may go deeper (`User/AssociateId`)."""
    wanted: dict[str, list[str]] = {}
    for name in properties:
        head, _, rest = name.strip().casefold().partition("/")
        wanted.setdefault(head, []).append(rest)
    return _pruned(value, wanted)


def _pruned(value: Any, wanted: dict[str, list[str]]) -> Any:
    if isinstance(value, list):
        return [_pruned(item, wanted) for item in value]
    if not isinstance(value, dict):
        return value
    pruned: dict[str, Any] = dict.fromkeys(value)
    for name, inner in value.items():
        if (deeper := wanted.get(name.casefold())) is not None:
            pruned[name] = inner if "" in deeper else selected(inner, deeper)
    return pruned


def group_of(associate: Associate) -> int:
    """Return the user group that ``associate`` belongs to."""
    return SYSTEM_GROUP if associate.type is AssociateType.SYSTEM else USER_GROUP
