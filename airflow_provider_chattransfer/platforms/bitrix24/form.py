# SPDX-License-Identifier: Apache-2.0
"""The form of a ``bitrix24`` connection."""

from __future__ import annotations

from ...connection_forms import (
    PORT,
    TOKEN_STORE,
    ConnectionForm,
    Field,
    Kind,
    Letters,
    Masking,
    Section,
    StandardField,
    network_section,
)
from .webhook_address import codes_in

FORM = ConnectionForm(
    connection_type="bitrix24",
    name="Bitrix24",
    standard=(
        StandardField("host", "Portal", "example.bitrix24.com"),
        PORT,
        StandardField("login", "Webhook: user id", "1, from https://example.bitrix24.com/rest/1/code/"),
        StandardField("password", "Webhook: code", "code, from the same address"),
    ),
    sections=(
        Section(
            "Inbound webhook",
            (
                Field(
                    "bot_client_id",
                    "Webhook: client id of the bot",
                    "Together with the webhook's user id and code above. The webhook is made in Bitrix24 under "
                    "Developer resources, Common use cases, Other, Inbound webhook, with the rights imopenlines, "
                    "imbot, im and crm. The client id is a secret word of your own, under which the command "
                    "register-bot registers the bot that moves chats.",
                    Kind.SECRET,
                    masking=Masking.IN_TASKS,
                ),
            ),
        ),
        Section(
            "Or: OAuth application",
            (
                Field(
                    "oauth_client_id",
                    "OAuth: application ID",
                    "Instead of a webhook. Bitrix24, Developer resources, Common use cases, Other, Local application: "
                    "Application ID (client_id), for instance local.65f1a2b3c4d5e6.12345678.",
                    letters=Letters.ASCII,
                ),
                Field(
                    "oauth_client_secret",
                    "OAuth: application key",
                    "From the same page: Application key (client_secret).",
                    Kind.SECRET,
                    letters=Letters.ASCII,
                ),
                Field(
                    "oauth_refresh_token",
                    "OAuth: refresh token",
                    "The refresh_token that the application got when it was installed. It is the first one: those "
                    "that replace it are kept in the token store.",
                    Kind.SECRET,
                    letters=Letters.ASCII,
                ),
                Field(
                    "oauth_host",
                    "OAuth: authorisation server",
                    "Default: oauth.bitrix.info. oauth.bitrix24.tech for portals of the regions ru, by, kz, uz, am, "
                    "az, ge and kg.",
                ),
            ),
        ),
        TOKEN_STORE,
        network_section(requests_per_second="2 (Enterprise: 5)", burst="50 (Enterprise: 250)", timeout="75"),
    ),
    secrets_in=codes_in,
)
