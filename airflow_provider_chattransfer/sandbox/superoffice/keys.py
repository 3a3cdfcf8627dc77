# SPDX-License-Identifier: Apache-2.0
"""Two RSA keys that everybody knows, and JSON web tokens signed with one of them. Good for nothing but this sandbox.

The keys are fixed, so that a client may be set up before the sandbox starts. The cryptography is imported when it is
first needed: most sandboxes never sign anything.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey


@dataclass(frozen=True, slots=True)
class Primes:
    """An RSA key by the two numbers that it is made of."""

    p: int = field(repr=False)
    q: int = field(repr=False)

    @property
    def pem(self) -> str:
        """The private key as PEM, PKCS#8."""
        from cryptography.hazmat.primitives import serialization

        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        return _private(self).private_bytes(encoding, form, serialization.NoEncryption()).decode()


EXPONENT = 65537

KEY_ID = "sandbox-2026"
"""The `kid` of the key with which the sandbox signs."""

SIGNING_KEY = Primes(
    p=int(
        "fdb4caa3f8b8e56f68578600b2905e8ae91fcb538cf2282ab3b434ca7fcaddc680f20786351c0096c2cdb97d"
        "a9b34ccde475f7c1e771c3d45857a627e0ef86af6c9094ad28605074718e6900f0cb9c42e2de8dfa1bbfea6d"
        "47562e333f86371e8ed7be51fb8e9be49eb42cdf72a8c0d71954b72c423a238b048201c617274075",
        16,
    ),
    q=int(
        "ef01cd9a350739bd9500b982fd5da7883b96e656c72f462ddb92ec7292b9ba8cd4cb578da5252c0bfc060a94"
        "9f0c511c0583b8eac30ad04df51b08e8119cce8baaba951acdcc4665b22eef7e1bd2fd0ebe6aab5954936fad"
        "436f0ca885b68029ae89752a8c022884ec8da9d508840f21d81cd396d85c99de6a3542f64e40bbe3",
        16,
    ),
)
"""The key of the sandbox's sign-in service."""

APPLICATION_KEY = Primes(
    p=int(
        "e0aee47c9372fce28ab0d0e7f80d2daf223698aad09395e5a9196f46ecb5c269c7ec0db1ff3deeae5222f6fa"
        "523a746d239646ee069698e8cc18db7924e97660c42455d310430e9cd07b89411a100b2207c12beffc8848e0"
        "3354e92bfb30652f6360c9c119c9ca87ea43f6c4c5b45f899f2951e128d3274102e72b5a2f365c31",
        16,
    ),
    q=int(
        "dba4c669c085e1c84fe3d2a0a003609eb8d8acbda0e8a5850aabc8d60c04e8e4df08f8b25de77ae3972f006a"
        "37edaebe6abd9c3ee1691a9d2a63a4cba99d40cc98d22a8b0b62665f7557c4ae44587cee1700b5e55dd322be"
        "beba39f32fb82e4e29b315ce5ebcac983ebbc1a9f49ee29111768045d8523f4685a61fffdf2c5fc5",
        16,
    ),
)
"""The key of the default application: sign its system token with it."""


def signed(claims: Mapping[str, Any]) -> str:
    """``claims`` as a JSON web token, RS256."""
    import jwt

    return jwt.encode(dict(claims), _private(SIGNING_KEY), algorithm="RS256", headers={"kid": KEY_ID})


def key_set() -> dict[str, Any]:
    """Return the public key that belongs to `signed`, as a JSON web key set (RFC 7517)."""
    numbers = _private(SIGNING_KEY).public_key().public_numbers()
    key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID, "n": _number(numbers.n), "e": _number(numbers.e)}
    return {"keys": [key]}


def application_public_key() -> RSAPublicKey:
    """Return the public half of `APPLICATION_KEY`."""
    return _private(APPLICATION_KEY).public_key()


def public_key(pem: str) -> RSAPublicKey:
    """Return the RSA key in ``pem``; raises `ValueError` for what is none."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = serialization.load_pem_public_key(pem.encode())
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("the public key is not an RSA key")
    return key


def verifies(key: RSAPublicKey, data: bytes, signature: bytes) -> bool:
    """Whether ``signature`` is that of ``data``: PKCS#1 v1.5, SHA-256."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    try:
        key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


@cache
def _private(key: Primes) -> RSAPrivateKey:
    from cryptography.hazmat.primitives.asymmetric import rsa

    public = rsa.RSAPublicNumbers(e=EXPONENT, n=key.p * key.q)
    d = rsa.rsa_recover_private_exponent(EXPONENT, key.p, key.q)
    return rsa.RSAPrivateNumbers(
        p=key.p,
        q=key.q,
        d=d,
        dmp1=rsa.rsa_crt_dmp1(d, key.p),
        dmq1=rsa.rsa_crt_dmq1(d, key.q),
        iqmp=rsa.rsa_crt_iqmp(key.p, key.q),
        public_numbers=public,
    ).private_key()


def _number(value: int) -> str:
    """Return a number as a JSON web key holds it: big-endian bytes in base64url without padding."""
    return base64.urlsafe_b64encode(value.to_bytes((value.bit_length() + 7) // 8)).rstrip(b"=").decode()
