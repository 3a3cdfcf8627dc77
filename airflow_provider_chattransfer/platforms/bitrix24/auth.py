# SPDX-License-Identifier: Apache-2.0
"""Signing in to a Bitrix24 portal by an incoming webhook."""

from __future__ import annotations

from dataclasses import dataclass, field

BATCH_REFERENCES = ("$result", "$next", "$total", "$time", "$error")
"""What ``batch`` replaces by the results of earlier commands; it cannot be escaped."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """An incoming webhook: the rights of the user who created it.

    Raises ``ValueError`` for fields that cannot be right. It shows none of them: the code may be in any.

    ``portal`` is the base URL, ``code`` the secret part of the webhook's address. ``bot_client_id`` is the
    CLIENT_ID or botToken with which the bot was registered: servers since 26.250 refuse a transfer by a webhook
    without it (``imopenlines.bot.session.transfer``).
    """

    portal: str
    user_id: str
    code: str = field(repr=False)
    bot_client_id: str = field(repr=False)

    def __post_init__(self) -> None:
        if not (self.user_id.isascii() and self.user_id.isdigit() and int(self.user_id)):
            raise ValueError("login: the webhook's user id is missing, or is not a positive whole number")
        if not self.code or not self.code.isalnum():
            raise ValueError("password: the webhook's code is missing, or is not letters and digits only")
        if not self.bot_client_id:
            raise ValueError(
                "bot_client_id: missing; a webhook can transfer chats only for a registered bot. Put the CLIENT_ID of "
                "imbot.register, or the botToken of imbot.v2.Bot.register, into the connection"
            )
        if any(mark in self.bot_client_id for mark in BATCH_REFERENCES):
            raise ValueError(f"bot_client_id: must contain none of {', '.join(BATCH_REFERENCES)}")

    def url(self, method: str) -> str:
        """The address of a REST method; it contains the secret."""
        return f"{self.portal}/rest/{self.user_id}/{self.code}/{method}"
