# SPDX-License-Identifier: Apache-2.0
"""The trigger that waits for acceptance. It only reads, since Airflow may start a trigger twice."""
