# SPDX-License-Identifier: Apache-2.0
"""Any JSON value in any place of any answer of a service, and what a task makes of it."""
