# SPDX-License-Identifier: Apache-2.0
"""Move customers' open chats between operators and queues, and wait until they are accepted."""

__version__ = "0.1.0"
