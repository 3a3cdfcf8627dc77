# SPDX-License-Identifier: Apache-2.0
"""``python -m airflow_provider_chattransfer.sandbox``: start the sandbox, or say which packages it needs."""

from __future__ import annotations

import sys

from .requirements import missing_packages

if __name__ == "__main__":
    if sentence := missing_packages():
        sys.exit(sentence)
    from .command_line import main

    main()
