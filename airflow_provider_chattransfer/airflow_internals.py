# SPDX-License-Identifier: Apache-2.0
"""Reach into Airflow where its public interface (``airflow.sdk``, common.compat) has no way; nothing else here does.

Each function names the versions in which the internal was seen, and what happens where it is absent. Nothing of
Airflow is imported before it is needed.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from .exceptions import TokenStoreError


def reschedule_exception() -> type[BaseException]:
    """Return the exception with which a sensor asks to be rescheduled.

    ``airflow.sdk.exceptions`` has it since 3.2 (seen in 3.2.2 and 3.3.2), ``airflow.exceptions`` in 3.1.8.
    """
    try:
        from airflow.sdk.exceptions import AirflowRescheduleException
    except ImportError:
        from airflow.exceptions import AirflowRescheduleException
    kind: type[BaseException] = AirflowRescheduleException
    return kind


def act_as_server() -> None:
    """Let this process find connections as Airflow's services and commands do, also in the database.

    Airflow reads ``_AIRFLOW_PROCESS_CONTEXT`` before it chooses its secrets backends (seen in 3.1.8 to 3.3.2). Where
    it did not, only the environment and secrets backends would be searched.
    """
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")


def mask_in_services(text: str) -> None:
    """Have ``text`` masked in the logs of the API server and the other services, which have a masker of their own.

    It is ``airflow._shared.secrets_masker`` (seen in 3.1.8, 3.2.2 and 3.3.2). A process that has not loaded it, such as
    a worker, logs through the masker of tasks alone.
    """
    masker = sys.modules.get("airflow._shared.secrets_masker")
    if masker is not None:
        masker.mask_secret(text)


def is_in_task() -> bool:
    """Tell whether this is a worker or a triggerer, which reach Variables through their supervisor.

    They have ``SUPERVISOR_COMMS`` in the module of the task runner (seen in 3.1.8 to 3.3.2). Without it, Variables are
    read from the database.
    """
    return hasattr(sys.modules.get("airflow.sdk.execution_time.task_runner"), "SUPERVISOR_COMMS")


def read_variable(key: str) -> str | None:
    """Read a Variable; ``None`` where there is none.

    ``Variable.get`` calls a Variable missing that could not be read for another reason, and the token in it would be
    lost. So a task asks the supervisor itself, and a service reads the database (both seen in 3.1.8 to 3.3.2). Raises
    ``TokenStoreError`` for a Variable that is there and cannot be read, and Airflow's own errors.
    """
    return _read_from_supervisor(key) if is_in_task() else _read_from_database(key)


def write_variable(key: str, text: str, *, description: str) -> None:
    """Write a Variable: a task through its supervisor, a service into the database (seen in 3.1.8 to 3.3.2)."""
    if is_in_task():
        from airflow.sdk import Variable

        Variable.set(key, text, description=description)
    else:
        from airflow.models.variable import Variable as StoredVariable

        StoredVariable.set(key, text, description=description)


def _read_from_supervisor(key: str) -> str | None:
    from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import ErrorResponse, GetVariable, VariableResult

    try:
        reply: Any = task_runner.SUPERVISOR_COMMS.send(GetVariable(key=key))
    except AirflowRuntimeError as error:
        reply = error.error
    if isinstance(reply, ErrorResponse) and reply.error is not ErrorType.VARIABLE_NOT_FOUND:
        raise TokenStoreError(f"Airflow's Variables cannot be read: {reply.error.value}")
    return reply.value if isinstance(reply, VariableResult) else None


def _read_from_database(key: str) -> str | None:
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        found = session.scalar(select(Variable).where(Variable.key == key))
        if found and found.val is None:
            raise TokenStoreError(
                f"Airflow's Variable {key} cannot be decrypted; give all of Airflow the same fernet_key"
            )
        return found.val if found else None
