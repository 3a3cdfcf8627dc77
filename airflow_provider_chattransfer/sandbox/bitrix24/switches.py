# SPDX-License-Identifier: Apache-2.0
"""The questions on which the sources about Bitrix24 disagree or are silent, each with its default answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Self

from ..validation import number, shown


class AcceptMode(StrEnum):
    """What a transfer to a user does: ``auto`` as on servers since 2025, ``pending`` as on those of 2019-20."""

    AUTO = "auto"
    PENDING = "pending"


class StatusSource(StrEnum):
    """Whose HTTP statuses system errors have: the server source's, or the documentation's until August 2026."""

    SOURCE = "source"
    DOCS = "docs"


class PortalState(StrEnum):
    """Whether an administrator, the plan or Bitrix24 itself has closed the REST API.

    The last six states close it to applications only; webhooks work as before.
    """

    OPEN = "open"
    DELETED = "deleted"
    OVERLOAD = "overload"
    NO_REST_PLAN = "no_rest_plan"
    APP_NOT_INSTALLED = "app_not_installed"
    APP_INACTIVE = "app_inactive"
    APP_FORBIDDEN = "app_forbidden"
    APP_UNPAID = "app_unpaid"
    CONFIRM_WAITING = "confirm_waiting"
    CONFIRM_DENIED = "confirm_denied"


class DestinationPrecedence(StrEnum):
    """Which destination wins: with ``source`` TRANSFER_ID overwrites, with ``docs`` it comes after USER and QUEUE."""

    SOURCE = "source"
    DOCS = "docs"


class BatchBilling(StrEnum):
    """The operating-time counter to which a command of a batch is billed.

    It is that of its own method (documentation), one apart from plain calls (server source, webhooks), or that of
    ``batch`` itself (measured on newer portals).
    """

    METHOD = "method"
    APART = "apart"
    BATCH = "batch"


class MissingScope(StrEnum):
    """How a method outside the granted scopes is refused: 401 insufficient_scope, or 404 as if unknown."""

    INSUFFICIENT = "insufficient_scope"
    NOT_FOUND = "not_found"


class SessionStatKey(StrEnum):
    """The key of the answer of ``imopenlines.v2.Session.Stat.get``, by its own page or by the page of data types."""

    SESSIONS = "sessions"
    STATS = "stats"


class WrongTarget(StrEnum):
    """The error code of a transfer that is not performed: today's, or that of the oldest documentation."""

    OPERATOR_WRONG = "OPERATOR_WRONG"
    WRONG_CHAT = "WRONG_CHAT"


class BotTransferMode(StrEnum):
    """The ``mode`` of a bot's transfer in the transfer log."""

    BOT = "BOT"
    MANUAL = "MANUAL"
    AUTO = "AUTO"


class BotCodes(StrEnum):
    """The error codes of ``imbot.v2.Bot.register`` and its kin: their own, or those of ``imbot.register``."""

    V2 = "v2"
    OLD = "old"


class AnswerOwned(StrEnum):
    """What ``imopenlines.operator.answer`` does to a chat that someone else owns."""

    TAKES_OVER = "takes_over"
    REFUSED = "refused"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Switches:
    """How this portal behaves where portals differ."""

    accept_mode: AcceptMode = AcceptMode.AUTO
    """Whether a transfer to a user makes them the owner at once, or offers them the chat."""
    precedence: DestinationPrecedence = DestinationPrecedence.SOURCE
    """Which of several destinations of one transfer wins."""
    wrong_target: WrongTarget = WrongTarget.OPERATOR_WRONG
    """The code of a transfer that is not performed."""
    client_id_required: bool = True
    """True: webhooks must name their bot by CLIENT_ID (server from 26.250). False: CLIENT_ID is ignored."""
    refused_transfer_reopens: bool = True
    """Whether a transfer that is refused because of its target reopens a closed chat nevertheless.

    The server loads, and so creates, the session before it looks at the target.
    """
    lock_seconds: float = 0.0
    """How long a transferred chat stays locked for other requests.

    The lock normally ends with its request; a request that was killed leaves it behind for up to 60 seconds.
    """
    statuses: StatusSource = StatusSource.SOURCE
    """Whose HTTP statuses system errors have.

    With ``docs`` a batch that is too long or holds a forbidden method is refused as a whole, since ``result_error`` has
    no statuses.
    """
    portal_state: PortalState = PortalState.OPEN
    """Whether, and how, the REST API of the portal is closed, to all callers or to applications."""
    moved_to: str = ""
    """The host name that the portal was renamed to: ``/rest/`` at other host names answers 302 to it."""
    request_seconds: float = 60.0
    """The operating time after which the cloud cuts off a request; 0 for never.

    The answer is a gateway's 504, and commands of a batch that would have begun later do not run.
    """
    missing_scope: MissingScope = MissingScope.INSUFFICIENT
    """How a call outside the granted scopes is refused."""
    https_required: bool = False
    """True: plain http is refused with INVALID_REQUEST, as a cloud portal does."""
    refused_requests_count: bool = False
    """Whether a request refused with QUERY_LIMIT_EXCEEDED fills the bucket nevertheless; not documented."""
    whole_seconds: bool = True
    """Whether ``time.start`` and ``time.processing`` are whole numbers, as since rest 25.700.

    Older servers and the documentation's examples have floats.
    """
    operating_in_time: bool = True
    """Whether ``time`` has ``operating`` and ``operating_reset_at``; self-hosted portals may omit them."""
    batch_billing: BatchBilling = BatchBilling.METHOD
    """The operating-time counter to which a command of a batch is billed."""
    v2_methods: bool = True
    """Whether ``imopenlines.v2.*`` exists (announced on 31 August 2026); False answers 404."""
    plan_has_reports: bool = True
    """Whether the plan has Open Channels reports; False answers TARIFF_RESTRICTION."""
    reports_denied: bool = False
    """What a user without rights to reports gets: False their own rows only, True 400 ACCESS_DENIED."""
    reports_lag: float = 0.0
    """By how many seconds ``imopenlines.v2.*`` lags behind; nothing is documented."""
    new_session_has_operator: bool = True
    """Whether ``imopenlines.v2.Session.list`` names the operator of a session that waits for their answer."""
    new_until_written: bool = False
    """Whether a session that its operator has accepted is ``new`` until they have written.

    No document maps the numbers of a status to the words of ``imopenlines.v2.Session.list``.
    """
    lists_take_strings: bool = True
    """Whether the ``int[]`` filters of ``imopenlines.v2.*`` take digits in JSON strings; False answers INVALID_FILTER.

    In a batch and in a form everything is a string.
    """
    bot_transfer_mode: BotTransferMode = BotTransferMode.BOT
    """The ``mode`` of a bot's transfer in ``imopenlines.v2.Session.Transfer.list``."""
    bot_list: bool = True
    """Whether ``imbot.v2.Bot.list`` exists; False answers 404."""
    bot_codes: BotCodes = BotCodes.V2
    """The error codes of the methods ``imbot.v2.Bot.*``."""
    answer_owned: AnswerOwned = AnswerOwned.TAKES_OVER
    """What ``imopenlines.operator.answer`` does to a chat that someone else owns."""
    plan_has_vote_head: bool = True
    """Whether the plan has ratings by supervisors; False shows ``voteHead`` and ``commentHead`` as null."""
    session_stat_key: SessionStatKey = SessionStatKey.SESSIONS
    """The key of the answer of ``imopenlines.v2.Session.Stat.get``."""
    error_100_as_number: bool = False
    """Whether the code ``100`` of a missing or wrong ``sessionId`` is a number instead of a string."""
    access_token_seconds: float = 3600.0
    """The lifetime of an OAuth access token."""

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the switches of a scenario; raise ``ValueError`` for unknown names and values of the wrong kind."""
        defaults = {field.name: field.default for field in fields(cls)}
        if unknown := set(value) - set(defaults):
            raise ValueError(f"unknown switches: {sorted(unknown)}")
        return cls(**{name: _like(defaults[name], given, name) for name, given in value.items()})


def _like(default: Any, given: Any, name: str) -> Any:
    kind = type(default)
    if isinstance(given, bool) != (kind is bool):
        raise ValueError(f"switch {name!r} must be a {kind.__name__}, got {shown(given)}")
    return number(given, f"switch {name!r}") if kind is float else kind(given)
