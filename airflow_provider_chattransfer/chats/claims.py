# SPDX-License-Identifier: Apache-2.0
"""What other runs have noted about a chat: that they are sending it, never that it was moved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from .model import Chat, Outcome, Result, RetryAction


class Stage(StrEnum):
    """How far a run is with a chat that it has claimed."""

    IN_PROGRESS = "at it"
    """The run is sending the chat, or reading it back."""
    UNKNOWN = "unknown"
    """The run has given the chat up, or was killed; what it has sent may still be carried out."""
    MOVED = "moved"
    """The run has read back that it moved the chat."""
    NOT_MOVED = "left"
    """The run has certainly not moved the chat."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The note of another run that was about to send a chat in the state ``chat``, ``age`` seconds ago.

    ``recent``: that run has written it since ours began, and since ours was last about to send the chat.
    """

    chat: Chat
    stage: Stage
    age: float
    recent: bool = True

    def may_still_act(self, max_request_seconds: float) -> bool:
        """Tell whether that run may still move the chat: a request takes effect within ``max_request_seconds``."""
        return self.stage is Stage.IN_PROGRESS or (self.stage is Stage.UNKNOWN and self.age < max_request_seconds)

    def shows_moved(self, chat: Chat) -> bool:
        """Tell whether ``chat`` is no longer where that run found it.

        A service that does not show to whom a chat is offered shows no difference either. There, what that run read
        back at the time decides.
        """
        unseen = self.stage is Stage.MOVED and chat.owner is None and not chat.shows_offers
        return unseen or not chat.is_where(self.chat)


def stages(results: Iterable[Result], unmoved: Iterable[str]) -> Mapping[str, Stage]:
    """Return by chat id what a run has come to: its ``results``, and the chats that it certainly did not move."""
    return {**dict.fromkeys(unmoved, Stage.NOT_MOVED), **{each.transfer.chat_id: _stage(each) for each in results}}


def _stage(result: Result) -> Stage:
    match result.outcome, result.retry:
        case (Outcome.ACCEPTED | Outcome.REQUESTED, _) | (Outcome.FAILED, RetryAction.NONE):
            return Stage.MOVED
        case Outcome.FAILED, RetryAction.READ_FIRST:
            return Stage.UNKNOWN
    return Stage.NOT_MOVED
