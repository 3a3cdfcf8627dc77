# SPDX-License-Identifier: Apache-2.0
"""What a scenario says beside the data: the application, credentials, the tenant, people's habits and switches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import tzinfo
from typing import Any

from ..validation import number
from . import keys
from .dates import zone
from .model import Centre
from .scenario import TENANT, known
from .switches import Switches

TENANT_STATES = ("Unknown", "Provisioning", "Running", "Deleted", "Suspended", "OnlineMaintenance",
                 "OfflineMaintenance", "ProvisioningFailed", "Deleting", "DeleteFailed",
                 "MigrationPending")  # fmt: skip
CONSENTS = ("Given", "Revoked", "Expired", "Denied", "NeedsReapproval")


@dataclass(frozen=True, slots=True)
class Credential:
    """Whom a token or ticket stands for, and until when (``None``: for good).

    Each use of one with ``renewed_for`` gives it that many seconds from then on.
    """

    associate: int
    expires: float | None = None
    renewed_for: float | None = None


@dataclass(frozen=True, slots=True)
class Application:
    """The one application that is registered. Without ``public_key`` (PEM) its key is that of the module `keys`."""

    client_id: str = "sandbox"
    client_secret: str = "sandbox-secret"
    system_token: str = "Chat Transfer 1.0-8k8Q7DmBgo"
    public_key: str | None = None
    consent: str = "Given"

    @property
    def approved(self) -> bool:
        """Whether the tenant's administrator lets it in."""
        return self.consent == "Given"

    @classmethod
    def from_json(cls, value: Any) -> Application:
        """Return the application of a scenario; raises `ValueError` for what is not one."""
        names = {each.name for each in fields(cls)}
        result = cls(**{name: str(text) for name, text in known("application", value, names).items()})
        if result.consent not in CONSENTS:
            raise ValueError(f"consent must be one of {CONSENTS}, got {result.consent!r}")
        if result.public_key is not None:
            keys.public_key(result.public_key)
        return result


@dataclass(frozen=True, slots=True)
class DataHost:
    """The host name to which the tenant's data has moved, and from when on it is only there."""

    name: str
    since: float

    @classmethod
    def from_json(cls, value: Any, *, now: float) -> DataHost | None:
        """Return the host of a scenario, ``None`` for any; raises `ValueError` for what is not one."""
        if value is None:
            return None
        entry = known("data_host", {"name": value} if isinstance(value, str) else value, {"name", "after"})
        if "name" not in entry:
            raise ValueError("data_host needs a name")
        return cls(name=str(entry["name"]).lower(), since=now + number(entry.get("after", 0), "data_host.after"))


@dataclass(frozen=True, slots=True)
class Settings:
    """What a scenario says beside the data."""

    switches: Switches
    people: Mapping[str, Any]
    customers: Mapping[str, Any]
    credentials: Mapping[str, Credential]
    refresh_tokens: Mapping[str, int]
    application: Application
    rate: float | None
    time_zone: tzinfo
    tenant_state: str
    data_host: DataHost | None

    @classmethod
    def from_json(cls, scenario: Mapping[str, Any], centre: Centre, *, now: float) -> Settings:
        """Return the settings of ``scenario``; raises `ValueError` for what is not one."""
        rate = scenario.get("rate")
        if rate is not None and not number(rate, "rate"):
            raise ValueError("rate must be null or calls per second, got 0")
        if (state := scenario.get("tenant_state", "Running")) not in TENANT_STATES:
            raise ValueError(f"tenant_state must be one of {TENANT_STATES}, got {state!r}")
        return cls(
            switches=Switches.from_json(scenario.get("switches", {})),
            people=scenario.get("people", {}),
            customers=scenario.get("customers", {}),
            credentials=_credentials(scenario.get("tokens", {}), centre, now=now),
            refresh_tokens={
                **{f"refresh-{associate.login}": associate.id for associate in centre.associates.values()},
                **{token: _associate(centre, number) for token, number in scenario.get("refresh_tokens", {}).items()},
            },
            application=Application.from_json(scenario.get("application", {})),
            rate=rate,
            time_zone=zone(scenario.get("time_zone", "Europe/Oslo")),
            tenant_state=state,
            data_host=DataHost.from_json(scenario.get("data_host"), now=now),
        )


def _credentials(tokens: Mapping[str, Any], centre: Centre, *, now: float) -> dict[str, Credential]:
    """Return the default tokens and tickets of everybody, and those that the scenario adds."""
    credentials = {
        f"{prefix}:{TENANT}.{associate.login}": Credential(associate.id)
        for associate in centre.associates.values()
        for prefix in ("8A", "7T")
    }
    for token, value in tokens.items():
        entry = value if isinstance(value, Mapping) else {"associate": value}
        known("token", entry, {"associate", "expires_in"})
        lifetime = number(entry["expires_in"], "expires_in") if "expires_in" in entry else None
        credentials[token] = Credential(
            _associate(centre, entry["associate"]),
            expires=None if lifetime is None else now + lifetime,
            renewed_for=lifetime if token.startswith("7T:") else None,
        )
    return credentials


def _associate(centre: Centre, number: Any) -> int:
    if number not in centre.associates:
        raise ValueError(f"no operator {number!r}")
    return int(number)
