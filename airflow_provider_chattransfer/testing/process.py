# SPDX-License-Identifier: Apache-2.0
"""The sandbox as a separate process, which shares nothing with the test but the port."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from types import TracebackType

ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


class SandboxProcess:
    """A sandbox on a free port, for as long as the block lasts.

    >>> with SandboxProcess() as sandbox:  # doctest: +SKIP
    ...     requests.get(f"{sandbox.url}/sandbox/state")
    """

    def __enter__(self) -> SandboxProcess:
        """Start the process and read its address.

        Raises ``RuntimeError`` if it does not start, and says what to install where its packages are missing.
        """
        if missing := [name for name in ("starlette", "uvicorn") if find_spec(name) is None]:
            packages = " and ".join(missing)
            raise RuntimeError(f"the sandbox needs {packages}: pip install 'airflow-provider-chattransfer[sandbox]'")
        command = [sys.executable, "-m", "airflow_provider_chattransfer.sandbox", "--port", "0"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
        assert self._process.stdout is not None
        told = next((found for line in self._process.stdout if (found := ADDRESS.search(line))), None)
        if told is None:
            raise RuntimeError(f"the sandbox did not start, exit code {self._process.wait()}")
        self.url = told[0]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(timeout=10)
