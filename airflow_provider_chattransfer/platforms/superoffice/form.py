# SPDX-License-Identifier: Apache-2.0
"""The form of a ``superoffice`` connection."""

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

FORM = ConnectionForm(
    connection_type="superoffice",
    name="SuperOffice",
    standard=(
        StandardField("host", "Address", "on-site: crm.example.com/SuperOffice; online: online.superoffice.com"),
        PORT,
        StandardField("login", "On-site: user"),
        StandardField("password", "On-site: password"),
    ),
    sections=(
        Section(
            "Online: application and refresh token",
            (
                Field(
                    "tenant",
                    "Online: tenant",
                    "The customer id in the address of the browser, Cust12345. The address above is then "
                    "online.superoffice.com, qaonline.superoffice.com (stage) or sod.superoffice.com (development). "
                    "On-site installations have none.",
                    letters=Letters.TRIMMED,
                ),
                Field(
                    "client_id",
                    "Online: client id",
                    "SuperOffice Developer Portal, the application's page. For a refresh token.",
                    letters=Letters.ASCII,
                ),
                Field(
                    "client_secret",
                    "Online: client secret",
                    "From the same page. For a refresh token, a ticket or a system user.",
                    Kind.SECRET,
                    letters=Letters.ASCII,
                ),
                Field(
                    "refresh_token",
                    "Online: refresh token",
                    "To act as the user who signed in: the refresh_token that the application got then. Needs the "
                    "three fields above.",
                    Kind.SECRET,
                    letters=Letters.ASCII,
                ),
            ),
        ),
        Section(
            "Or: ticket, or access token",
            (
                Field(
                    "ticket",
                    "Ticket",
                    "7T:…, used as it is; it ends six hours after its last use. On-site it takes the place of user "
                    "and password. Online it needs tenant and client secret, and no refresh token.",
                    Kind.SECRET,
                    letters=Letters.ASCII,
                ),
                Field(
                    "access_token",
                    "Online: access token",
                    "8A:Cust12345.…, used as it is and not renewed: for a try, it ends within the hour. Needs the "
                    "tenant, and no refresh token.",
                    Kind.SECRET,
                    letters=Letters.ASCII,
                ),
            ),
        ),
        Section(
            "Or: system user",
            (
                Field(
                    "system_user_token",
                    "System user: token",
                    "What the application got when the tenant's administrator approved it, for instance "
                    "My App-8k8Q7DmBgo. Needs tenant and client secret, and no refresh token. It finds chats and "
                    "waits; it moves them only as the agents.",
                    Kind.SECRET,
                    letters=Letters.INNER_SPACES,
                ),
                Field(
                    "private_key",
                    "System user: private key",
                    "The application's RSA key: PEM, also on one line, or the <RSAKeyValue> of .NET; not encrypted.",
                    Kind.SECRET,
                    letters=Letters.ANY,
                    masking=Masking.LINES,
                ),
            ),
        ),
        Section(
            "Acting as the agents",
            (
                Field(
                    "agent_conn_id",
                    "Connections of the agents",
                    "SuperOffice lets only a chat's owner send it on. A pattern of the connections that act as the "
                    "agents: superoffice_agent_{agent}, where {agent} becomes an associate id.",
                ),
            ),
        ),
        TOKEN_STORE,
        network_section(requests_per_second="10", burst="10", timeout="60"),
    ),
)
