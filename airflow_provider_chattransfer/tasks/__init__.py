# SPDX-License-Identifier: Apache-2.0
"""What operators, sensors and triggers share: the run record, the report, retries, options and deferral."""
