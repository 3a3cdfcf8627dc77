# SPDX-License-Identifier: Apache-2.0
"""The files with which processes take turns, and what others may have put in their place."""

from __future__ import annotations

import os
import signal
import socket
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_provider_chattransfer.exceptions import HostFileError, TokenStoreError, TransferError
from airflow_provider_chattransfer.hooks.token_stores import VariableStore
from airflow_provider_chattransfer.platforms.account_lock import AccountLock
from airflow_provider_chattransfer.platforms.file_lock import host_file, lock_folder, open_private
from airflow_provider_chattransfer.platforms.tokens.file_store import FileStore
from airflow_provider_chattransfer.platforms.tokens.manager import Entry

NOBODY = 65534
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")


@pytest.fixture(autouse=True)
def no_hanging() -> Iterator[None]:
    """Five seconds: what is no file may keep who opens it waiting for ever."""

    def late(*_: object) -> None:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(5)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def a_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path.name)
    finally:
        os.chdir(here)


def another_users(path: Path) -> None:
    path.touch(0o600)
    os.chown(path, NOBODY, NOBODY)


def open_to_all(path: Path) -> None:
    path.touch()
    path.chmod(0o666)


def a_link(path: Path) -> None:
    target = path.with_name("target")
    target.touch(0o600)
    path.symlink_to(target)


PLANTED = [
    pytest.param(os.mkfifo, "a pipe", id="pipe"),
    pytest.param(Path.mkdir, "a folder", id="folder"),
    pytest.param(a_link, "a link", id="link"),
    pytest.param(lambda path: path.symlink_to(path.with_name("nowhere")), "a link", id="dangling link"),
    pytest.param(lambda path: path.symlink_to("/dev/zero"), "a link", id="link to a device"),
    pytest.param(lambda path: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5)), "a device", id="device",
                 marks=root),
    pytest.param(a_socket, "a socket", id="socket"),
    pytest.param(open_to_all, "open to other users", id="open to all"),
    pytest.param(another_users, "belongs to user 65534", id="of another user", marks=root),
]  # fmt: skip

LOCK_FILES = (".account.lock", ".waiting.lock", ".claims", ".claims.lock")


class TestAFile:
    @pytest.mark.parametrize(("plant", "what"), PLANTED)
    def test_a_lock_file_of_somebody_else_is_an_error_that_names_it(
        self, plant: Callable[[Path], None], what: str
    ) -> None:
        path = host_file("account", ".account.lock")
        plant(path)
        with pytest.raises(HostFileError, match=f"(?s){path}.*{what}.*delete it") as error:
            open_private(path)
        assert isinstance(error.value, TransferError)
        assert not isinstance(error.value, ValueError)
        assert len(str(error.value)) < 300

    @pytest.mark.parametrize("suffix", LOCK_FILES)
    @pytest.mark.parametrize(("plant", "what"), PLANTED)
    def test_the_file_of_the_account_lock_is_checked_each_time(
        self, plant: Callable[[Path], None], what: str, suffix: str
    ) -> None:
        account_lock = AccountLock("account", run="mine", since=0.0)
        account_lock.acquire()
        account_lock.release()
        path = host_file("account", suffix)
        path.unlink()
        plant(path)
        with pytest.raises(HostFileError, match=what):
            account_lock.acquire()
        assert threading.active_count() < 50

    @pytest.mark.parametrize(("plant", "what"), PLANTED)
    def test_a_token_file_of_somebody_else_fails_the_store(
        self, plant: Callable[[Path], None], what: str, tmp_path: Path
    ) -> None:
        plant(host_file("mine", ".token"))
        with pytest.raises(TokenStoreError, match=what), VariableStore("mine", account="portal").lock():
            pass
        plant(tmp_path / "mine.lock")
        store = FileStore(tmp_path, name="mine")
        with pytest.raises(TokenStoreError, match=f"{what}.*token_store_at"), store.lock():
            pass
        (tmp_path / "target").unlink(missing_ok=True)
        plant(tmp_path / "mine.credential")
        with pytest.raises(TokenStoreError, match=f"{what}.*token_store_at"):
            store.load(Entry.TOKEN)

    def test_a_lock_file_is_for_us_alone(self) -> None:
        mask = os.umask(0)
        try:
            open_private(host_file("account", ".account.lock")).close()
        finally:
            os.umask(mask)
        path = host_file("account", ".account.lock")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    def test_a_lock_file_is_not_made_where_none_is_asked_for(self) -> None:
        with pytest.raises(FileNotFoundError):
            open_private(host_file("account", ".account.lock"), create=False)
        assert not host_file("account", ".account.lock").exists()

    def test_a_lock_file_is_not_left_open_to_a_child(self) -> None:
        with open_private(host_file("account", ".account.lock")) as file:
            assert not os.get_inheritable(file.fileno())


def a_folder_of_another_user(path: Path) -> None:
    path.mkdir(0o700)
    os.chown(path, NOBODY, NOBODY)


def a_folder_open_to_all(path: Path) -> None:
    path.mkdir()
    path.chmod(0o1777)


def a_link_to_a_folder(path: Path) -> None:
    own = path.with_name("own")
    own.mkdir(0o700, exist_ok=True)
    path.symlink_to(own)


class TestTheFolder:
    @pytest.mark.parametrize(
        ("plant", "what"),
        [
            pytest.param(os.mkfifo, "is a pipe", id="pipe"),
            pytest.param(Path.touch, "is a file", id="file"),
            pytest.param(a_link_to_a_folder, "is a link", id="link"),
            pytest.param(lambda path: path.symlink_to("nowhere"), "is a link", id="dangling link"),
            pytest.param(a_folder_open_to_all, "is open to other users, mode 1777", id="open to all"),
            pytest.param(a_folder_of_another_user, "belongs to user 65534, and we are", id="of another user",
                         marks=root),
        ],
    )  # fmt: skip
    def test_a_folder_of_somebody_else_is_an_error_that_names_it(
        self, locks: Path, plant: Callable[[Path], None], what: str
    ) -> None:
        plant(locks)
        for use in (
            lock_folder,
            lambda: host_file("account", ".account.lock"),
            AccountLock("account", run="mine", since=0.0).acquire,
        ):
            with pytest.raises(HostFileError, match=f"{locks} {what}.*delete it"):
                use()

    def test_the_folder_is_checked_again_when_it_was_there_before(self, locks: Path) -> None:
        account_lock = AccountLock("account", run="mine", since=0.0)
        account_lock.acquire()
        account_lock.release()
        locks.chmod(0o777)
        with pytest.raises(HostFileError, match="mode 777"):
            account_lock.acquire()

    @pytest.mark.parametrize("where", ["nowhere", "file"])
    def test_a_folder_that_cannot_be_made_is_an_error_that_says_what_to_do(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
    ) -> None:
        (tmp_path / "file").touch()
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / where))
        with pytest.raises(HostFileError, match=f"{where}.*TMPDIR"):
            lock_folder()

    def test_a_host_without_any_place_for_temporary_files_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def none() -> str:
            raise FileNotFoundError(2, "No usable temporary directory found")

        monkeypatch.setattr(tempfile, "gettempdir", none)
        with pytest.raises(HostFileError, match="No usable temporary directory"):
            lock_folder()
