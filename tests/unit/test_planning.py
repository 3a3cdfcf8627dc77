# SPDX-License-Identifier: Apache-2.0
"""Who gets which chat."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_chattransfer.chats.model import Chat, Target
from airflow_provider_chattransfer.chats.planning import Strategy, plan_transfers

TARGETS = st.lists(
    st.one_of(
        st.integers(100, 110).map(lambda number: Target.parse(f"agent:{number}")),
        st.integers(1, 5).map(lambda number: Target.parse(f"queue:{number}")),
    ),
    min_size=1,
    max_size=8,
    unique=True,
)


def chats(*, owners: st.SearchStrategy[str | None]) -> st.SearchStrategy[list[Chat]]:
    one = st.builds(
        Chat,
        id=st.integers(1, 10_000).map(str),
        owner=owners,
        customer=st.one_of(st.none(), st.integers(1, 20).map(lambda number: f"user {number}")),
    )
    return st.lists(one, max_size=60, unique_by=lambda chat: chat.id)


LEAVING = st.sampled_from(["7", "8", None])
ANYBODY = st.one_of(LEAVING, st.integers(100, 110).map(str))


class TestEveryStrategy:
    @given(chats=chats(owners=ANYBODY), targets=TARGETS, strategy=st.sampled_from(Strategy))
    def test_every_chat_that_goes_in_comes_out_once_and_in_order(
        self, chats: list[Chat], targets: list[Target], strategy: Strategy
    ) -> None:
        plan = plan_transfers(chats, targets, strategy=strategy)
        assert [transfer.chat_id for transfer in plan] == [chat.id for chat in chats]
        assert {transfer.target for transfer in plan} <= set(targets)

    @given(chats=chats(owners=ANYBODY), targets=TARGETS, strategy=st.sampled_from(Strategy))
    def test_the_same_input_gives_the_same_plan(
        self, chats: list[Chat], targets: list[Target], strategy: Strategy
    ) -> None:
        first = plan_transfers(chats, targets, strategy=strategy)
        assert first == plan_transfers(list(chats), list(targets), strategy=strategy)

    @given(chats=chats(owners=ANYBODY), targets=TARGETS, strategy=st.sampled_from(Strategy))
    def test_a_chat_that_a_receiver_has_already_stays_with_them(
        self, chats: list[Chat], targets: list[Target], strategy: Strategy
    ) -> None:
        for chat, transfer in zip(chats, plan_transfers(chats, targets, strategy=strategy), strict=True):
            if chat.holder in targets:
                assert transfer.target == chat.holder

    def test_a_chat_that_a_receiver_has_been_asked_to_take_is_not_given_to_another(self) -> None:
        anna, ben = Target.parse("agent:12"), Target.parse("agent:15")
        asked = [Chat(id="1", offered_to="15"), Chat(id="2", owner="7", offered_to="15")]
        assert [transfer.target for transfer in plan_transfers(asked, [anna, ben])] == [ben, ben]

    def test_no_targets_are_an_error(self) -> None:
        with pytest.raises(ValueError, match="to: the list is empty"):
            plan_transfers([Chat(id="1")], [])


class TestRoundRobin:
    @given(chats=chats(owners=LEAVING), targets=TARGETS)
    def test_round_robin_is_balanced_within_one_chat(self, chats: list[Chat], targets: list[Target]) -> None:
        given_to = Counter(transfer.target for transfer in plan_transfers(chats, targets))
        shares = [given_to[target] for target in targets]
        assert max(shares) - min(shares) <= 1

    @given(chats=chats(owners=ANYBODY), targets=TARGETS)
    def test_round_robin_balances_what_moves_when_receivers_have_chats_already(
        self, chats: list[Chat], targets: list[Target]
    ) -> None:
        plan = plan_transfers(chats, targets)
        moving = Counter(
            transfer.target
            for chat, transfer in zip(chats, plan, strict=True)
            if chat.owner is None or chat.holder != transfer.target
        )
        shares = [moving[target] for target in targets]
        assert max(shares) - min(shares) <= 1

    def test_a_closed_chat_does_not_count_in_round_robin(self) -> None:
        targets = [Target.parse("agent:12"), Target.parse("agent:15")]
        plan = plan_transfers([Chat(id="1"), Chat(id="2", closed=True), Chat(id="3")], targets)
        assert [str(plan[0].target), str(plan[2].target)] == ["agent:12", "agent:15"]


class TestLeastLoaded:
    def test_least_loaded_fills_up_whoever_has_the_fewest_chats(self) -> None:
        anna, ben = Target.parse("agent:12"), Target.parse("agent:15")
        waiting = [Chat(id=str(number)) for number in range(1, 6)]
        plan = plan_transfers(waiting, [anna, ben], strategy=Strategy.LEAST_LOADED, loads={anna: 3, ben: 0})
        assert [transfer.target for transfer in plan] == [ben, ben, ben, anna, ben]

    @given(chats=chats(owners=LEAVING), targets=TARGETS, loads=st.lists(st.integers(0, 10), min_size=8, max_size=8))
    def test_nobody_is_given_a_chat_while_another_has_fewer(
        self, chats: list[Chat], targets: list[Target], loads: list[int]
    ) -> None:
        have = dict(zip(targets, loads, strict=False))
        for transfer in plan_transfers(chats, targets, strategy=Strategy.LEAST_LOADED, loads=have):
            assert have[transfer.target] == min(have.values())
            have[transfer.target] += 1


class TestKeepTogether:
    @given(chats=chats(owners=LEAVING), targets=TARGETS)
    def test_one_customers_chats_go_to_one_target(self, chats: list[Chat], targets: list[Target]) -> None:
        plan = plan_transfers(chats, targets, strategy=Strategy.KEEP_TOGETHER)
        receivers: dict[str, set[Target]] = {}
        for chat, transfer in zip(chats, plan, strict=True):
            if chat.customer:
                receivers.setdefault(chat.customer, set()).add(transfer.target)
        assert all(len(targets) == 1 for targets in receivers.values())

    def test_keep_together_follows_the_agent_who_has_the_customer_already(self) -> None:
        anna, ben = Target.parse("agent:12"), Target.parse("agent:15")
        plan = plan_transfers(
            [Chat(id="1", owner="7", customer="user 1"), Chat(id="2", owner="15", customer="user 1")],
            [anna, ben],
            strategy=Strategy.KEEP_TOGETHER,
        )
        assert [transfer.target for transfer in plan] == [ben, ben]


class TestSources:
    def test_a_transfer_remembers_whom_it_takes_from(self) -> None:
        chats = [Chat(id="1", owner="7"), Chat(id="2", offered_to="7"), Chat(id="3", owner="9")]
        plan = plan_transfers(chats, [Target.parse("agent:12")], sources=[Target.agent("7")])
        assert [(str(transfer.source), transfer.offered) for transfer in plan] == [
            ("agent:7", False),
            ("agent:7", True),
            ("None", False),
        ]
