# SPDX-License-Identifier: Apache-2.0
"""Say what has gone wrong in an HTTP exchange, without the URL that the texts of such errors contain."""

from __future__ import annotations

import zlib
from http.client import HTTPException

import requests
import urllib3

from ..exceptions import PlatformError, ResponseLostError, UnreachableError
from .bounded_session import Exchange

FAILURES = (OSError, ValueError, EOFError, zlib.error, HTTPException, urllib3.exceptions.HTTPError)
"""What goes wrong in an exchange; the errors of requests are ``OSError``."""


NO_AUTHORITIES = (
    "there are no certificates to trust in the file that ca_bundle of the connection names, or REQUESTS_CA_BUNDLE in "
    "Airflow's environment"
)

CAUSES = {
    "NewConnectionError": "nobody listens there",
    "NameResolutionError": "there is no such host",
    "RemoteDisconnected": "closed without an answer",
    "ConnectionResetError": "reset",
    "CERTIFICATE_VERIFY_FAILED": "its certificate cannot be verified; if an authority of your own has signed it, "
    "let ca_bundle of the connection name the file with that authority's certificate",
    "NO_CERTIFICATE_OR_CRL_FOUND": NO_AUTHORITIES,
    "ProxyError": "the proxy does not let us through; see HTTPS_PROXY and NO_PROXY in Airflow's environment",
    "TimeoutError": "no answer in time",
}
"""What has happened, by what the text of an error holds; several layers wrap each other's errors."""


def exchange_error(error: Exception, bounds: Exchange, *, host: str, method: str) -> PlatformError:
    """Return the typed error for an exchange that ``error`` ended.

    As long as no byte of the request had been sent, the service has certainly carried out nothing.
    """
    if bounds.begun and bounds.is_over:
        return ResponseLostError(f"no whole answer from {host} in time", method=method)
    if not bounds.begun or isinstance(error, requests.ConnectionError):
        kind = ResponseLostError if bounds.begun else UnreachableError
        return kind(f"the connection to {host} failed: {_cause(error)}", method=method)
    return ResponseLostError(f"no whole answer from {host}: {type(error).__name__}", method=method)


def _cause(error: Exception) -> str:
    """Say what happened, without the URL that the text of requests' errors contains."""
    if type(error) is OSError:  # so requests tells that there is no file of certificates
        return NO_AUTHORITIES
    text = repr(error)
    return next((words for mark, words in CAUSES.items() if mark in text), type(error).__name__)
