# SPDX-License-Identifier: Apache-2.0
"""Both services as one local server: the second opinion that demo and tests believe.

Written from the services' documents alone. It imports nothing of the provider, and the provider nothing of it.
"""
