# SPDX-License-Identifier: Apache-2.0
"""What a store holds may be anything: it is read as what it should be, begun anew, or refused by its file's name."""

from __future__ import annotations

import json
import math
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_chattransfer.exceptions import TokenStoreError
from airflow_provider_chattransfer.platforms.issued_token import IssuedToken
from airflow_provider_chattransfer.platforms.tokens.file_store import FileStore
from airflow_provider_chattransfer.platforms.tokens.manager import Entry, TokenManager
from airflow_provider_chattransfer.platforms.tokens.sealed import Sealed

from ..support.token_stores import MemoryTokenStore

NOW = 1_800_000_000.0
GOOD = IssuedToken("access", obtained_at=NOW - 10, refresh_token="renewal", about={"user_id": "7"})


def each(name: str, *values: Any) -> list[dict[str, Any]]:
    """Members of that name, with each of the values."""
    return [{name: value} for value in values]


NO_TOKENS: list[str] = [
    "{",
    "\x00\x01\x02",
    "æøå",
    "\ufffd\ufffd",
    "[" * 100_000,
    "9" * 5000,
    *map(json.dumps, [None, True, 7, 1e300, "text", [], [[]], ["secret"], {}, {"at": None}]),
    *(
        json.dumps({**json.loads(GOOD.to_text()), **wrong})
        for wrong in [
            *each("secret", None, "", 7, True, [], {}, "a\nb", "a b", "é", "x\x1b[31m", "x" * 20_000),
            *each("obtained_at", None, "x", "", True, [], {}, 0, -1, math.nan, math.inf, 1e300),
            *each("expires_at", "x", "", True, [], {}, -1, math.nan, math.inf, 1e300),
            *each("renewal", "", 7, True, [], {}, "a\nb", "é"),
            *each("about", None, [], "x", 7, {"user_id": 7}, {"user_id": None}, {"user_id": []}),
        ]
    ),
]
NO_ATTEMPTS: list[str] = [
    "{",
    "æøå",
    "[" * 100_000,
    *map(json.dumps, [None, True, 7, "text", [], {}, {"at": None}, {"begun_at": None, "replaces": None}]),
    *(
        json.dumps({"begun_at": NOW, "replaces": None} | wrong)
        for wrong in [
            *each("begun_at", "x", True, [], {}, -1, math.nan, math.inf, 1e300),
            *each("replaces", "x", True, [], {}, -1, math.nan, math.inf, 1e300),
        ]
    ),
]


def shown(text: object) -> str:
    """Return a short id of a case."""
    return ascii(text)[:60]


def token_manager(store: Any, asked: list[str | None]) -> TokenManager:
    """Return a token manager for a service that issues a token to whoever asks; ``asked`` notes by what."""

    def fetch_token(refresh_token: str | None) -> IssuedToken:
        asked.append(refresh_token)
        return IssuedToken("new", obtained_at=NOW, refresh_token="next")

    return TokenManager(store=store, fetch_token=fetch_token, clock=lambda: NOW, sleep=lambda _: None)


class TestAToken:
    @pytest.mark.parametrize("text", NO_TOKENS, ids=shown)
    def test_a_token_that_is_none_is_begun_anew_with_a_warning(
        self, text: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert IssuedToken.parse(text) is None
        store, asked = MemoryTokenStore({Entry.TOKEN: text}), list[str | None]()
        assert token_manager(store, asked).token().secret == "new"
        assert asked == [None], "by the connection's own token"
        assert "What the token store holds cannot be read" in caplog.text
        assert IssuedToken.parse(store.kept[Entry.TOKEN]) == IssuedToken("new", obtained_at=NOW, refresh_token="next")

    def test_a_token_that_version_0_9_has_saved_is_read(self) -> None:
        saved = (
            '{"secret": "access", "obtained_at": 1799999990.0, "expires_at": null, "renewal": "renewal", '
            '"about": {"user_id": "7"}}'
        )
        assert IssuedToken.parse(saved) == GOOD
        assert GOOD.to_text() == saved, "so that workers with the last version read it too"

    def test_a_token_may_hold_what_a_later_version_has_added(self) -> None:
        assert IssuedToken.parse(json.dumps({**json.loads(GOOD.to_text()), "added": [1]})) == GOOD

    def test_a_token_that_is_one_is_taken(self) -> None:
        asked = list[str | None]()
        assert token_manager(MemoryTokenStore({Entry.TOKEN: GOOD.to_text()}), asked).token() == GOOD
        assert asked == []


class TestAnAttempt:
    @pytest.mark.parametrize("text", NO_ATTEMPTS, ids=shown)
    def test_an_attempt_that_is_none_is_begun_anew_with_a_warning(
        self, text: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        asked = list[str | None]()
        store = MemoryTokenStore({Entry.ATTEMPT: text})
        assert token_manager(store, asked).token().secret == "new"
        assert "of an earlier attempt cannot be read" in caplog.text
        assert json.loads(store.kept[Entry.ATTEMPT]) == {"begun_at": NOW, "replaces": None}


class TestASeal:
    @pytest.mark.parametrize("text", ["æøå", "\ufffd" * 200, "gAAAAA", "x", "\x00", "{}", "=" * 100], ids=shown)
    @pytest.mark.parametrize("entry", list(Entry))
    def test_a_seal_that_is_none_is_begun_anew(self, entry: Entry, text: str, caplog: pytest.LogCaptureFixture) -> None:
        asked = list[str | None]()
        assert token_manager(Sealed(MemoryTokenStore({entry: text}), key="key"), asked).token().secret == "new"
        assert "cannot be read" in caplog.text

    def test_a_seal_of_what_is_no_text_is_begun_anew(self) -> None:
        memory = MemoryTokenStore()
        sealed = Sealed(memory, key="key")
        memory.kept[Entry.TOKEN] = sealed._fernet.encrypt(b"\xff\xfe").decode()
        assert IssuedToken.parse(sealed.load(Entry.TOKEN)) is None


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    path.mkdir()


def a_link(path: Path) -> None:
    """To a file that holds a good credential, put there by whoever may write to the folder."""
    (path.parent / "elsewhere").write_text(GOOD.to_text())
    path.symlink_to(path.parent / "elsewhere")


def a_socket(path: Path) -> None:
    short = os.open(path.parent, os.O_RDONLY)  # The whole path may be longer than a socket's name can be.
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(f"/proc/self/fd/{short}/{path.name}")
    finally:
        os.close(short)


def somebody_elses(path: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can make a file of another user")
    path.write_text(GOOD.to_text())
    os.chown(path, 54321, 54321)


KEPT = ("mine.credential", "mine.attempt")
IN_THE_WAY = [
    *((place, name) for place in (a_pipe, a_folder, a_link, a_socket) for name in (*KEPT, "mine.lock")),
    *((somebody_elses, name) for name in KEPT),
]
"""What stands in the place of a file; whose a lock may be is tested with locks."""


class TestAFile:
    @pytest.mark.parametrize(("place", "name"), IN_THE_WAY, ids=lambda each: getattr(each, "__name__", each))
    def test_a_file_that_is_something_else_is_refused_by_its_name_and_not_waited_for(
        self, tmp_path: Path, place: Callable[[Path], None], name: str
    ) -> None:
        place(tmp_path / name)
        asked = list[str | None]()
        with pytest.raises(TokenStoreError) as caught:
            token_manager(FileStore(tmp_path, name="mine"), asked).token()
        assert name in str(caught.value)
        assert "token_store_at" in str(caught.value)
        assert "None" not in str(caught.value)
        assert asked == []


class TestAFileOfOurs:
    @pytest.mark.parametrize("content", [b"\xff\xfe\x00", "æøå".encode("latin-1"), b"", b"{}" * 1000], ids=shown)
    @pytest.mark.parametrize("seal", [True, False], ids=["sealed", "plain"])
    def test_a_file_of_ours_with_any_content_is_begun_anew(self, tmp_path: Path, content: bytes, seal: bool) -> None:
        for name in ("mine.credential", "mine.attempt"):
            (tmp_path / name).write_bytes(content)
            (tmp_path / name).chmod(0o600)
        files, asked = FileStore(tmp_path, name="mine"), list[str | None]()
        store = Sealed(files, key="key") if seal else files
        assert token_manager(store, asked).token().secret == "new"
        assert IssuedToken.parse(store.load(Entry.TOKEN)) == IssuedToken("new", obtained_at=NOW, refresh_token="next")
