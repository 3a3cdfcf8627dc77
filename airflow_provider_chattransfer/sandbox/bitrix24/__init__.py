# SPDX-License-Identifier: Apache-2.0
"""A simulated Bitrix24 portal with open lines, written from Bitrix24's documents and its published server source."""

from .portal import Portal

__all__ = ["Portal"]
