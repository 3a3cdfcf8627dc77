# SPDX-License-Identifier: Apache-2.0
"""A Postgres server of one's own, from the machine's packages, for as long as a test needs it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .ports import free_port

USER = "airflow"
PASSWORD = "postgres-pass/word"
PACKAGES = "/usr/lib/postgresql/*/bin"
"""Where Debian and Ubuntu install servers, each version in a folder of its own and none of them on the path."""

FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
"""What is given up for speed: the data outlives a kill of any process, but not of the machine."""


def programs() -> Path | None:
    """Return the folder of the newest server on this machine, or ``None``."""
    on_path = shutil.which("pg_ctl")
    packaged = sorted(Path("/").glob(PACKAGES.removeprefix("/")), key=lambda each: float(each.parent.name))
    folders = [Path(on_path).parent] if on_path else packaged
    return next((each for each in reversed(folders) if (each / "pg_ctl").exists() and (each / "initdb").exists()), None)


def start(folder: Path, *, port: int | None = None) -> str:
    """Start a server in ``folder``, which it makes; returns the database's address for SQLAlchemy.

    It listens on a socket in that folder only, which nobody but its own user and root can reach; with ``port``, at that
    port of this machine too, where it asks for ``PASSWORD``. Raises ``CalledProcessError`` with what Postgres says.
    """
    folder.mkdir(mode=0o700)
    secret = folder / "password"
    secret.write_text(PASSWORD)
    if owner := _owner():
        for each in (folder, secret):
            os.chown(each, owner.pw_uid, owner.pw_gid)
    data = folder / "data"
    sign_in: list[str | Path] = ["--auth-local", "trust", "--auth-host", "scram-sha-256", "--pwfile", secret]
    _run("initdb", "--pgdata", data, "--username", USER, *sign_in, "--no-sync", "--encoding", "UTF8")
    listening = [f"listen_addresses={'127.0.0.1' if port else ''}", f"port={port or 5432}"]
    options = [f"unix_socket_directories={folder}", *listening, "max_connections=300", *FAST]
    with (data / "postgresql.auto.conf").open("a") as settings:
        settings.writelines(f"{name}='{value}'\n" for name, value in (each.split("=") for each in options))
    start_again(folder)
    return f"postgresql+psycopg2://{USER}@/postgres?host={folder}"


def start_again(folder: Path) -> None:
    """Start the server in ``folder``, which was stopped."""
    _run("pg_ctl", "start", "--wait", "--pgdata", folder / "data", "--log", folder / "log")


def stop(folder: Path) -> None:
    """Stop the server in ``folder`` at once, if one runs."""
    if (folder / "data" / "postmaster.pid").exists():
        _run("pg_ctl", "stop", "--mode", "immediate", "--pgdata", folder / "data")


def _run(program: str, *arguments: str | Path) -> None:
    """Run one of Postgres's programs; raises ``CalledProcessError``."""
    bin_folder, owner = programs(), _owner()
    assert bin_folder is not None
    subprocess.run(  # noqa: S603
        [bin_folder / program, *arguments],
        check=True,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        user=owner.pw_uid if owner else None,
        group=owner.pw_gid if owner else None,
        extra_groups=[] if owner else None,
    )


def _owner() -> pwd.struct_passwd | None:
    """As whom Postgres runs when we are root, which it refuses to be; ``None`` for ourselves."""
    if os.geteuid():
        return None
    users = {each.pw_name: each for each in pwd.getpwall()}
    return users.get("postgres") or users["nobody"]


@dataclass
class PostgresServer:
    """A running server that asks for a password."""

    folder: Path
    port: int

    @property
    def address(self) -> str:
        """As ``coordination`` has it."""
        return f"postgresql://{USER}:postgres-pass%2Fword@127.0.0.1:{self.port}/postgres"

    def ask(self, statement: str) -> list[Any]:
        """Return the rows of one statement."""
        import psycopg2

        options = "-c default_transaction_read_only=off"
        with closing(psycopg2.connect(self.address, options=options)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    def empty(self) -> None:
        """Delete everything in it."""
        self.ask("DROP TABLE IF EXISTS chattransfer_coordination")

    def stop(self) -> None:
        """End it at once."""
        stop(self.folder)

    def start(self) -> None:
        """Start it again, as it was."""
        start_again(self.folder)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all its processes."""
        main = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        for process in (main, *map(int, children)):
            os.kill(process, number)


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Yield an empty server; skips the test where there is none."""
    pytest.importorskip("psycopg2", reason="the package psycopg2 is not installed: pip install psycopg2-binary")
    if programs() is None:
        pytest.skip("there is no Postgres server: apt-get install postgresql")
    home = Path(tempfile.mkdtemp(prefix="chattransfer-postgres-", dir="/tmp"))
    home.chmod(0o711)
    server = PostgresServer(home / "postgres", free_port())
    try:
        start(server.folder, port=server.port)
        yield server
    finally:
        stop(server.folder)
        shutil.rmtree(home)
