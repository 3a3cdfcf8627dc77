# SPDX-License-Identifier: Apache-2.0
"""Add a third service: Helpwave, an invented help desk, in one folder and one line (``docs/add-a-platform.md``)."""
