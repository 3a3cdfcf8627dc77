# SPDX-License-Identifier: Apache-2.0
"""The operators: they read parameters, run a transfer or an acceptance, and return a report."""
