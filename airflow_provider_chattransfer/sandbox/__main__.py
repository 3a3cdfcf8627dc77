# SPDX-License-Identifier: Apache-2.0
"""``python -m airflow_provider_chattransfer.sandbox``: both services on a loopback port."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from .server import HOST, serve

PORT = 8024


def main() -> None:
    """Read the command line and serve until interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_chattransfer.sandbox",
        description="Bitrix24 Open Lines and SuperOffice chat as one local server, with simulated people.",
        epilog="See docs/sandbox.md for scenarios, faults and the ledger.",
    )
    parser.add_argument("--port", type=int, default=PORT, help=f"port on {HOST} (default: {PORT})")
    parser.add_argument("--scenario", type=Path, help="a JSON file, as POST /sandbox/reset takes it")
    arguments = parser.parse_args()
    scenario = json.loads(arguments.scenario.read_text()) if arguments.scenario else None
    print(f"Bitrix24     http://{HOST}:{arguments.port}/rest/1/secretcode/")
    print(f"SuperOffice  http://{HOST}:{arguments.port}/Cust12345/api/v1/  (tje0 / Tje0)")
    print(f"State        http://{HOST}:{arguments.port}/sandbox/state", flush=True)
    serve(scenario, port=arguments.port)


if __name__ == "__main__":
    main()
