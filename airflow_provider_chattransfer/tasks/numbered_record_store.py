# SPDX-License-Identifier: Apache-2.0
"""Keep the entries of a run record under consecutive numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import count

from typing_extensions import override

from ..chats.model import Json
from ..chats.run_record import RecordStore
from ..exceptions import BrokenRecordError, RecordTakenOverError, RecordWriteError


class NumberedRecordStore(RecordStore, ABC):
    """Keep entries under the numbers 1, 2, 3, … up to the first that is missing; one after it is an error."""

    def __init__(self) -> None:
        self._length: int | None = None

    @abstractmethod
    def _read(self, number: int) -> Json | None:
        """Return the entry with this number; ``None`` when it is missing or was cut off."""

    @abstractmethod
    def _has_entry_from(self, number: int) -> bool:
        """Tell whether there is an entry with this number or a greater one."""

    @abstractmethod
    def _write(self, number: int, entry: Json) -> None:
        """Keep the entry with this number."""

    @override
    def entries(self) -> Iterator[Json]:
        for number in count(1):
            entry = self._read(number)
            if entry is None:
                if self._has_entry_from(number + 1):
                    raise BrokenRecordError(f"entry {number} of the run's record is missing, and later ones are there")
                self._length = number - 1
                return
            if not isinstance(entry, dict):
                raise BrokenRecordError(f"entry {number} of the run's record is no entry")
            yield entry

    @override
    def append(self, entry: Json) -> None:
        if self._length is None:
            for _ in self.entries():
                pass
        number = (self._length or 0) + 1
        try:
            self._write(number, entry)
        except RecordTakenOverError:
            raise
        except Exception as cause:
            raise RecordWriteError("the record of this run", cause) from cause
        self._length = number
