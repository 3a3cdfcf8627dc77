# SPDX-License-Identifier: Apache-2.0
"""What other runs have noted of a chat: that somebody is at it, never that it was moved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from .model import Chat, Outcome, Result, RetryAction


class Stage(StrEnum):
    """How far a run is with a chat that it has claimed."""

    AT_IT = "at it"
    """It sends the chat, or reads it back."""
    UNKNOWN = "unknown"
    """It does nothing more about it, or is gone; what it has sent may be carried out yet."""
    MOVED = "moved"
    """It has read back that it moved the chat."""
    LEFT = "left"
    """It has surely not moved the chat."""


@dataclass(frozen=True, slots=True)
class Claim:
    """That another run was about to send a chat in the state ``chat``, ``age`` seconds ago.

    ``recent``: that run has told of it since ours began, and since we last were about to send the chat ourselves.
    """

    chat: Chat
    stage: Stage
    age: float
    recent: bool = True

    def acts(self, longest_request: float) -> bool:
        """Whether that run may still move the chat; a request takes effect within ``longest_request`` seconds."""
        return self.stage is Stage.AT_IT or (self.stage is Stage.UNKNOWN and self.age < longest_request)

    def shows_moved(self, chat: Chat) -> bool:
        """Whether ``chat`` is not where that run found it.

        A service that does not show whom it has asked shows no difference either. What was read back of the chat at
        the time has to do there.
        """
        unseen = self.stage is Stage.MOVED and chat.owner is None and not chat.shows_offers
        return unseen or not chat.is_where(self.chat)


def stages(results: Iterable[Result], unmoved: Iterable[str]) -> Mapping[str, Stage]:
    """By chat id what a run has come to: its ``results``, and the chats whose sending surely did nothing."""
    return {**dict.fromkeys(unmoved, Stage.LEFT), **{each.transfer.chat_id: _stage(each) for each in results}}


def _stage(result: Result) -> Stage:
    match result.outcome, result.retry:
        case (Outcome.ACCEPTED | Outcome.REQUESTED, _) | (Outcome.FAILED, RetryAction.NONE):
            return Stage.MOVED
        case Outcome.FAILED, RetryAction.READ_FIRST:
            return Stage.UNKNOWN
    return Stage.LEFT
