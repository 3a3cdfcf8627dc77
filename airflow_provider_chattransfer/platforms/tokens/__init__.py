# SPDX-License-Identifier: Apache-2.0
"""Tokens and tickets that run out: where they are kept, and how one process at a time renews them."""
