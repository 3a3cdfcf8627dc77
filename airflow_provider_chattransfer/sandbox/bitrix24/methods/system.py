# SPDX-License-Identifier: Apache-2.0
"""What the API says about itself: ``scope``, ``methods``, ``method.get``, ``server.time``, ``app.info``.

Documented at https://apidocs.bitrix24.com (system methods). They need no scope.
"""

from __future__ import annotations

from typing import Any

from ..errors import RestError
from ..model import format_time
from ..php import is_empty, to_str
from .registry import METHODS, Method, MethodCall, is_controller, method

CONTROLLERS = ("imopenlines.v2.", "imbot.v2.")


@method("scope")
def scope(call: MethodCall) -> list[str]:
    """Return the scopes of the caller's credentials, or with ``full`` all. In a form the string ``false`` is true."""
    return _all_scopes() if not is_empty(call.params.get("full")) else sorted(call.identity.scopes)


@method("methods")
def methods(call: MethodCall) -> list[str]:
    """Return the names of methods: those of ``scope``, of all scopes with ``full``, or those open to the caller.

    Deprecated by the service. Actions of controllers are not listed, and the names are in lower case.
    """
    if call.params.get("scope") is not None:
        asked = to_str(call.params["scope"])
        return [name for name, each in _listed() if (asked in each.scopes if asked else not each.scopes)]
    everything = not is_empty(call.params.get("full"))
    return [name for name, each in _listed() if everything or _available(call, each)]


@method("method.get")
def method_get(call: MethodCall) -> dict[str, bool]:
    """Return whether the method ``name``, which must be in lower case, exists and is open to the caller.

    For a controller only the module in the name counts: any action of it exists, however it is spelt.
    """
    name = to_str(call.params.get("name"))
    known: Method | None = METHODS.get(name)
    if is_controller(name):
        module = next((each for each in CONTROLLERS if name.lower().startswith(each)), None)
        known = next((each for each in METHODS.values() if module and each.name.startswith(module)), None)
        if module == CONTROLLERS[0] and not call.data.switches.v2_methods:
            known = None
    return {"isExisting": known is not None, "isAvailable": known is not None and _available(call, known)}


@method("server.time")
def server_time(call: MethodCall) -> str:
    """Return the portal's time, in its own time zone; here UTC."""
    return format_time(call.now)


@method("app.info")
def app_info(call: MethodCall) -> dict[str, Any]:
    """Return the calling application; a webhook gets an error.

    The page gives that error status 400; it is 403 everywhere else, and by the server source here.
    """
    if not call.identity.app:
        raise RestError("ACCESS_DENIED", "Access denied! Application context required", status=403, documented=400)
    return {
        "ID": 1,
        "CODE": call.identity.app,
        "VERSION": 1,
        "STATUS": "L",
        "INSTALLED": True,
        "PAYMENT_EXPIRED": "N",
        "DAYS": None,
        "LANGUAGE_ID": "en",
        "LICENSE": "en_ent250",
        "LICENSE_TYPE": "ent250",
        "LICENSE_FAMILY": "ent",
    }


def _listed() -> list[tuple[str, Method]]:
    return [(name, each) for name, each in METHODS.items() if not is_controller(name)]


def _all_scopes() -> list[str]:
    return sorted({scope for each in METHODS.values() for scope in each.scopes})


def _available(call: MethodCall, each: Method) -> bool:
    return not each.scopes or bool(each.scopes & call.identity.scopes)
