# SPDX-License-Identifier: Apache-2.0
"""``make demo`` and ``make airflow``: the example DAGs on the sandbox."""
