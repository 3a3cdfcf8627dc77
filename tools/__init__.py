# SPDX-License-Identifier: Apache-2.0
"""Programs for whoever works on the provider; none of them is part of the package."""
