# SPDX-License-Identifier: Apache-2.0
"""Bitrix24 Open Lines."""
