# SPDX-License-Identifier: Apache-2.0
"""Processes that count in the documents of a store, as an update that is not atomic would lose."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from airflow_provider_chattransfer.chats.model import Json
from airflow_provider_chattransfer.platforms.coordination.opening import open_store
from airflow_provider_chattransfer.platforms.coordination.store import SharedStore

TIMES = 40


def count(store: SharedStore, keys: Sequence[str]) -> list[Json]:
    """Add one to each document, and note the time in it; return the documents as they were."""

    def change(now: float, known: Mapping[str, Json]) -> tuple[Mapping[str, Json | None], list[Json]]:
        before = [known.get(key, {"count": 0, "at": 0.0}) for key in keys]
        return {key: {"count": each["count"] + 1, "at": now} for key, each in zip(keys, before, strict=True)}, before

    return store.update(keys, change)


def counts(store: SharedStore, keys: Sequence[str]) -> list[int | None]:
    """Return what has been counted; ``None`` for a document that is missing."""

    def change(_: float, known: Mapping[str, Json]) -> tuple[Mapping[str, Json | None], list[int | None]]:
        return {}, [known[key]["count"] if key in known else None for key in keys]

    return store.update(keys, change)


def time_of(store: SharedStore) -> float:
    """Return the time by the store's clock."""
    return store.update([], lambda now, _: ({}, now))


def count_in_processes(address: str | None, *work: Sequence[str]) -> list[list[list[Json]]]:
    """Count ``TIMES`` times the keys of each piece of work, each in a process of its own, all at once.

    Returns the documents that each of them found.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(len(work), mp_context=context) as pool:
        began: Any = context.Manager().Barrier(len(work))
        return list(pool.map(_count_often, [address] * len(work), work, [began] * len(work)))


def _count_often(address: str | None, keys: Sequence[str], began: Any) -> list[list[Json]]:
    store = open_store(address)
    began.wait(60)
    return [count(store, keys) for _ in range(TIMES)]


def count_in_child(store: SharedStore, keys: Sequence[str]) -> int:
    """Count once in a forked process that has the store of this one; return how it ended."""
    child = os.fork()
    if not child:
        failed = 1
        try:
            count(store, keys)
            failed = 0
        finally:
            os._exit(failed)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
