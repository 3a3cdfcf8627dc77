# SPDX-License-Identifier: Apache-2.0
"""Bitrix24 Open Lines as a stateful server, written from its documents and its published server source."""

from .portal import Portal

__all__ = ["Portal"]
