# SPDX-License-Identifier: Apache-2.0
"""A Postgres server of one's own, from the machine's packages, for as long as a test needs it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

USER = "airflow"
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


def start(folder: Path) -> str:
    """Start a server in ``folder``, which it makes; returns the database's address for SQLAlchemy.

    It listens on a socket in that folder only, which nobody but its own user and root can reach. Raises
    ``CalledProcessError`` with what Postgres says.
    """
    folder.mkdir(mode=0o700)
    if owner := _owner():
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    data = folder / "data"
    _run("initdb", "--pgdata", data, "--username", USER, "--auth", "trust", "--no-sync", "--encoding", "UTF8")
    options = [f"unix_socket_directories={folder}", "listen_addresses=", "max_connections=300", *FAST]
    with (data / "postgresql.auto.conf").open("a") as settings:
        settings.writelines(f"{name}='{value}'\n" for name, value in (each.split("=") for each in options))
    _run("pg_ctl", "start", "--wait", "--pgdata", data, "--log", folder / "log")
    return f"postgresql+psycopg2://{USER}@/postgres?host={folder}"


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
