# SPDX-License-Identifier: Apache-2.0
"""Tell whether the packages that the sandbox alone needs are installed: the extra ``[sandbox]``."""

from __future__ import annotations

from importlib.util import find_spec

PACKAGES = ("starlette", "uvicorn")


def missing_packages() -> str | None:
    """Return a sentence that says what to install; ``None`` when nothing is missing."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if not missing:
        return None
    return f"The sandbox needs {' and '.join(missing)}: pip install 'airflow-provider-chattransfer[sandbox]'"
