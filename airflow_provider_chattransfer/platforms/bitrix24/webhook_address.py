# SPDX-License-Identifier: Apache-2.0
"""Read a webhook's whole address, pasted into one field of a connection: which portal, whose, and by what code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

WHOLE = re.compile(
    r"\s*(?P<portal>[^\s?#]*?)[/\\]+rest[/\\]+(?:api[/\\]+)?(?P<user>\d{1,19})[/\\]+(?P<code>[^\s/\\?#]+)(?:[/\\?#].*)?",
    re.ASCII | re.IGNORECASE | re.DOTALL,
)
"""``https://<portal>/rest/<user>/<code>/<method>``, in REST 3.0 ``/rest/api/<user>/<code>/<method>``."""

MAX_LETTERS = 2000
"""Letters of a text that is looked at; a longer one is no address."""


@dataclass(frozen=True, slots=True)
class WebhookAddress:
    """The parts of a webhook's address; ``code`` is its secret."""

    portal: str
    user_id: str
    code: str = field(repr=False)

    def parts(self) -> dict[str, str]:
        """Return the parts by the fields of a connection."""
        return {"host": self.portal, "login": self.user_id, "password": self.code}


def webhook_in(text: str) -> WebhookAddress | None:
    """Return the webhook whose address ``text`` is, a method behind it or not; ``None`` when it is none."""
    if len(text) > MAX_LETTERS:
        return None
    found = WHOLE.fullmatch(unquote(text) if "/" not in text else text)
    return WebhookAddress(found["portal"], found["user"], found["code"]) if found else None


def codes_in(text: str) -> Iterator[str]:
    """Yield the code of the webhook whose address ``text`` is."""
    if webhook := webhook_in(text):
        yield webhook.code
