# SPDX-License-Identifier: Apache-2.0
"""The simulated people: agents accept with a delay, take breaks and leave; customers write, close and come back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from statistics import median
from typing import Any

import pytest

from .bitrix24_client import TRANSFER, PortalClient
from .superoffice_client import TenantClient

NOBODY_ANSWERS = {"ignore": 1}
LONG = 100_000
MINUTES = 60
BREAK = {"break_after": 100 * MINUTES, "break_for": 50 * MINUTES}
CLIENT, CLIENT_AFTER_OPERATOR, OPERATOR = 20, 25, 40

Change = Mapping[str, Any]


def ledger(portal: PortalClient, chat: int | None = None) -> list[Change]:
    changes = portal.http.get(f"{portal.sandbox.url}/sandbox/ledger").json()["changes"]
    return [change for change in changes if chat in (None, int(change["chat_id"]))]


def seconds(change: Change) -> float:
    return datetime.fromisoformat(change["at"]).timestamp()


def agent(portal: PortalClient, number: int) -> dict[str, Any]:
    """Return an operator as the sandbox knows them."""
    agents = portal.http.get(f"{portal.sandbox.url}/sandbox/state").json()["bitrix24"]["agents"]
    return next(each for each in agents if each["id"] == str(number))


def status(portal: PortalClient, chat: int, *, operator: int) -> int:
    """Return the number of the session's status, as its operator sees it."""
    recent = portal.result("im.recent.get", {"ONLY_OPENLINES": "Y"}, webhook=f"{operator}/secretcode{operator}")
    found = next(item for item in recent if item["chat_id"] == chat)
    return int(found["lines"]["status"])


def two_operators(**scenario: Any) -> dict[str, Any]:
    """Return a scenario with operators 7 and 12 in line 3 and chat 101 with 7; both accept an offer after a minute."""
    return {
        "operators": [{"id": 7}, {"id": 12}],
        "queues": [{"id": 3, "members": [7, 12]}],
        "chats": [{"id": 101, "owner": 7}],
        "people": {"accept_after": 1 * MINUTES},
        **scenario,
    }


def single(agent: int, **behavior: Any) -> dict[str, Any]:
    """Return ``people`` who all accept after a minute, with the ``behavior`` of one ``agent``."""
    return {"accept_after": 1 * MINUTES, "agents": {str(agent): behavior}}


class TestHowLongAnAgentTakes:
    def delays(self, portal: PortalClient, accept_after: Any) -> list[float]:
        portal.reset(chats=[{"id": 1000 + n, "owner": 7} for n in range(200)], people={"accept_after": accept_after})
        for chat in range(1000, 1200, 50):
            commands = {
                f"t{n}": f"{TRANSFER}?CHAT_ID={n}&QUEUE_ID=3&CLIENT_ID=chattransfer" for n in range(chat, chat + 50)
            }
            portal.batch(commands)
        portal.skip(LONG)
        changes = ledger(portal)
        offered = {change["chat_id"]: seconds(change) for change in changes if change["change"] == "offered"}
        return [seconds(each) - offered[each["chat_id"]] for each in changes if each["change"] == "accepted"]

    def test_how_long_an_agent_takes_is_fixed_or_in_a_range(self, portal: PortalClient) -> None:
        assert all(abs(delay - 20) < 0.01 for delay in self.delays(portal, 20))
        delays = self.delays(portal, [10, 30])
        assert 10 <= min(delays) < 12 < 28 < max(delays) <= 30.01

    def test_how_long_an_agent_takes_is_mostly_near_the_median_and_sometimes_much_longer(
        self, portal: PortalClient
    ) -> None:
        delays = self.delays(portal, {"distribution": "lognormal", "median": 20, "sigma": 1})
        assert 15 < median(delays) < 27
        assert max(delays) > 100
        assert min(delays) < 5

    def test_how_long_an_agent_takes_can_be_exponential(self, portal: PortalClient) -> None:
        delays = self.delays(portal, {"distribution": "exponential", "mean": 20})
        assert 15 < sum(delays) / len(delays) < 25
        assert 10 < median(delays) < 18

    def test_how_long_an_agent_takes_does_not_change_when_others_write_or_have_breaks(
        self, portal: PortalClient
    ) -> None:
        """Draw new behavior from streams of its own, so that old scenarios with their seeds stay as they are."""

        def answers(**scenario: Any) -> tuple[list[tuple[str, str]], list[float]]:
            people = {"accept_after": [100, 400], "reject": 0.3, **scenario.pop("people", {})}
            portal.reset(chats=8, people=people, **scenario)
            for chat in range(101, 109):
                portal.transfer(chat, QUEUE_ID=4)
            portal.skip(2000)
            changes = [change for change in ledger(portal) if change["change"] in ("offered", "accepted", "rejected")]
            by_chat = sorted(changes, key=lambda change: (change["chat_id"], change["number"]))
            times = [seconds(change) - seconds(changes[0]) for change in by_chat]
            return [(change["chat_id"], change["change"]) for change in by_chat], times

        changes, times = answers()
        later = {"break_after": LONG, "leave_after": LONG, "answer_after": 5}
        busy_changes, busy_times = answers(people=later, customers={"write_after": [1, 5], "return_after": 10})
        assert "rejected" in {change for _, change in changes}
        assert busy_changes == changes
        assert busy_times == pytest.approx(times, abs=5)


class TestAScenario:
    @pytest.mark.parametrize(
        ("people", "problem"),
        [
            ({"accept_after": [4, 1]}, "accept_after"),
            ({"accept_after": -1}, "accept_after"),
            ({"accept_after": "soon"}, "accept_after"),
            ({"accept_after": None}, "accept_after"),
            ({"accept_after": [1, 2, 3]}, "accept_after"),
            ({"leave_after": {"distribution": "normal", "mean": 3}}, "['exponential', 'lognormal']"),
            ({"break_for": {"distribution": "lognormal", "median": 3}}, "median and sigma"),
            ({"break_for": {"distribution": "exponential", "mean": 0}}, "above 0"),
            ({"break_after": 0}, "break_after must be above 0"),
            ({"lunch_after": 3}, "lunch_after"),
            ({"agents": {"7": {"brake_after": 3}}}, "brake_after"),
        ],
    )
    @pytest.mark.parametrize("service", ["bitrix24", "superoffice"])
    def test_a_scenario_with_habits_that_are_none_is_refused(
        self, portal: PortalClient, service: str, people: Any, problem: str
    ) -> None:
        reply = portal.http.post(f"{portal.sandbox.url}/sandbox/reset", json={service: {"people": people}})
        assert reply.status_code == 400
        assert problem in reply.json()["error"]

    @pytest.mark.parametrize(
        ("customers", "problem"),
        [
            ({"write_after": 0}, "write_after must be above 0"),
            ({"write_after": [0, 0]}, "write_after must be above 0"),
            ({"shout_after": 5}, "shout_after"),
            ({"chats": {"999999": {"write_after": 5}}}, "999999"),
        ],
    )
    @pytest.mark.parametrize("service", ["bitrix24", "superoffice"])
    def test_a_scenario_with_customers_that_are_none_is_refused(
        self, portal: PortalClient, service: str, customers: Any, problem: str
    ) -> None:
        reply = portal.http.post(f"{portal.sandbox.url}/sandbox/reset", json={service: {"customers": customers}})
        assert reply.status_code == 400
        assert problem in reply.json()["error"]

    def test_a_scenario_is_quiet_unless_it_says_otherwise(self, portal: PortalClient) -> None:
        portal.http.post(f"{portal.sandbox.url}/sandbox/reset", json={})
        portal.skip(LONG)
        assert ledger(portal) == []
        state = portal.http.get(f"{portal.sandbox.url}/sandbox/state").json()
        assert not any(agent["paused"] for service in ("bitrix24", "superoffice") for agent in state[service]["agents"])

    def test_a_scenario_can_take_a_habit_from_a_single_one(self, portal: PortalClient) -> None:
        portal.reset(**two_operators(people={"leave_after": 10 * MINUTES, "agents": {"12": {"leave_after": None}}}))
        portal.skip(60 * MINUTES)
        assert [agent(portal, number)["present"] for number in (7, 12)] == [False, True]


class TestABreakOnBitrix24:
    def operator(self, portal: PortalClient, user: int = 7) -> dict[str, str]:
        """Return how the methods that tell who is available show ``user``."""
        row = portal.result("imopenlines.v2.Operator.list", {"userId": user})["operators"][0]
        return {
            "im": portal.result("im.user.list.get", {"ID": [user]})[str(user)]["status"],
            "report": row["status"],
            "day": portal.result("timeman.status", {"USER_ID": user}, webhook="7/secretcode7")["STATUS"],
        }

    def test_a_break_on_bitrix24_is_seen_everywhere_and_ends(self, portal: PortalClient) -> None:
        portal.reset(**two_operators(people=single(7, **BREAK)))
        at_work = self.operator(portal)
        portal.skip(101 * MINUTES)
        on_break = self.operator(portal)
        assert on_break["report"] == "pause"
        assert on_break["im"] != at_work["im"]
        assert [agent(portal, number)["paused"] for number in (7, 12)] == [True, False]
        assert agent(portal, 7)["present"]
        portal.skip(50 * MINUTES)
        assert self.operator(portal) == at_work

    def test_a_break_on_bitrix24_comes_again_and_again(self, portal: PortalClient) -> None:
        portal.reset(**two_operators(people=single(7, **BREAK)))
        paused = []
        for _ in range(12):
            paused.append(self.operator(portal)["report"] == "pause")
            portal.skip(25.1 * MINUTES)
        assert paused == [False] * 4 + [True] * 2 + [False] * 4 + [True] * 2

    def test_a_break_on_bitrix24_returns_unanswered_chats_to_the_queue(self, portal: PortalClient) -> None:
        """Offer sessions below OPERATOR to the next operator; the others stay."""
        chats = [{"id": 101, "owner": 7}, {"id": 102, "owner": 7}, {"id": 103, "state": "waiting", "offered_to": 7}]
        writes = {"chats": {"102": {"write_after": 60 * MINUTES}}}
        portal.reset(**two_operators(chats=chats, customers=writes, people=single(7, **BREAK)))
        portal.skip(99 * MINUTES)
        assert status(portal, 102, operator=7) == CLIENT_AFTER_OPERATOR
        portal.skip(3 * MINUTES)
        assert portal.chat(101)["owner"] == "7"
        assert portal.chat(102)["owner"] == "12"
        assert portal.chat(103)["owner"] == "12"
        rows = portal.result("imopenlines.v2.Session.Transfer.list", {"sessionId": [portal.session_of(102)]})[
            "transfers"
        ]
        assert [(row["fromOperatorId"], row["toOperatorId"], row["mode"]) for row in rows] == [
            (None, 7, "AUTO"),
            (7, 12, "AUTO"),
        ]
        assert [(each["change"], each["before"], each["after"], each["by"]) for each in ledger(portal, 102)] == [
            ("wrote", None, None, "customer:5002"),
            ("queued", "agent:7", "queue:3", "person:7"),
            ("offered", "queue:3", "agent:12", "person:7"),
            ("accepted", "queue:3", "agent:12", "person:12"),
        ]

    @pytest.mark.parametrize(
        ("queue", "chat"),
        [({}, {"pinned": True}), ({"check_available": False}, {}), ({"members": [7]}, {})],
        ids=["if it is pinned", "in a line that does not check", "of which he is the only operator"],
    )
    def test_a_break_on_bitrix24_leaves_the_agent_a_chat(
        self, portal: PortalClient, queue: dict[str, Any], chat: dict[str, Any]
    ) -> None:
        portal.reset(
            **two_operators(
                queues=[{"id": 3, "members": [7, 12], **queue}],
                chats=[{"id": 101, "owner": 7, **chat}],
                people=single(7, **BREAK),
                customers={"write_after": 60 * MINUTES},
            )
        )
        portal.skip(105 * MINUTES)
        assert [change["change"] for change in ledger(portal)] == ["wrote"]
        assert portal.chat(101)["owner"] == "7"

    def test_a_break_on_bitrix24_moves_chats_only_when_it_begins(self, portal: PortalClient) -> None:
        portal.reset(**two_operators(chats=[{"id": 101, "owner": 12}], people=single(7, **BREAK)))
        portal.skip(101 * MINUTES)
        assert portal.transfer(101, USER_ID=7).json()["result"] is True
        portal.skip(40 * MINUTES)
        assert portal.chat(101)["owner"] == "7"

    def test_a_break_on_bitrix24_keeps_the_agent_from_getting_chats(self, portal: PortalClient) -> None:
        portal.reset(**two_operators(people=single(7, **BREAK)))
        portal.skip(101 * MINUTES)
        portal.transfer(101, QUEUE_ID=3)
        portal.skip(2 * MINUTES)
        assert portal.chat(101)["owner"] == "12"

    def test_puts_off_the_answer_to_an_offer(self, portal: PortalClient) -> None:
        """Offer chats of a line that does not check availability nevertheless."""
        queues = [{"id": 3, "members": [7], "check_available": False}]
        chats = [{"id": 101, "owner": 12, "queue": 3}]
        portal.reset(**two_operators(queues=queues, chats=chats, people=single(7, **BREAK)))
        portal.skip(99.5 * MINUTES)
        portal.transfer(101, QUEUE_ID=3)
        portal.skip(50 * MINUTES)
        assert portal.chat(101)["offered_to"] == "7"
        portal.skip(2 * MINUTES)
        assert portal.chat(101)["owner"] == "7"

    def test_a_break_on_bitrix24_ends_with_what_nobody_could_take(self, portal: PortalClient) -> None:
        people = {
            "accept_after": 1 * MINUTES,
            **BREAK,
            "agents": {"12": {"leave_after": 90 * MINUTES, "break_after": None}},
        }
        portal.reset(**two_operators(people=people))
        portal.skip(101 * MINUTES)
        portal.transfer(101, QUEUE_ID=3)
        portal.skip(40 * MINUTES)
        assert portal.changes(101)[-1] == ("queued", "queue:3")
        portal.skip(12 * MINUTES)
        assert portal.chat(101)["owner"] == "7"

    def test_a_break_on_bitrix24_that_was_ended_through_the_api_goes_on_for_the_person(
        self, portal: PortalClient
    ) -> None:
        """Show the agent as present in the portal, although they are still away."""
        queues = [{"id": 3, "members": [7]}]
        chats = [{"id": 101, "owner": 12, "queue": 3}]
        portal.reset(**two_operators(queues=queues, chats=chats, people=single(7, **BREAK)))
        portal.skip(110 * MINUTES)
        assert portal.result("imopenlines.operator.pause.stop", webhook="7/secretcode7") is True
        portal.transfer(101, QUEUE_ID=3)
        portal.skip(30 * MINUTES)
        assert portal.chat(101)["offered_to"] == "7"
        portal.skip(12 * MINUTES)
        assert portal.chat(101)["owner"] == "7"

    def test_a_break_on_bitrix24_does_not_take_out_those_who_had_it_before(self, portal: PortalClient) -> None:
        """Ask any operator after a return to the queue, also one who once declined the chat."""
        people = single(12, break_after=200 * MINUTES)
        people["agents"]["7"] = BREAK
        chats = [{"id": 101, "state": "waiting", "offered_to": 7}]
        portal.reset(**two_operators(chats=chats, people=people))
        portal.skip(102 * MINUTES)
        assert portal.chat(101)["owner"] == "12"
        portal.skip(100 * MINUTES)
        assert portal.chat(101)["owner"] == "7"
        assert portal.changes(101) == [
            ("queued", "queue:3"),
            ("offered", "agent:12"),
            ("accepted", "agent:12"),
            ("queued", "queue:3"),
            ("offered", "agent:7"),
            ("accepted", "agent:7"),
        ]

    def test_a_break_on_bitrix24_ends_with_another_offer_of_a_declined_chat(self, portal: PortalClient) -> None:
        queues = [{"id": 3, "members": [7]}]
        chats = [{"id": 101, "owner": 12, "queue": 3}]
        portal.reset(**two_operators(queues=queues, chats=chats, people=single(7, reject=1, **BREAK)))
        portal.transfer(101, QUEUE_ID=3)
        portal.skip(149 * MINUTES)
        declined = [("transferred", "queue:3"), ("offered", "agent:7"), ("rejected", "queue:3"), ("queued", "queue:3")]
        assert portal.changes(101) == declined
        portal.skip(1.5 * MINUTES)
        assert portal.changes(101)[len(declined) :] == [("offered", "agent:7")]

    def test_a_break_on_bitrix24_returns_also_chats_that_nobody_else_can_take(self, portal: PortalClient) -> None:
        people = single(7, **BREAK)
        people["agents"]["12"] = {"leave_after": 90 * MINUTES}
        portal.reset(**two_operators(people=people, customers={"write_after": 60 * MINUTES}))
        portal.skip(101 * MINUTES)
        assert portal.chat(101)["state"] == "waiting"
        assert portal.changes(101) == [("wrote", None), ("queued", "queue:3")]

    def test_puts_off_the_answer_to_a_customer(self, portal: PortalClient) -> None:
        queues = [{"id": 3, "members": [7, 12], "check_available": False}]
        people = single(7, answer_after=20 * MINUTES, **BREAK)
        portal.reset(**two_operators(queues=queues, people=people, customers={"write_after": 90 * MINUTES}))
        portal.skip(149 * MINUTES)
        assert portal.changes(101) == [("wrote", None)]
        portal.skip(22 * MINUTES)
        assert ledger(portal)[-1]["by"] == "person:7"

    @pytest.mark.parametrize("check_available", [True, False])
    @pytest.mark.parametrize("after", [99.5, 101])
    def test_a_break_on_bitrix24_in_a_line_that_asks_all_is_no_different(
        self, portal: PortalClient, after: float, check_available: bool
    ) -> None:
        queues = [{"id": 3, "members": [7], "queue_type": "all", "check_available": check_available}]
        chats = [{"id": 101, "owner": 12, "queue": 3}]
        portal.reset(**two_operators(queues=queues, chats=chats, people=single(7, **BREAK)))
        portal.skip(after * MINUTES)
        portal.transfer(101, QUEUE_ID=3)
        portal.skip((149 - after) * MINUTES)
        assert portal.chat(101)["owner"] is None
        portal.skip(4 * MINUTES)
        assert portal.chat(101)["owner"] == "7"


class TestWhoLeavesBitrix24:
    def test_who_leaves_bitrix24_is_offline_for_good(self, portal: PortalClient) -> None:
        portal.reset(
            **two_operators(
                people=single(
                    7, leave_after=[100 * MINUTES, 100 * MINUTES], break_after=90 * MINUTES, break_for=60 * MINUTES
                )
            )
        )
        portal.skip(LONG)
        row = portal.result("imopenlines.v2.Operator.list", {"userId": 7})["operators"][0]
        assert row["status"] == "offline"
        assert portal.result("user.get", {"ID": 7})[0]["IS_ONLINE"] == "N"

    def test_who_leaves_bitrix24_accepts_no_chat_that_was_offered_before(self, portal: PortalClient) -> None:
        queues = [{"id": 3, "members": [7], "check_available": False}]
        chats = [{"id": 101, "owner": 12, "queue": 3}]
        portal.reset(**two_operators(queues=queues, chats=chats, people=single(7, leave_after=100 * MINUTES)))
        portal.skip(99.5 * MINUTES)
        portal.transfer(101, QUEUE_ID=3)
        portal.skip(LONG)
        assert portal.chat(101)["offered_to"] == "7"

    def test_loses_an_answered_chat_when_its_customer_writes(self, portal: PortalClient) -> None:
        customers = {"write_after": 300 * MINUTES}
        portal.reset(**two_operators(people=single(7, leave_after=100 * MINUTES), customers=customers))
        portal.skip(299 * MINUTES)
        assert portal.chat(101)["owner"] == "7"
        portal.skip(3 * MINUTES)
        assert [(each["change"], each["before"], each["after"], each["by"]) for each in ledger(portal)] == [
            ("wrote", None, None, "customer:5001"),
            ("queued", "agent:7", "queue:3", "queue:3"),
            ("offered", "queue:3", "agent:12", "queue:3"),
            ("accepted", "queue:3", "agent:12", "person:12"),
        ]

    def test_who_leaves_bitrix24_keeps_a_pinned_chat_even_then(self, portal: PortalClient) -> None:
        chats = [{"id": 101, "owner": 7, "pinned": True}]
        people = single(7, leave_after=100 * MINUTES)
        portal.reset(**two_operators(chats=chats, people=people, customers={"write_after": 300 * MINUTES}))
        portal.skip(400 * MINUTES)
        assert portal.chat(101)["owner"] == "7"


class TestACustomerOnBitrix24:
    def test_a_customer_on_bitrix24_makes_an_answered_session_wait_for_its_operator(self, portal: PortalClient) -> None:
        portal.reset(**two_operators(customers={"write_after": 60 * MINUTES}))
        before = portal.dialog(101)
        assert status(portal, 101, operator=7) == OPERATOR
        portal.skip(61 * MINUTES)
        after = portal.dialog(101)
        assert status(portal, 101, operator=7) == CLIENT_AFTER_OPERATOR
        assert after["message_count"] == before["message_count"] + 1
        assert after["last_message_id"] > before["last_message_id"]
        assert after["owner"] == 7

    def test_who_writes_twice_is_a_client_again(self, portal: PortalClient) -> None:
        portal.reset(**two_operators(customers={"write_after": 60 * MINUTES}))
        portal.skip(121 * MINUTES)
        assert status(portal, 101, operator=7) == CLIENT

    def test_a_customer_on_bitrix24_is_answered_by_an_operator_who_does(self, portal: PortalClient) -> None:
        portal.reset(**two_operators(people={"answer_after": 20 * MINUTES}, customers={"write_after": 60 * MINUTES}))
        portal.skip(81 * MINUTES)
        assert status(portal, 101, operator=7) == OPERATOR
        assert [(each["change"], each["by"]) for each in ledger(portal)] == [
            ("wrote", "customer:5001"),
            ("wrote", "person:7"),
        ]

    def test_a_customer_on_bitrix24_is_answered_by_the_one_who_took_the_chat_over(self, portal: PortalClient) -> None:
        portal.reset(**two_operators(people={"answer_after": 20 * MINUTES}, customers={"write_after": 60 * MINUTES}))
        portal.skip(61 * MINUTES)
        portal.transfer(101, USER_ID=12)
        assert status(portal, 101, operator=12) == CLIENT_AFTER_OPERATOR
        portal.skip(21 * MINUTES)
        assert status(portal, 101, operator=12) == OPERATOR
        assert ledger(portal)[-1]["by"] == "person:12"

    def test_who_waits_in_the_queue_goes_on_waiting(self, portal: PortalClient) -> None:
        chats = [{"id": 101, "state": "waiting", "queue": 3}]
        portal.reset(**two_operators(chats=chats, customers={"write_after": 60 * MINUTES}))
        portal.skip(61 * MINUTES)
        assert portal.chat(101)["state"] == "waiting"
        report = portal.result("imopenlines.v2.Session.list", {"status": "new"})
        assert [session["chatId"] for session in report["sessions"]] == [101]

    def test_who_closes_ends_the_session(self, portal: PortalClient) -> None:
        portal.reset(**two_operators(customers={"close_after": 60 * MINUTES}))
        portal.skip(61 * MINUTES)
        dialog = portal.dialog(101)
        assert (portal.session_of(101), dialog["owner"]) == (0, 0)
        row = portal.result("imopenlines.v2.Session.list", {"status": "closed"})["sessions"][0]
        assert row["closeReason"] == "client"
        assert [(each["change"], each["before"], each["after"], each["by"]) for each in ledger(portal)] == [
            ("closed", "agent:7", None, "customer:5001")
        ]

    def test_who_comes_back_begins_a_new_session_in_the_line(self, portal: PortalClient) -> None:
        portal.reset(**two_operators(customers={"close_after": 60 * MINUTES, "return_after": 30 * MINUTES}))
        first = portal.session_of(101)
        portal.skip(92 * MINUTES)
        assert portal.session_of(101) > first
        assert portal.chat(101)["state"] == "open"
        assert [(each["change"], each["by"]) for each in ledger(portal)] == [
            ("closed", "customer:5001"),
            ("reopened", "customer:5001"),
            ("offered", "customer:5001"),
            ("wrote", "customer:5001"),
            ("accepted", "person:7"),
        ]

    def test_a_customer_on_bitrix24_comes_back_whoever_closed(self, portal: PortalClient) -> None:
        chats = [{"id": 101, "owner": 7}, {"id": 102, "owner": 7, "state": "closed"}]
        portal.reset(**two_operators(chats=chats, people=NOBODY_ANSWERS, customers={"return_after": 30 * MINUTES}))
        portal.result("imopenlines.operator.finish", {"CHAT_ID": 101}, webhook="7/secretcode7")
        portal.skip(31 * MINUTES)
        assert portal.chat(101)["state"] == portal.chat(102)["state"] == "waiting"

    def test_a_customer_on_bitrix24_whose_chat_was_reopened_meanwhile_does_not_come_back(
        self, portal: PortalClient
    ) -> None:
        chats = [{"id": 101, "owner": 7, "state": "closed"}]
        portal.reset(
            **two_operators(chats=chats, customers={"return_after": 30 * MINUTES, "write_after": 40 * MINUTES})
        )
        portal.transfer(101, USER_ID=12)
        portal.skip(39 * MINUTES)
        assert [change["change"] for change in ledger(portal)] == ["reopened", "transferred", "accepted"]
        portal.skip(2 * MINUTES)
        assert ledger(portal)[-1]["change"] == "wrote"

    def test_a_customer_on_bitrix24_does_not_write_what_was_planned_before(self, portal: PortalClient) -> None:
        customers = {"write_after": 50 * MINUTES, "return_after": 10 * MINUTES}
        portal.reset(**two_operators(people=NOBODY_ANSWERS, customers=customers))
        portal.skip(20 * MINUTES)
        portal.result("imopenlines.operator.finish", {"CHAT_ID": 101}, webhook="7/secretcode7")
        portal.skip(58 * MINUTES)
        assert [change["change"] for change in ledger(portal)] == ["closed", "reopened", "offered", "wrote"]
        portal.skip(4 * MINUTES)
        assert [change["change"] for change in ledger(portal)][4:] == ["wrote"]


class TestABreakOnSuperOffice:
    def present(self, desk: TenantClient, agent: int) -> bool:
        rows = desk.agent("GetChatPresence", by=7)
        return bool(next(row["Present"] for row in rows if row["UserId"] == agent + 5))

    def test_a_break_on_super_office_is_seen_in_presence_and_ends(self, desk: TenantClient) -> None:
        desk.reset(people=single(7, **BREAK))
        assert self.present(desk, 7)
        desk.skip(101 * MINUTES)
        assert not self.present(desk, 7)
        agent = next(each for each in desk.state()["agents"] if each["id"] == "7")
        assert (agent["present"], agent["paused"]) == (False, True)
        desk.skip(50 * MINUTES)
        assert self.present(desk, 7)

    def test_a_break_on_super_office_moves_nothing(self, desk: TenantClient) -> None:
        desk.reset(people=single(7, **BREAK))
        before = [chat for chat in desk.state()["chats"] if chat["owner"] == "7"]
        desk.skip(101 * MINUTES)
        assert before
        assert [chat for chat in desk.state()["chats"] if chat["owner"] == "7"] == before

    @pytest.mark.parametrize("after", [99.5, 101])
    def test_puts_off_the_answer_to_a_transfer(self, desk: TenantClient, after: float) -> None:
        desk.reset(chats=[{"id": 200, "owner": 8}], people=single(7, **BREAK))
        desk.skip(after * MINUTES)
        desk.transfer(200, 7, by=8)
        desk.skip((149 - after) * MINUTES)
        assert desk.held(200) == ("8", "7", 1)
        desk.skip(4 * MINUTES)
        assert desk.held(200) == ("7", None, 1)

    def test_a_break_on_super_office_for_ever_leaves_a_transfer_pending_for_ever(self, desk: TenantClient) -> None:
        desk.reset(chats=[{"id": 200, "owner": 8}], people=single(7, leave_after=100 * MINUTES))
        desk.skip(99.5 * MINUTES)
        desk.transfer(200, 7, by=8)
        desk.skip(LONG)
        assert desk.held(200) == ("8", "7", 1)
        assert not self.present(desk, 7)

    @pytest.mark.parametrize("after", [90, 120], ids=["between two breaks", "on a break"])
    def test_a_break_on_super_office_is_no_way_back_for_one_who_leaves(self, desk: TenantClient, after: int) -> None:
        desk.reset(people=single(7, leave_after=after * MINUTES, **BREAK))
        desk.skip(after * MINUTES + 1)
        for _ in range(8):
            assert not self.present(desk, 7)
            agent = next(each for each in desk.state()["agents"] if each["id"] == "7")
            assert not agent["paused"]
            desk.skip(25 * MINUTES)


class TestACustomerOnSuperOffice:
    def reset(self, desk: TenantClient, *, people: Any = None, chat: Any = None, **customers: Any) -> None:
        chat = chat or {"id": 200, "owner": 7, "status": "UserLast"}
        desk.reset(chats=[chat], people=people or {}, customers=customers)

    def messages(self, desk: TenantClient, chat: int) -> list[tuple[str, str]]:
        found = desk.agent("GetChatMessages", {"ChatSessionId": chat, "After": 0}, by=7)
        return [(message["Type"], message["SpecialType"]) for message in found]

    def test_who_writes_waits_for_the_agent(self, desk: TenantClient) -> None:
        self.reset(desk, write_after=60 * MINUTES)
        desk.skip(61 * MINUTES)
        session = desk.session(200)
        assert session["Status"] == "CustomerLast"
        assert (
            session["LastMessage"]
            == desk.agent("GetChatMessages", {"ChatSessionId": 200, "After": 0}, by=7)[-1]["Message"]
        )
        assert self.messages(desk, 200)[-1] == ("ToUser", "None")
        assert [(each["change"], each["by"]) for each in desk.ledger()] == [("wrote", "customer:5001")]

    def test_a_customer_on_super_office_is_answered_by_an_agent_who_does(self, desk: TenantClient) -> None:
        self.reset(desk, write_after=60 * MINUTES, people={"answer_after": 20 * MINUTES})
        desk.skip(81 * MINUTES)
        assert desk.session(200)["Status"] == "UserLast"
        assert self.messages(desk, 200)[-1] == ("ToCustomer", "None")
        assert desk.ledger()[-1]["by"] == "person:7"

    def test_who_waits_in_the_queue_goes_on_waiting(self, desk: TenantClient) -> None:
        self.reset(desk, write_after=60 * MINUTES, chat={"id": 200, "state": "waiting", "queue": 3})
        desk.skip(61 * MINUTES)
        assert desk.session(200)["Status"] == "InQueue"

    def test_who_closes_leaves_a_message(self, desk: TenantClient) -> None:
        self.reset(desk, close_after=60 * MINUTES)
        desk.skip(61 * MINUTES)
        session = desk.session(200)
        assert session["Status"] == "Finished"
        assert session["User"]["AssociateId"] == 7
        assert not session["WhenEnded"].startswith("0001")
        assert self.messages(desk, 200)[-1] == ("Special", "ClosedByCustomer")
        assert [(each["change"], each["before"], each["after"]) for each in desk.ledger()] == [
            ("closed", "agent:7", None)
        ]

    def test_who_closes_is_no_longer_taken_over(self, desk: TenantClient) -> None:
        self.reset(desk, close_after=60 * MINUTES, people={"accept_after": 30 * MINUTES})
        desk.skip(50 * MINUTES)
        desk.transfer(200, 8, by=7)
        desk.skip(LONG)
        assert desk.held(200) == ("7", "8", 1)

    def test_who_comes_back_continues_with_the_same_agent(self, desk: TenantClient) -> None:
        self.reset(desk, close_after=60 * MINUTES, return_after=30 * MINUTES)
        desk.skip(91 * MINUTES)
        session = desk.session(200)
        assert (session["Status"], session["User"]["AssociateId"]) == ("CustomerLast", 7)
        assert session["WhenEnded"].startswith("0001")
        assert self.messages(desk, 200)[-1] == ("Special", "ReopenedByCustomer")
        assert desk.verbs() == ["closed", "reopened"]
        desk.skip(60 * MINUTES)
        assert desk.verbs() == ["closed", "reopened", "closed"]

    def test_who_left_the_queue_comes_back_as_somebody_new(self, desk: TenantClient) -> None:
        self.reset(
            desk, close_after=60 * MINUTES, return_after=30 * MINUTES, chat={"id": 200, "state": "waiting", "queue": 3}
        )
        desk.skip(61 * MINUTES)
        assert desk.session(200)["Status"] == "ClosedFromQueue"
        desk.skip(30 * MINUTES)
        assert desk.session(200)["Status"] == "ClosedFromQueue"
        new = desk.session(201)
        assert (new["Status"], new["TopicId"], new["User"]) == ("InQueue", 3, None)
        assert new["CustomerName"] == desk.session(200)["CustomerName"]
        desk.skip(60 * MINUTES)
        assert desk.session(201)["Status"] == "ClosedFromQueue"

    def test_a_customer_on_super_office_finds_out_that_the_chat_is_over(self, desk: TenantClient) -> None:
        """Let the customer notice a close only when they want to write."""
        self.reset(desk, write_after=60 * MINUTES, return_after=30 * MINUTES)
        entity = {**desk.session(200), "Status": "Closed"}
        desk.agent("SaveChatSessionEntity", entity, by=7)
        desk.skip(91 * MINUTES)
        assert desk.session(200)["Status"] == "Closed"
        assert desk.session(201)["Status"] == "InQueue"

    def test_sees_the_offline_form_while_all_agents_are_away(self, desk: TenantClient) -> None:
        people = {"break_after": 50 * MINUTES, "break_for": 100 * MINUTES}
        waiting = {"id": 200, "state": "waiting", "queue": 3}
        self.reset(desk, close_after=20 * MINUTES, return_after=80 * MINUTES, chat=waiting, people=people)
        desk.skip(101 * MINUTES)
        assert desk.session(201)["Status"] == "OfflineForm"
        assert desk.verbs() == ["closed", "turned_away"]
        desk.skip(80 * MINUTES)
        assert desk.session(202)["Status"] == "InQueue"


STORY = {
    "chats": 30,
    "people": {
        "accept_after": {"distribution": "lognormal", "median": 10, "sigma": 1},
        "reject": 0.2,
        "answer_after": [5, 60],
        "break_after": [200, 400],
        "break_for": [30, 90],
        "agents": {"8": {"leave_after": 900}},
    },
    "customers": {
        "write_after": {"distribution": "exponential", "mean": 60},
        "close_after": [300, 600],
        "return_after": [10, 100],
    },
}


class TestTheHistory:
    def story(self, portal: PortalClient, *, step: float, seed: int = 3) -> list[Change]:
        """Return what happened in twenty minutes, read every ``step`` seconds; the last changes may be too many."""
        scenario = {"seed": seed, "bitrix24": STORY, "superoffice": STORY}
        portal.http.post(f"{portal.sandbox.url}/sandbox/reset", json=scenario)
        for _ in range(int(1200 / step)):
            portal.skip(step)
            portal.sandbox.sandbox.advance()
        return ledger(portal)[:2000]

    def events(self, story: list[Change]) -> list[tuple[Any, ...]]:
        keys = ("number", "service", "chat_id", "change", "before", "after", "by")
        return [tuple(change[key] for key in keys) for change in story]

    def times(self, story: list[Change]) -> list[float]:
        """Return the seconds since the first change."""
        return [seconds(change) - seconds(story[0]) for change in story]

    def test_the_history_is_the_same_however_often_one_looks(self, portal: PortalClient) -> None:
        at_once, step_by_step = self.story(portal, step=1200), self.story(portal, step=1)
        assert {change["change"] for change in at_once} == {
            "wrote", "closed", "reopened", "offered", "queued", "rejected", "accepted", "turned_away"
        }  # fmt: skip
        assert len(at_once) == 2000
        assert self.events(step_by_step) == self.events(at_once)
        assert self.times(step_by_step) == pytest.approx(self.times(at_once), abs=0.01)

    def test_the_history_is_another_with_another_seed(self, portal: PortalClient) -> None:
        assert self.events(self.story(portal, step=1200, seed=4)) != self.events(self.story(portal, step=1200))

    def test_the_history_is_told_in_the_order_of_time(self, portal: PortalClient) -> None:
        times = self.times(self.story(portal, step=1200))
        assert times == sorted(times)

    @pytest.mark.parametrize("service", ["bitrix24", "superoffice"])
    def test_the_history_of_two_thousand_customers_is_planned_one_step_ahead(
        self, portal: PortalClient, service: str
    ) -> None:
        customers = {"write_after": [600, 1200], "close_after": 90_000, "return_after": 60}
        scenario = {service: {"chats": 2000, "customers": customers}}
        portal.http.post(f"{portal.sandbox.url}/sandbox/reset", json=scenario)
        portal.skip(3600)
        assert len(ledger(portal)) > 5000
        assert len(portal.sandbox.sandbox.scheduler) <= 2000
