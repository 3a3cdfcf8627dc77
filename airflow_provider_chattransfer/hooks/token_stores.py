# SPDX-License-Identifier: Apache-2.0
"""Make the token store that a connection chooses: Airflow's Variables, a folder, or Redis."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from ..airflow_internals import read_variable, write_variable
from ..exceptions import HostFileError, TokenStoreError
from ..platforms.file_lock import host_file, open_private
from ..platforms.task_thread import on_task_thread
from ..platforms.tokens.file_store import FileStore, locked
from ..platforms.tokens.manager import Entry, TokenStore
from ..platforms.tokens.sealed import Sealed

T = TypeVar("T")

VARIABLE_PREFIX = "chattransfer_token_"
"""How the names of our Variables begin; Airflow masks the value of a Variable whose name contains ``token``."""


def store_for(extra: Mapping[str, Any], *, account: str, seed: str) -> TokenStore:
    """Make the store that a connection chooses by ``token_store`` and ``token_store_at``, for one account.

    ``seed`` is a secret of the connection, which seals what is kept; another one makes it another store. Nothing is
    opened. Raises ``ValueError``.
    """
    name = hashlib.sha256(f"{account}\n{seed}".encode()).hexdigest()[:32]
    return Sealed(_chosen(extra, name=name, account=account), key=seed)


def _chosen(extra: Mapping[str, Any], *, name: str, account: str) -> TokenStore:
    kind = str(extra.get("token_store") or "variable")
    at = str(extra.get("token_store_at") or "")
    match kind:
        case "variable":
            if at:
                raise ValueError("token_store_at: is for token_store file or redis; choose one of them, or empty it")
            return VariableStore(name, account=account)
        case "file":
            return FileStore(_folder(at), name=name)
        case "redis":
            return _redis_store(at, name=name)
    raise ValueError(f"token_store: {kind!r} is none of variable, file, redis")


class VariableStore:
    """One account's credential in Airflow's Variables, which Airflow encrypts.

    Its lock holds for the processes of this user on this host. Two hosts may ask for a token at the same time: the
    one that is refused finds what the other has saved.
    """

    def __init__(self, name: str, *, account: str) -> None:
        self._name = name
        self._about = f"Token of {account}, renewed by tasks. Delete it to start anew with the connection's own."

    def load(self, entry: Entry) -> str | None:
        """Load what was saved last; raises ``TokenStoreError``."""
        return _told("read", lambda: read_variable(self._key(entry)))

    def save(self, entry: Entry, text: str) -> None:
        """Keep ``text``; raises ``TokenStoreError``."""
        _told("written", lambda: write_variable(self._key(entry), text, description=self._about))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Let in one thread of one process of this host at a time; raises ``TokenStoreError`` after a time limit."""
        try:
            file = open_private(host_file(self._name, ".token"))
        except HostFileError as error:
            raise TokenStoreError(error.args[0]) from None
        with locked(file):
            yield

    def _key(self, entry: Entry) -> str:
        return f"{VARIABLE_PREFIX}{self._name}" if entry is Entry.TOKEN else f"{VARIABLE_PREFIX}{self._name}_{entry}"


def _told(done: str, do: Callable[[], T]) -> T:
    """Return what ``do`` returns on the task's own thread, and raise an error of ours for one of Airflow's.

    Airflow's is not even chained: its text may tell of the database.
    """
    try:
        return on_task_thread(do)
    except TokenStoreError:
        raise
    except Exception as error:
        kind = type(error).__name__
    raise TokenStoreError(
        f"Airflow's Variables cannot be {done}: {kind}; see whether Airflow's API server and database can be reached "
        "from here, or choose file or redis as the connection's token_store"
    )


def _folder(at: str) -> Path:
    folder = Path(at)
    if not folder.is_absolute():
        raise ValueError("token_store_at: must be the whole path of a folder, such as /var/lib/airflow/tokens")
    return folder


def _redis_store(at: str, *, name: str) -> TokenStore:
    if find_spec("redis") is None:
        raise ValueError(
            "token_store: redis needs a package: pip install 'airflow-provider-chattransfer[redis]' on every machine "
            "of Airflow, or choose variable or file"
        )
    from ..platforms.tokens.redis_store import RedisStore

    try:
        return RedisStore(at, name=name)
    except ValueError as problem:
        raise ValueError(f"token_store_at: {problem}") from None
