# SPDX-License-Identifier: Apache-2.0
"""``python -m demo.rows <sandbox>``: Airflow's database with the connections to the sandbox as rows of it.

A connection in the environment is not in Airflow's form, so that nobody can look at it there, change it, or press Test.
"""

from __future__ import annotations

import json
import sys
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_chattransfer.testing.connections import sandbox_connections

ACCEPT_WITHIN = "PT30S"
"""How long the receivers have here, instead of the ten minutes in the example DAGs."""


def main(sandbox_url: str) -> int:
    """Make or migrate the database, and put the rows as they were at first."""
    from airflow.models.connection import Connection
    from airflow.models.variable import Variable
    from airflow.utils.db import initdb
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    initdb()
    connections = rows(sandbox_url)
    with create_session() as session:
        session.execute(delete(Connection).where(Connection.conn_id.in_(connections)))
        session.add_all(Connection(conn_id=conn_id, **fields) for conn_id, fields in connections.items())
        Variable.set("end_of_shift_accept_within", ACCEPT_WITHIN, session=session)
    return 0


def rows(sandbox_url: str) -> dict[str, dict[str, Any]]:
    """Return the fields of each connection, with the port in its own: the button Test wants one there (Airflow 3.3)."""
    return {conn_id: _row(dict(fields)) for conn_id, fields in sandbox_connections(sandbox_url).items()}


def _row(fields: dict[str, Any]) -> dict[str, Any]:
    address = urlsplit(fields.pop("host"))
    row = {**fields, "host": f"{address.scheme}://{address.hostname}{address.path}", "port": address.port}
    return row | ({"extra": json.dumps(fields["extra"])} if "extra" in fields else {})


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
