# SPDX-License-Identifier: Apache-2.0
"""What several folders of tests stand on: answers told to a server, connections of every kind, ports, Redis."""
