# SPDX-License-Identifier: Apache-2.0
"""The domain: chats, who gets which, when a transfer is settled. No Airflow, no I/O, no clock of its own."""
