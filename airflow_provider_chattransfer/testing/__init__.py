# SPDX-License-Identifier: Apache-2.0
"""Fixtures and helpers for users who test their own DAGs against the sandbox."""
