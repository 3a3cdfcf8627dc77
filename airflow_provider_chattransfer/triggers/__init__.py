# SPDX-License-Identifier: Apache-2.0
"""Triggers. They only read: a trigger may be started twice."""
