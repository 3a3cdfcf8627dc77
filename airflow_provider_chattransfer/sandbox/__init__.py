# SPDX-License-Identifier: Apache-2.0
"""A local server that simulates Bitrix24 Open Lines and SuperOffice chat, for tests and the demo.

It is written from the services' documents alone. It imports nothing of the provider, and the provider imports nothing
of it, so that an error in one is not repeated in the other.
"""
