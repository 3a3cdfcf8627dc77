# SPDX-License-Identifier: Apache-2.0
"""Every spelling of a chat, a person and a queue, and what is none."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_chattransfer.chats.inputs import shown
from airflow_provider_chattransfer.chats.model import Target, TargetKind
from airflow_provider_chattransfer.chats.references import (
    as_chat,
    as_person,
    as_queue,
    chats,
    is_chat_id,
    persons,
    rows,
    targets,
)

LARGEST = 2**63 - 1
ANNA = Target(TargetKind.AGENT, "12")
JANE = Target(TargetKind.AGENT, name="Jane Doe")
MAIL = Target(TargetKind.AGENT, name="someone@example.com")
LINE = Target(TargetKind.QUEUE, "3")
SUPPORT = Target(TargetKind.QUEUE, name="Support")
OWN_QUEUE = Target(TargetKind.QUEUE)

PEOPLE = [
    (12, ANNA),
    ("12", ANNA),
    (" 012 ", ANNA),
    ("agent:12", ANNA),
    (" Agent : 12 ", ANNA),
    (LARGEST, Target(TargetKind.AGENT, str(LARGEST))),
    ("agent:someone@example.com", MAIL),
    ("AGENT: Jane Doe ", JANE),
    ("agent:Zoe\u0308", Target(TargetKind.AGENT, name="Zo\u00eb")),
    ("agent:12monkeys", Target(TargetKind.AGENT, name="12monkeys")),
    ("agent:\u738b\u5c0f\u660e", Target(TargetKind.AGENT, name="\u738b\u5c0f\u660e")),
    ("agent:" + "x" * 200, Target(TargetKind.AGENT, name="x" * 200)),
]
QUEUES = [
    ("queue:3", LINE),
    ("QUEUE: 03", LINE),
    ("queue:Support", SUPPORT),
    ("queue:Support: EU, 2nd level", Target(TargetKind.QUEUE, name="Support: EU, 2nd level")),
]
NEITHER = [
    None,
    True,
    1.5,
    float("nan"),
    0,
    -1,
    LARGEST + 1,
    10**5000,
    "",
    "  ",
    "0",
    "\u0661\u0662",
    "1e3",
    "9" * 5000,
    b"12",
    ["12"],
    {"id": 12},
    "Jane Doe",
    "someone@example.com",
    "user:12",
    "agent",
    "agent:",
    "agent:0",
    "agent:-5",
    "agent:1.5",
    "agent:1 2",
    "agent:...",
    "agent:Jane\nDoe",
    "agent:Jane\u202eDoe",
    "agent:Jane\x1b[1m",
    "agent:\ud800a",
    "agent:" + "x" * 201,
    "agent:{{ params.who }}",
    "{{ params.who }}",
    "queue:",
    "queue:0",
    "queue:{% if %}",
]


class TestOne:
    @pytest.mark.parametrize(("written", "read"), [*PEOPLE, *QUEUES, ("queue", OWN_QUEUE), (" Queue ", OWN_QUEUE)])
    def test_a_target_is_read_in_every_form(self, written: object, read: Target) -> None:
        assert Target.parse(written) == read

    @pytest.mark.parametrize(("written", "read"), PEOPLE)
    def test_a_person_is_read_in_every_form(self, written: object, read: Target) -> None:
        assert as_person(written, of="agents") == read

    @pytest.mark.parametrize(("written", "read"), [(3, LINE), ("3", LINE), *QUEUES])
    def test_a_queue_is_read_in_every_form(self, written: object, read: Target) -> None:
        assert as_queue(written, of="from_queue") == read

    @pytest.mark.parametrize(
        ("written", "read"),
        [
            (112, "112"),
            ("112", "112"),
            (" 0112 ", "112"),
            ("chat112", "112"),
            ("Chat0112", "112"),
            (LARGEST, str(LARGEST)),
            ("session:332", "session:332"),
            ("crm:deal:42", "crm:deal:42"),
            ("CRM:Lead:042", "crm:lead:42"),
            ("crm:contact:1", "crm:contact:1"),
            ("crm:company:1", "crm:company:1"),
        ],
    )
    def test_a_chat_is_read_in_every_form(self, written: object, read: str) -> None:
        assert as_chat(written, of="chat_id") == read
        assert is_chat_id(read) == (":" not in read)

    @pytest.mark.parametrize(
        ("reader", "none"),
        [
            *((Target.parse, each) for each in NEITHER),
            *((as_person, each) for each in [*NEITHER, "queue", "queue:3", "queue:Support"]),
            *((as_queue, each) for each in [*NEITHER, "queue", "agent:3", "agent:Jane Doe"]),
            *((as_chat, each) for each in [*NEITHER, "chat", "chat0", "crm:42", "crm:quote:1", "session:", "agent:1"]),
        ],
        ids=lambda each: getattr(each, "__name__", shown(each)[:30]),
    )
    def test_anything_else_is_an_error_that_names_the_option_and_stays_short(
        self, reader: Callable[..., object], none: object
    ) -> None:
        with pytest.raises(ValueError, match=r"^place: ") as error:
            reader(none, of="place")
        assert len(str(error.value)) < 300
        assert str(error.value).isprintable()

    @pytest.mark.parametrize(
        ("reader", "none", "hint"),
        [
            (as_person, "Jane Doe", "write 12, 'agent:12' or 'agent:jane@example.com'"),
            (as_person, "queue:3", "write 12, 'agent:12' or 'agent:jane@example.com'"),
            (as_queue, "queue", "write 3, 'queue:3' or 'queue:Support'"),
            (as_chat, "deal:42", "write 112, 'chat112', or on Bitrix24 'crm:deal:42' or 'session:332'"),
            (Target.parse, "Jane Doe", "write 'agent:12', 'queue:3' or 'queue'"),
        ],
    )
    def test_an_error_says_what_may_be_written_there(
        self, reader: Callable[..., object], none: object, hint: str
    ) -> None:
        with pytest.raises(ValueError, match="place: ") as error:
            reader(none, of="place")
        assert str(error.value).endswith(hint)

    @given(st.one_of(st.text(), st.text().map("agent:{}".format), st.text().map("queue:{}".format), st.integers()))
    @example("agent:a:b")
    def test_whatever_is_read_is_written_so_that_it_reads_the_same(self, written: object) -> None:
        try:
            target = Target.parse(written)
        except ValueError:
            return
        assert Target.parse(str(target)) == target
        assert target.id is None or target.name is None

    @given(st.one_of(st.text(), st.integers(), st.from_regex(r"(chat|crm:deal:|session:)\d{1,20}", fullmatch=True)))
    def test_a_reference_to_a_chat_is_canonical(self, written: object) -> None:
        try:
            reference = as_chat(written, of="chat_id")
        except ValueError:
            return
        assert as_chat(reference, of="chat_id") == reference


class Lazy(Sequence[Any]):
    """Like the sequence that Airflow hands out for a mapped task: its text says nothing of what is in it."""

    def __init__(self, *values: Any) -> None:
        self.values = values

    def __getitem__(self, index: Any) -> Any:
        return self.values[index]

    def __len__(self) -> int:
        return len(self.values)


class Unending(str):
    """A text whose parts would be read letter by letter, were it taken for a list."""

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("a text is no list")


LISTS = [
    [15, "agent:12"],
    (15, "12"),
    Lazy("agent:15", 12, 15),
    map(str, [15, 12, 15]),
    "[15, 12]",
    ' ["agent:15", "12"] ',
    "['agent:15', 'agent:12', 15]",
    "(15, '12')",
]
NO_LISTS: list[object] = [
    None,
    True,
    12,
    "",
    "12",
    "agent:12",
    "12, 15",
    '{"12": 15}',
    "{12: 15}",
    "None",
    "[12",
    "[" * 100_000,
]
NO_LISTS += [
    bytearray(b"12"),
    "__import__('os')",
    b"[12]",
    {"12": 15},
    Unending("[12"),
    "{{ ids }}",
    "[1e999, " * 3,
    f"[{'9' * 5000}]",
]


class TestLists:
    @pytest.mark.parametrize("values", LISTS, ids=lambda each: type(each).__name__)
    def test_a_list_has_each_item_once_in_the_order_given(self, values: Any) -> None:
        assert [str(each) for each in persons(values, of="from_agents")] == ["agent:15", "agent:12"]

    def test_lists_of_every_kind_are_read(self) -> None:
        assert targets(["12", "queue:3", "queue", 12], of="to") == [ANNA, LINE, OWN_QUEUE]
        assert chats(["chat112", "session:3", 112], of="chat_ids") == ["112", "session:3"]
        assert rows('[{"chat_id": 1, "to": "agent:2"}]', of="transfers") == [{"chat_id": 1, "to": "agent:2"}]
        assert rows(Lazy({"a": 1}, {"a": 1}), of="transfers") == [{"a": 1}, {"a": 1}]

    @pytest.mark.parametrize("reader", [persons, targets, chats, rows])
    @pytest.mark.parametrize("empty", [[], (), set(), Lazy(), "[]", iter(())], ids=lambda each: type(each).__name__)
    def test_an_empty_list_stays_empty(self, reader: Callable[..., list[Any]], empty: object) -> None:
        assert reader(empty, of="place") == []

    @pytest.mark.parametrize("reader", [persons, targets, chats, rows])
    @pytest.mark.parametrize("none", NO_LISTS, ids=lambda each: repr(each)[:30])
    def test_anything_but_a_list_is_an_error(self, reader: Callable[..., object], none: object) -> None:
        with pytest.raises(ValueError, match=r"^place") as error:
            reader(none, of="place")
        assert len(str(error.value)) < 300

    @pytest.mark.parametrize("reader", [persons, targets, chats, rows])
    def test_the_error_for_none_says_that_a_task_left_no_report(self, reader: Callable[..., object]) -> None:
        with pytest.raises(ValueError, match=r"^place: nothing was given \(None\), as by a task that left no report"):
            reader(None, of="place")

    def test_a_list_of_keys_keeps_their_order(self) -> None:
        assert [str(each) for each in targets({"agent:15": 1, "agent:12": 2}.keys(), of="to")] == [
            "agent:15",
            "agent:12",
        ]

    def test_text_that_is_no_list_names_the_ways_to_give_one(self) -> None:
        with pytest.raises(ValueError, match="render_template_as_native_obj") as error:
            persons("12, 15", of="from_agents")
        assert "task.output" in str(error.value)

    @pytest.mark.parametrize("reader", [persons, targets, chats])
    def test_an_error_in_a_list_names_the_place(self, reader: Callable[..., object]) -> None:
        with pytest.raises(ValueError, match=r"place\[1\]: 'x'"):
            reader(["12", "x"], of="place")

    @pytest.mark.parametrize("row", [12, None, "x", ["a"]])
    def test_a_row_that_is_no_mapping_is_an_error(self, row: object) -> None:
        with pytest.raises(ValueError, match=r"transfers\[1\]: .* is not a mapping"):
            rows([{"chat_id": 1}, row], of="transfers")

    def test_a_set_is_the_same_list_in_every_process(self) -> None:
        code = (
            "from airflow_provider_chattransfer.chats.references import chats, targets\n"
            "print([*map(str, targets({'agent:b', 'queue', 'agent:a', '9', 10}, of='to'))])\n"
            "print(chats({'session:2', '10', 9, 'chat10'}, of='chat_ids'))"
        )
        ran = [
            subprocess.run(  # noqa: S603
                [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
            ).stdout
            for seed in ("1", "2", "3")
        ]
        assert set(ran) == {"['agent:a', 'agent:b', 'agent:9', 'agent:10', 'queue']\n['9', '10', 'session:2']\n"}

    @given(st.lists(st.integers(1, 30)), st.sampled_from([list, tuple, Lazy, json.dumps, repr, iter]))
    def test_a_list_reads_the_same_in_every_form(self, numbers: list[int], form: Callable[..., Any]) -> None:
        given_as = form(*numbers) if form is Lazy else form(numbers)
        assert chats(given_as, of="chat_ids") == [*map(str, dict.fromkeys(numbers))]
