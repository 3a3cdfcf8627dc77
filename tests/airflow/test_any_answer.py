# SPDX-License-Identifier: Apache-2.0
"""Any JSON value in any place of any answer, for every operator: typed errors, no chat that was not named, no lie."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_chattransfer.sandbox.server import SandboxServer

from ..fuzz.changes import changes
from ..fuzz.errands import ERRANDS, Errand
from ..fuzz.floor import Floor, open_floor
from ..fuzz.judge import judge, lied_about

EXAMPLES = settings().max_examples * 2
"""For each service. ``make test`` has always the same ones, ``make chaos`` more, by the seed that it prints."""

RANDOM = settings().max_examples > 100

ALL = [each for errands in ERRANDS.values() for each in errands]


@pytest.fixture(scope="module")
def floor(sandbox_server: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    with open_floor(sandbox_server, tmp_path_factory.mktemp("tokens")) as floor:
        yield floor


@pytest.mark.parametrize("errand", ALL, ids=lambda each: f"{each.service}: {each.name}")
def test_an_errand_that_nobody_disturbs_is_done_and_judged_well(floor: Floor, errand: Errand) -> None:
    ran = floor.run(errand)
    assert ran.error is None
    assert judge(errand, ran) == []
    assert lied_about(ran.told) == frozenset()


@pytest.mark.parametrize("service", ERRANDS)
@given(data=st.data())
@settings(max_examples=EXAMPLES, derandomize=not RANDOM, suppress_health_check=list(HealthCheck))
def test_any_answer_has_a_right_end(floor: Floor, service: str, data: st.DataObject) -> None:
    errand = data.draw(st.sampled_from(ERRANDS[service]))
    changed = data.draw(changes(floor.course(errand), floor.pool(service)))
    assert judge(errand, floor.run(errand, changed)) == []
