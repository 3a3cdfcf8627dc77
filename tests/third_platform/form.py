# SPDX-License-Identifier: Apache-2.0
"""The form of a ``helpwave`` connection."""

from __future__ import annotations

from airflow_provider_chattransfer.connection_forms import (
    PORT,
    TOKEN_STORE,
    ConnectionForm,
    Field,
    Kind,
    Letters,
    Section,
    StandardField,
    network_section,
)

FORM = ConnectionForm(
    connection_type="helpwave",
    name="Helpwave",
    standard=(StandardField("host", "Address", "acme.helpwave.example"), PORT),
    hidden=("schema", "login", "password"),
    sections=(
        Section(
            "Signing in",
            (
                Field("account_id", "Account", "The number in the address, behind /accounts/."),
                Field(
                    "agent_key",
                    "Agent's key",
                    "Profile settings of the agent who moves the chats, Key.",
                    Kind.SECRET,
                    letters=Letters.ASCII,
                ),
            ),
        ),
        TOKEN_STORE,
        network_section(requests_per_second="5", burst="10", timeout="20"),
    ),
)
