# SPDX-License-Identifier: Apache-2.0
"""Read the body of an answer in pieces, decompress it up to a limit, and parse it strictly.

Decompression is not left to urllib3, whose older versions make a piece of any length from a small one.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import requests

from .bounded_session import AnswerTooLargeError

CHUNK_BYTES = 2**16
"""Bytes that are read or decompressed at a time."""

ACCEPTED_ENCODING = "gzip"
"""The only encoding that is asked for, so that one way of decompressing is enough."""

COMPRESSED = {"gzip", "x-gzip", "deflate"}
GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
TRUNCATED = "Input data was truncated"
"""What ``msgspec`` says of a text that ends too early."""

NO_JSON = object()


def read(answer: requests.Response, *, most_bytes: int) -> bytearray:
    """Return the whole body, decompressed.

    Raises ``AnswerTooLargeError``; ``EOFError`` and ``zlib.error`` where compressed data is cut off or damaged; and
    what urllib3 does. An encoding that was not asked for is left as it is.
    """
    pieces: Iterable[bytes] = answer.raw.stream(CHUNK_BYTES, decode_content=False)
    if answer.headers.get("Content-Encoding", "").strip().lower() in COMPRESSED:
        pieces = _unpacked(pieces)
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) > most_bytes:
            raise AnswerTooLargeError
    return body


def parsed(body: bytearray) -> Any:
    """Return the value of a JSON text in UTF-8.

    ``NO_JSON`` for any other text, and for numbers and nesting beyond all measure.

    Raises ``EOFError`` for a text that is cut off.
    """
    if body.startswith(BYTE_ORDER_MARK):
        del body[: len(BYTE_ORDER_MARK)]
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        if str(error) == TRUNCATED:
            raise EOFError from None
        return NO_JSON
    except (UnicodeDecodeError, RecursionError):
        return NO_JSON


def _unpacked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress ``pieces`` in pieces of a limited size; gzip may have several members."""
    member = None
    for packed in pieces:
        while packed:
            if member is None or member.eof:
                member = zlib.decompressobj(GZIP_OR_ZLIB)
            yield member.decompress(packed, CHUNK_BYTES)
            packed = member.unused_data if member.eof else member.unconsumed_tail
    if member is None:
        return
    while not member.eof and (rest := member.decompress(b"", CHUNK_BYTES)):
        yield rest
    if not member.eof:
        raise EOFError
