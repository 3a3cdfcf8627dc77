# SPDX-License-Identifier: Apache-2.0
"""Where SuperOffice's documents are silent or disagree: one named switch each, with its default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

from ..validation import MAX_NUMBER, shown


@dataclass(frozen=True, slots=True)
class Switches:
    """How this tenant behaves where no document tells."""

    manager_may_transfer: bool = False
    """The method's text lets only the owner transfer; the user guide lets a topic's managers do it too."""

    unknown_target: Literal["noop", "error"] = "noop"
    """A transfer to nobody, to a deleted associate or to one without chat: nothing happens, or an error."""

    error_status: Literal[200, 400, 500] = 400
    """The HTTP status of `SoInvalidArgumentException` and `SoIllegalOperationException` where a switch asks for one.
    The Agents page speaks of "200 OK with an internal error object"."""

    agent_errors: Literal["object", "exception_info", "null"] = "object"
    """How an agent (`Agents/…`) reports an exception: by the error object of the REST API, by the `SoExceptionInfo` of
    SOAP and the JavaScript client, or by 200 and `null` ("a failed call will return NULL")."""

    third_party_accept: Literal["noop", "assign"] = "noop"
    """Accepted by somebody who was not asked: nothing, or (the literal reading) assigned to the caller."""

    sender_may_reject: bool = False
    """Whether the owner can withdraw their transfer with RejectChatSessionTransfer; no cancel is documented."""

    overwrite_pending: bool = True
    """Whether a new transfer replaces one that is pending; otherwise nothing happens."""

    transfer_to_ended: Literal["noop", "apply", "error"] = "noop"
    """The transfer of a session that has ended."""

    away_target: Literal["apply", "noop"] = "apply"
    """A transfer to an agent who is not present. The user interface does not offer them."""

    non_member_target: Literal["apply", "noop"] = "apply"
    """A transfer to an agent who has no role in the session's topic."""

    target_name: Literal["name", "user_name", "both"] = "name"
    """What "associate username" means beside the id: `Associate.Name` (the login name) or `Associate.UserName`."""

    reset_by: Literal["anyone", "owner"] = "anyone"
    """Who can put a session back on the queue."""

    presence_user_id: Literal["ejuser", "associate"] = "ejuser"
    """Which id `ChatPresence.UserId` holds."""

    archive_rows: Literal["all", "own_topics"] = "all"
    """Which sessions an archive shows: it "applies sentry rules", but not which. A system user sees all."""

    installation: Literal["any", "online", "onsite"] = "any"
    """Which credentials are accepted. Online there is no `Basic`; on-site no `Bearer` and no sign-in host, and a
    ticket needs no `SO-AppToken`."""

    timestamp_window: float = 300.0
    """Seconds by which the time of a signed system token may be off; not documented."""

    expired_token_status: Literal[401, 403] = 401
    """How an expired access token is answered; the best-practices page says 403."""

    token_lifetime: float = 3600.0
    """Seconds that an access token from the token endpoint lives."""

    rate_status: Literal[429, 503] = 429
    """How a call above the scenario's `rate` is answered."""

    retry_after: bool = False
    """Whether that answer carries `Retry-After`."""

    binder_error_status: Literal[400, 200] = 400
    """The HTTP status of an Agents call whose parameters cannot be bound; its page speaks of 200."""

    lenient_types: bool = False
    """Whether `"157"` passes for an int32 and `21` for a string in a body, as Json.NET would convert them."""

    special_messages: bool = True
    """Whether an acceptance, a rejection and the like leave a special message in the session, as the names of
    `ChatMessageSpecialType` suggest; no document says so."""

    row_count: Literal["asked", "always"] = "asked"
    """Whether a list with a header counts its rows without `rowcount=true` in its `Options`; the reference pages only
    speak of an "optional row count" that this option has calculated."""

    next_link_with_top: bool = True
    """Whether a list that was cut off by `$top` has an `odata.nextLink`."""

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Switches:
        """Return the switches of a scenario; raises `ValueError` for an unknown name or value."""
        hints = get_type_hints(cls)
        if unknown := set(value) - set(hints):
            raise ValueError(f"unknown switches: {sorted(unknown)}")
        return cls(**{name: _checked(name, setting, hints[name]) for name, setting in value.items()})


def _checked(name: str, setting: Any, hint: Any) -> Any:
    if hint is bool:
        valid = isinstance(setting, bool)
    elif hint is float:
        valid = isinstance(setting, (int, float)) and not isinstance(setting, bool) and 0 < setting <= MAX_NUMBER
    else:
        valid = not isinstance(setting, bool) and setting in get_args(hint)
    if not valid:
        expected = "true or false" if hint is bool else "a positive number" if hint is float else str(get_args(hint))
        raise ValueError(f"switch {name!r} must be {expected}, got {shown(setting)}")
    return setting
