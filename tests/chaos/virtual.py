# SPDX-License-Identifier: Apache-2.0
"""The sandbox's time as the only time of a worker: a pause of the product takes none, and its people act meanwhile."""

from __future__ import annotations

import datetime as dates
import sys
import time
from types import FunctionType, SimpleNamespace
from typing import Any

import requests

PRODUCT = "airflow_provider_chattransfer."
NOT_THE_PRODUCT = (f"{PRODUCT}sandbox", f"{PRODUCT}testing")


class VirtualTime:
    """Tells the sandbox's time, ``skew`` seconds off as a worker's clock may be, and lets it pass.

    ``lag`` is how many real seconds a second of a pause takes, for what goes on in the sandbox meanwhile.
    """

    def __init__(self, url: str, *, skew: float, lag: float) -> None:
        self._lag = lag
        self._clock = f"{url}/sandbox/clock"
        self._ahead = self._skip(0.0) - time.time() + skew
        self._real_monotonic = time.monotonic
        self._real_time = time.time
        self._slept = 0.0

    def time(self) -> float:
        """Seconds since the epoch."""
        return self._real_time() + self._ahead

    def monotonic(self) -> float:
        """Seconds that have passed."""
        return self._real_monotonic() + self._slept

    def sleep(self, seconds: float) -> None:
        """Let the sandbox's time pass at once."""
        time.sleep(seconds * self._lag)
        self._skip(max(0.0, seconds))
        self._ahead += seconds
        self._slept += seconds

    def now(self) -> dates.datetime:
        """Return the same as ``time``, as a date."""
        return dates.datetime.fromtimestamp(self.time(), dates.UTC)

    def install(self) -> None:
        """Take the place of the clock in all modules of the product that are imported by now."""
        from airflow_provider_chattransfer.platforms.runner import utc_now

        telling = self

        class Date(dates.datetime):
            @classmethod
            def now(cls, tz: dates.tzinfo | None = None) -> Any:
                return dates.datetime.fromtimestamp(telling.time(), tz)

        clock = SimpleNamespace(time=self.time, monotonic=self.monotonic, sleep=self.sleep)
        instead: dict[Any, Any] = {
            time: clock,
            time.time: self.time,
            time.monotonic: self.monotonic,
            time.sleep: self.sleep,
            dates.datetime: Date,
            utc_now: self.now,
        }
        for name, module in list(sys.modules.items()):
            if name.startswith(PRODUCT) and not name.startswith(NOT_THE_PRODUCT):
                _replace(module, instead)

    def _skip(self, seconds: float) -> float:
        with requests.post(self._clock, json={"skip": seconds}, timeout=10) as reply:
            reply.raise_for_status()
            told: str = reply.json()["time"]
        return dates.datetime.fromisoformat(told).timestamp()


def _replace(module: Any, instead: dict[Any, Any]) -> None:
    """Set the clock under its names in ``module``, and as a default of its functions and methods."""
    for name, value in list(vars(module).items()):
        if _is_one_of(value, instead):
            setattr(module, name, instead[value])
        functions = [value] if isinstance(value, FunctionType) else []
        if isinstance(value, type) and value.__module__ == module.__name__:
            functions = [each for each in vars(value).values() if isinstance(each, FunctionType)]
        for function in functions:
            defaults = function.__kwdefaults__ or {}
            found = {key: instead[each] for key, each in defaults.items() if _is_one_of(each, instead)}
            if found:
                function.__kwdefaults__ = {**defaults, **found}


def _is_one_of(value: Any, instead: dict[Any, Any]) -> bool:
    return any(value is each for each in instead)
