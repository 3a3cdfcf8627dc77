# SPDX-License-Identifier: Apache-2.0
"""Where tokens are stored, and how one process at a time refreshes them."""
