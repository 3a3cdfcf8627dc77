# SPDX-License-Identifier: Apache-2.0
"""The map of the package, and the files and names that the pages for contributors lead to."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tools.draw_map import MAP, PACKAGE, direct, draw, from_the_top

ROOT = MAP.parent.parent.parent
WRITTEN = [ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted(MAP.parent.rglob("*.md"))]
WRITTEN.remove(MAP)
UNDER = (ROOT, ROOT / PACKAGE, ROOT / "docs", ROOT / "tests")
MAKEFILE = (ROOT / "Makefile").read_text()
ENDINGS = (".py", ".md", ".toml", ".txt", ".yaml", ".yml")


def targets() -> set[str]:
    """Return the targets of the Makefile."""
    return set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


class TestTheMap:
    def test_the_map_is_what_the_code_is(self) -> None:
        assert MAP.read_text() == draw(), "a file, a docstring or an import has changed: run `make map`, and commit it"

    def test_the_map_leaves_out_arrows_that_follow_from_others(self) -> None:
        rooms = {"c": set[str](), "a": {"b", "c"}, "b": {"c"}}
        assert from_the_top(rooms) == ["a", "b", "c"]
        assert {room: direct(rooms, room) for room in rooms} == {"a": {"b"}, "b": {"c"}, "c": set()}

    def test_the_map_keeps_the_arrows_to_rooms_that_import_each_other(self) -> None:
        assert direct({"a": {"b", "c"}, "b": {"c"}, "c": {"b"}}, "a") == {"b", "c"}


def test_make_help_tells_of_every_target() -> None:
    make = shutil.which("make") or pytest.skip("there is no make")
    told = subprocess.run([make, "--directory", ROOT, "help"], capture_output=True, text=True, check=True).stdout  # noqa: S603
    assert set(re.findall(r"^make ([a-z-]+) +\S", told, re.MULTILINE)) == targets()


def test_the_workflow_names_files_and_targets_that_exist() -> None:
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    files = re.findall(r"(?:cache-dependency-path|run): ([\w./-]+/[\w./-]+)$", workflow, re.MULTILINE)
    assert {file for file in files if not (ROOT / file).is_file()} == set()
    assert len(files) > 1
    assert set(re.findall(r"run: make ([a-z-]+)$", workflow, re.MULTILINE)) <= targets()


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
class TestAPageForContributors:
    def test_a_page_for_contributors_names_files_that_exist(self, page: Path) -> None:
        spans = re.findall(r"`([\w.-]+(?:/[\w.-]+)*/?)`", page.read_text())
        files = [span for span in spans if span.endswith(ENDINGS) or "/" in span]
        gone = [file for file in files if not any((folder / file).exists() for folder in UNDER)]
        assert gone == [], "a file has moved: mend the page, then run `make map`"

    def test_a_page_for_contributors_links_to_names_that_are_in_the_file(self, page: Path) -> None:
        named = re.findall(rf"\]\([./]*({PACKAGE}/[\w./]+)\) `(\w+)`", page.read_text())
        gone = [(file, name) for file, name in named if not re.search(rf"\b{name}\b", (ROOT / file).read_text())]
        assert gone == [], "a name has changed: mend the page"

    def test_a_page_for_contributors_asks_for_targets_of_the_makefile(self, page: Path) -> None:
        assert set(re.findall(r"\bmake ([a-z-]+)`", page.read_text())) <= targets()

    def test_a_page_for_contributors_leads_to_nothing_outside_the_repository(self, page: Path) -> None:
        assert "/work/" not in page.read_text()
