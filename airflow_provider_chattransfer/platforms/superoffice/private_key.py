# SPDX-License-Identifier: Apache-2.0
"""Read the private key of an application, in any form that the field of a connection may give it."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as NoBase64

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key

PEM = re.compile(r"-----BEGIN ([A-Z ]*)PRIVATE KEY-----(.*?)-----END \1PRIVATE KEY-----", re.DOTALL)
"""Match a private key as PEM, also without line breaks."""

EXPECTED = (
    "it must be the RSA key of the application, from -----BEGIN PRIVATE KEY----- to -----END PRIVATE KEY-----, or as "
    "<RSAKeyValue>"
)


def read_private_key(text: str) -> rsa.RSAPrivateKey:
    r"""Read the key in ``text``: PEM (PKCS#1 or PKCS#8), or the ``<RSAKeyValue>`` of .NET.

    The line breaks of PEM may be lost or written as ``\n``, as a password field leaves it. Raises ``ValueError``,
    without a word of the key.
    """
    text = text.replace("\\r", "").replace("\\n", "\n")
    if "<RSAKeyValue>" in text:
        return _from_xml(text)
    if (found := PEM.search(text)) is None:
        half = "this is the public half; " if "PUBLIC KEY-----" in text else ""
        raise ValueError(f"private_key: {half or 'this is no private key, or a part of one; '}{EXPECTED}")
    kind, body = found.groups()
    if "ENCRYPTED" in kind or "ENCRYPTED" in body:
        raise ValueError(
            "private_key: it is encrypted; take the passphrase off, Airflow encrypts the connection itself"
        )
    try:
        key = load_der_private_key(b64decode("".join(body.split()), validate=True), password=None)
    except (ValueError, NoBase64, UnsupportedAlgorithm):
        raise ValueError(f"private_key: it is damaged, a part is missing or changed; {EXPECTED}") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError(f"private_key: it is not an RSA key; {EXPECTED}")
    return key


def _from_xml(text: str) -> rsa.RSAPrivateKey:
    """Make the key of the numbers that .NET writes, each the base64 of its bytes."""
    try:
        modulus, exponent, p, q, dp, dq, inverse, d = (
            _number(text, name) for name in ("Modulus", "Exponent", "P", "Q", "DP", "DQ", "InverseQ", "D")
        )
        public = rsa.RSAPublicNumbers(e=exponent, n=modulus)
        return rsa.RSAPrivateNumbers(p=p, q=q, d=d, dmp1=dp, dmq1=dq, iqmp=inverse, public_numbers=public).private_key()
    except ValueError:
        raise ValueError(
            f"private_key: its <RSAKeyValue> is damaged, or without its private parts; {EXPECTED}"
        ) from None


def _number(text: str, name: str) -> int:
    found = re.search(f"<{name}>([^<]*)</{name}>", text)
    if found is None:
        raise ValueError(name)
    return int.from_bytes(b64decode("".join(found[1].split()), validate=True))
