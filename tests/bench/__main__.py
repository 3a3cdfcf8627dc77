# SPDX-License-Identifier: Apache-2.0
"""``make bench``: requests, time and memory of bulk runs against the sandbox, and what a DAG costs to parse.

Times depend on the machine; requests do not. The sandbox runs in a process of its own, without its rate limits,
so that the time is ours and the server's, not the limit's.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import requests

from airflow_provider_chattransfer.chats.model import Chat, Outcome, Target, Transfer
from airflow_provider_chattransfer.chats.planning import Strategy, plan_transfers
from airflow_provider_chattransfer.chats.run import run_transfers
from airflow_provider_chattransfer.platforms.at_once import AtOnce
from airflow_provider_chattransfer.platforms.base import ChatPlatform
from airflow_provider_chattransfer.platforms.bitrix24.auth import Webhook
from airflow_provider_chattransfer.platforms.bitrix24.client import Bitrix24Client
from airflow_provider_chattransfer.platforms.bitrix24.platform import Bitrix24Platform
from airflow_provider_chattransfer.platforms.runner import run_to_end
from airflow_provider_chattransfer.platforms.superoffice.auth import Basic
from airflow_provider_chattransfer.platforms.superoffice.client import SuperOfficeClient
from airflow_provider_chattransfer.platforms.superoffice.platform import SuperOfficePlatform
from airflow_provider_chattransfer.platforms.superoffice.tenant import Site
from airflow_provider_chattransfer.platforms.transport import Transport
from tests.support.paces import open_pace

PORT = 8025
URL = f"http://127.0.0.1:{PORT}"
SIZES = (100, 1_000, 5_000)
FAR_CHATS = 500
DELAYS = (0.02, 0.1, 0.3)


def main() -> int:
    """Measure and print."""
    command = [sys.executable, "-m", "airflow_provider_chattransfer.sandbox", "--port", str(PORT)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as sandbox:  # noqa: S603
        try:
            wait_for_sandbox()
            print(f"{'bulk run':<14}{'chats':>8}{'requests':>10}{'req/chat':>10}{'seconds':>9}{'chats/s':>9}{'MiB':>7}")
            for service, platform in (("bitrix24", bitrix24), ("superoffice", superoffice)):
                for size in SIZES:
                    measure(service, platform(), size)
            print(f"\n{'far service':<14}{'chats':>8}{'delay':>8}{'at once':>9}{'one by one':>12}{'ratio':>7}")
            for service, platform in (("bitrix24", bitrix24), ("superoffice", superoffice)):
                for seconds in DELAYS:
                    compare(service, platform, seconds)
        finally:
            sandbox.terminate()
    planning()
    parsing()
    return 0


def measure(service: str, platform: ChatPlatform, size: int) -> None:
    reset(service, size)
    started = time.perf_counter()
    with platform:
        found = platform.find_agents_chats(["7"])
        plan = plan_transfers(found, [Target.agent("12"), Target.agent("15")], sources=[Target.agent("7")])
        steps = run_transfers(plan, chunk=platform.chunk, max_chunk=platform.max_chunk)
        results = run_to_end(steps, platform).results
    seconds = time.perf_counter() - started
    assert len(results) == size, f"{len(results)} of {size} chats came out"
    assert not [each for each in results if each.outcome is Outcome.FAILED]
    made: int = requests.get(f"{URL}/sandbox/state", timeout=60).json()["requests"][service]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{service:<14}{size:>8}{made:>10}{made / size:>10.3f}{seconds:>9.2f}{size / seconds:>9.0f}{memory:>7.0f}")


def compare(service: str, platform: Callable[[], Bitrix24Platform | SuperOfficePlatform], seconds: float) -> None:
    """Time a run against a service each of whose answers takes ``seconds`` longer, and the same with one at a time."""
    took = []
    for most in (None, 1):
        one = platform()
        if most is not None:
            one._at_once = AtOnce(most)
        reset(service, FAR_CHATS)
        delay = {"kind": "delay_before", "service": service, "seconds": seconds, "count": 10**6}
        requests.post(f"{URL}/sandbox/faults", json=delay, timeout=60).raise_for_status()
        plan = [Transfer(str(10_000 + number), Target.agent("12")) for number in range(FAR_CHATS)]
        started = time.perf_counter()
        with one:
            steps = run_transfers(plan, chunk=one.chunk, max_chunk=one.max_chunk)
            results = run_to_end(steps, one).results
        took.append(time.perf_counter() - started)
        assert not [each for each in results if each.outcome is Outcome.FAILED]
    ours, single = took
    print(f"{service:<14}{FAR_CHATS:>8}{seconds:>7.2f}s{ours:>8.2f}s{single:>11.2f}s{single / ours:>7.1f}")


def reset(service: str, size: int) -> None:
    """Begin anew with so many chats of agent 7, and without a limit of requests."""
    chats = [{"id": 10_000 + number, "owner": 7, "queue": 3} for number in range(size)]
    limits = {"rate": None} if service == "bitrix24" else {}
    requests.post(f"{URL}/sandbox/reset", json={service: {"chats": chats, **limits}}, timeout=60).raise_for_status()


def bitrix24() -> Bitrix24Platform:
    webhook = Webhook(portal=URL, user_id="1", code="secretcode", bot_client_id="chattransfer")
    return Bitrix24Platform(Bitrix24Client(auth=webhook, transport=transport()))


def superoffice() -> SuperOfficePlatform:
    def acting_as(user: str, password: str) -> SuperOfficeClient:
        address = f"{URL}/Cust12345"
        return SuperOfficeClient(address=Site(address), auth=Basic(user, password), transport=transport())

    owner = acting_as("agent7", "Secret7")
    return SuperOfficePlatform(acting_as("tje0", "Tje0"), identities=lambda _: owner)


def transport() -> Transport:
    return Transport(pace=open_pace(), read_timeout=60)


def planning() -> None:
    """Planning alone, to see that it is linear in the chats."""
    print(f"\n{'plan':<16}{'chats':>8}{'seconds':>9}")
    targets = [Target.agent(str(number)) for number in range(1, 31)]
    for strategy in Strategy:
        for size in (5_000, 50_000):
            chats = [Chat(id=str(number), owner="99", customer=f"user {number // 3}") for number in range(1, size + 1)]
            started = time.perf_counter()
            plan_transfers(chats, targets, strategy=strategy)
            print(f"{strategy:<16}{size:>8}{time.perf_counter() - started:>9.3f}")


def parsing() -> None:
    """Measure what importing the operators costs a DAG, beyond Airflow's own."""
    code = """
import json, time
import airflow.sdk, airflow.providers.common.compat.sdk as compat
compat.BaseSensorOperator, compat.BaseOperator, compat.conf
started = time.perf_counter()
import airflow_provider_chattransfer.operators.transfer, airflow_provider_chattransfer.sensors.accept_transfer
print(json.dumps(time.perf_counter() - started))
"""
    runs: list[Any] = [
        json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)  # noqa: S603
        for _ in range(3)
    ]
    print(f"\nimporting operators and sensor in a DAG: {min(runs) * 1000:.0f} ms (best of three)")


def wait_for_sandbox() -> None:
    for _ in range(100):
        try:
            requests.get(f"{URL}/sandbox/state", timeout=1)
            return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise RuntimeError("the sandbox did not start")


if __name__ == "__main__":
    sys.exit(main())
