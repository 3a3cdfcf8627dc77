# SPDX-License-Identifier: Apache-2.0
"""What the matrix of faults borrows from the tests of the platforms and of real tasks."""

from __future__ import annotations

from ..airflow.conftest import no_pauses, sandbox
from ..platforms.conftest import stage

__all__ = ["no_pauses", "sandbox", "stage"]
