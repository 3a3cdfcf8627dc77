# SPDX-License-Identifier: Apache-2.0
"""The words of docs/glossary.md against the identifiers of the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tools.draw_map import parsed

ROOT = Path(__file__).parent.parent.parent
FOLDERS = ("airflow_provider_chattransfer", "demo", "example_dags", "tests", "tools")
USED_ELSEWHERE = {
    "Ledger": ("sandbox",),
    "Credential": ("sandbox",),
    "hand_over": ("demo", "example_dags"),
}
"""Folders in which a retired word has a meaning of its own, as the glossary says."""


def retired_words() -> list[str]:
    """Return the words of the last column of each table in the glossary."""
    rows = re.findall(r"^\|.*\|.*\|(.*)\|$", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    return [word for cell in rows for word in re.findall(r"`(\w+)`", cell)]


@cache
def identifiers() -> dict[str, set[str]]:
    """Each identifier with the files that use it; names of tests are sentences, and not among them."""
    found: dict[str, set[str]] = {}
    for folder in FOLDERS:
        for file in (ROOT / folder).rglob("*.py"):
            if "node_modules" not in file.parts:
                for name in names_in(parsed(file)):
                    found.setdefault(name, set()).add(str(file.relative_to(ROOT)))
    return found


def names_in(tree: ast.AST) -> Iterator[str]:
    """Every name that a module defines or uses."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if name.startswith("test_"):
                continue
            case ast.ClassDef(name=name) if name.startswith("Test"):
                continue
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)):
                yield name
            case ast.alias(name=path, asname=alias):
                yield from path.split(".")
                if alias:
                    yield alias
            case ast.ImportFrom(module=str(path)):
                yield from path.split(".")


def words_of(identifier: str) -> set[str]:
    """Return the words of ``an_identifier``, ``AnIdentifier`` or ``AN_IDENTIFIER``, in small letters."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", identifier)}


def uses(word: str) -> dict[str, set[str]]:
    """Return the identifiers that use a retired word, with their files."""
    allowed = USED_ELSEWHERE.get(word, ())
    as_part = word.isalpha() and word.islower()
    found = {
        name: files for name, files in identifiers().items() if name == word or (as_part and word in words_of(name))
    }
    kept = {name: {file for file in files if not set(Path(file).parts) & set(allowed)} for name, files in found.items()}
    return {name: files for name, files in kept.items() if files}


@pytest.mark.parametrize("word", retired_words())
def test_a_retired_word_is_no_part_of_an_identifier(word: str) -> None:
    assert uses(word) == {}


def test_the_glossary_has_a_table_of_retired_words() -> None:
    assert len(retired_words()) > 30
    assert {"Turn", "Unread"} <= set(retired_words())


def test_an_identifier_is_split_into_its_words() -> None:
    assert words_of("_HTTPServer_of2") == {"http", "server", "of"}
    assert words_of("TurnNotGiven") == {"turn", "not", "given"}
