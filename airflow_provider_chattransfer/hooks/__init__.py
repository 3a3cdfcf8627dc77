# SPDX-License-Identifier: Apache-2.0
"""An Airflow connection becomes a platform."""
