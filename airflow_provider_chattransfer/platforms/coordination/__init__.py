# SPDX-License-Identifier: Apache-2.0
"""What the processes, workers and hosts that act on one account share: its pace."""
