# SPDX-License-Identifier: Apache-2.0
"""Read the sandbox's command line and serve both services on a loopback port."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .request_body import parse_json_object
from .server import HOST, SandboxServer

PORT = 8024

DESCRIPTION = """\
Bitrix24 Open Lines and SuperOffice chat as one local server: stateful, over HTTP, with agents, queues, customers'
chats, limits and errors, and with simulated people who accept chats or do not. It uses no real data and listens on
127.0.0.1 only.
"""

SERVED = """\
  Bitrix24     {url}/rest/1/secretcode/
               the webhook of user 1, an administrator; operators have their own: /rest/7/secretcode7/
               OAuth tokens at /oauth/token/, client local.chattransfer / appsecret, refresh token refresh-1
  SuperOffice  {url}/Cust12345/api/v1/
               supervisor tje0 / Tje0, agents agent7 / Secret7 and so on, Bearer 8A:Cust12345.agent7
               tokens at /login/common/oauth/tokens, the tenant's state at /api/state/Cust12345
  Page         {url}/
               agents, queues and chats of both services, live in a browser"""

EPILOG = """\
what it serves:
{served}

control plane:
  GET    /sandbox/state           agents, queues and chats, the time, the number of requests
  GET    /sandbox/ledger?since=0  every change of every chat: when, by whom, by which request
  POST   /sandbox/reset           discard everything and start from the scenario in the body
  POST   /sandbox/clock           {{"skip": 3600}} skips an hour, {{"speed": 60}} lets a minute pass in each second
  GET    /sandbox/faults          the armed faults, and how often each has struck
  POST   /sandbox/faults          arm a fault
  DELETE /sandbox/faults          remove all faults

a scenario, for --scenario or POST /sandbox/reset:
  {{"seed": 7, "bitrix24": {{"operators": 10, "chats": 200, "people": {{"accept_after": [5, 60], "reject": 0.1}}}},
   "superoffice": {{"chats": [{{"id": 157, "owner": 7}}], "switches": {{"manager_may_transfer": true}}}}}}

a fault: in the next ten minutes, a fifth of the transfers are carried out, but their answers are lost
  curl -X POST {url}/sandbox/faults -d '{{"kind": "drop_after", "service": "bitrix24",
    "method": "imopenlines.bot.session.transfer", "share": 0.2, "for_seconds": 600}}'

docs/sandbox.md has all keys of a scenario, all switches, the kinds of faults, and how to test a DAG with it.
"""


def main(command_line: Sequence[str] | None = None) -> None:
    """Read the command line and serve until interrupted; exit with code 2 if the sandbox cannot start."""
    parser = _parser()
    arguments = parser.parse_args(command_line)
    try:
        server = SandboxServer(
            _scenario(arguments.scenario),
            port=arguments.port,
            certificate=arguments.certificate,
            key=arguments.key,
        )
    except (ValueError, OSError, OverflowError) as problem:
        parser.exit(2, f"The sandbox cannot start: {problem}\n")
    print(SERVED.format(url=server.url), flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()


def _parser() -> argparse.ArgumentParser:
    served = SERVED.format(url=f"http://{HOST}:{PORT}")
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_chattransfer.sandbox",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=DESCRIPTION,
        epilog=EPILOG.format(served=served, url=f"http://{HOST}:{PORT}"),
    )
    parser.add_argument("--port", type=int, default=PORT, help=f"port on {HOST}; 0 for a free one (default: {PORT})")
    parser.add_argument("--scenario", type=Path, metavar="FILE", help="a JSON file, as POST /sandbox/reset takes it")
    parser.add_argument("--certificate", type=Path, metavar="FILE", help="a PEM file; the sandbox then speaks https")
    parser.add_argument("--key", type=Path, metavar="FILE", help="its private key, unless that is in the same file")
    return parser


def _scenario(file: Path | None) -> Any:
    if file is None:
        return None
    return parse_json_object(file.read_bytes(), str(file))
