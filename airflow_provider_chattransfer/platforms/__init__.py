# SPDX-License-Identifier: Apache-2.0
"""The services: HTTP in, domain out. No Airflow here."""
