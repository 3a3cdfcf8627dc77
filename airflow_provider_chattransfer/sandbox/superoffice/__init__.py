# SPDX-License-Identifier: Apache-2.0
"""SuperOffice chat as a local tenant: `Tenant` is the service, everything else is its inside."""

from .tenant import Tenant

__all__ = ["Tenant"]
