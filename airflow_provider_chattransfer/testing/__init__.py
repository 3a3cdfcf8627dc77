# SPDX-License-Identifier: Apache-2.0
"""What a user needs to test their own DAGs."""
