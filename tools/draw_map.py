# SPDX-License-Identifier: Apache-2.0
"""Draw ``docs/contributing/map.md`` from the code: the rooms of the package, their modules, and which imports which.

``make map`` runs it. A room is a folder with Python files, or a module at the top of the package. What is inside the
sandbox is listed, and drawn as one room: nothing else imports it, and it imports nothing else.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Set
from functools import cache
from pathlib import Path

PACKAGE = "airflow_provider_chattransfer"
ROOT = Path(__file__).parent.parent / PACKAGE
MAP = ROOT.parent / "docs" / "contributing" / "map.md"
LINK = f"../../{PACKAGE}"

HEAD = """\
# The map

Drawn from the code by `make map`: do not edit it. "If you want to change X, look in Y" is in
[Architecture](architecture.md).

A room is a folder, or a module at the top of the package. An arrow leads from a room to one that it imports. The graph
leaves out an arrow where a longer way leads to the same room; the table has them all. No arrow leads up:
`tests/unit/test_layers.py` fails when one does.
"""

Rooms = Mapping[str, Set[str]]


def draw() -> str:
    """Return the whole page."""
    rooms = imports_of_rooms()
    order = from_the_top(rooms)
    parts = [HEAD, graph(rooms, order), "## Rooms", room_table(rooms, order)]
    for folder in folders():
        parts += [f"## {_title(folder)}", module_table(folder)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


@cache
def parsed(file: Path) -> ast.Module:
    """Parse a file once, for its docstring and its imports."""
    return ast.parse(file.read_text())


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield all statements below a node; imports are nowhere else, and expressions take long to walk through."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield child
            yield from statements(child)


def imports_of(file: Path) -> Iterator[str]:
    """Yield the modules that a file imports, ours with their full name."""
    package = ".".join([PACKAGE, *file.relative_to(ROOT).parts[:-1]])
    for node in statements(parsed(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = package.split(".")[: len(package.split(".")) - node.level + 1]
            names = [node.module] if node.module else [alias.name for alias in node.names]
            yield from (".".join([*base, name]) for name in names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@cache
def files() -> list[Path]:
    """Return the Python files of the package, those at the top of it first."""
    return sorted(ROOT.rglob("*.py"), key=lambda file: (file.parent, file.name))


def folders() -> list[Path]:
    """Return the folders with Python files, each once."""
    return list(dict.fromkeys(file.parent for file in files()))


def room_of(file: Path) -> str:
    """Return the room of a file: its folder, or its own name at the top of the package."""
    if file.parent == ROOT:
        return file.name
    folder = file.parent.relative_to(ROOT).as_posix()
    return "sandbox" if folder.startswith("sandbox/") else folder


def file_of(module: str) -> Path:
    """Return the file of one of our modules; of a name in a module, that module's."""
    path = ROOT.joinpath(*module.split(".")[1:])
    candidates = (path.with_suffix(".py"), path / "__init__.py", path.parent.with_suffix(".py"), ROOT / "__init__.py")
    return next(each for each in candidates if each.is_file())


def imports_of_rooms() -> Rooms:
    """Return each room with the other rooms that its files import."""
    rooms: dict[str, set[str]] = {room_of(file): set() for file in files()}
    for file in files():
        ours = (name for name in imports_of(file) if name.split(".")[0] == PACKAGE)
        rooms[room_of(file)] |= {room_of(file_of(name)) for name in ours} - {room_of(file)}
    return rooms


def from_the_top(rooms: Rooms) -> list[str]:
    """Sort rooms so that each stands above what it imports, as far as no two of them import each other."""
    order: list[str] = []
    left = dict(rooms)
    while left:
        importers = {room: sum(room in imported for imported in left.values()) for room in left}
        fewest = min(importers.values())
        order += (top := sorted(room for room in left if importers[room] == fewest))
        for room in top:
            del left[room]
    return order


def reached(rooms: Rooms, start: str) -> set[str]:
    """Return the rooms to which arrows lead from one, itself among them."""
    found, ahead = set[str](), {start}
    while ahead:
        found |= ahead
        ahead = set[str]().union(*(rooms[room] for room in ahead)) - found
    return found


def direct(rooms: Rooms, room: str) -> set[str]:
    """Return the imports of a room to which no longer way leads."""
    below = {each: reached(rooms, each) for each in rooms[room]}
    return {
        each
        for each in below
        if not any(each in below[other] and other not in below[each] for other in below if other != each)
    }


def graph(rooms: Rooms, order: list[str]) -> str:
    """Return the rooms and their imports as a Mermaid graph."""
    number = {room: f"r{place}" for place, room in enumerate(order)}
    lines = [f'    {number[room]}["{room}"]' for room in order]
    for room in order:
        lines += [f"    {number[room]} --> {number[each]}" for each in sorted(direct(rooms, room), key=order.index)]
    return "\n".join(["```mermaid", "flowchart TD", *lines, "```"])


def room_table(rooms: Rooms, order: list[str]) -> str:
    """Return each room with what is in it and the rooms that it imports."""
    rows = ["| Room | What is in it | Imports |", "|---|---|---|"]
    for room in order:
        file = ROOT / room if room.endswith(".py") else ROOT / room / "__init__.py"
        imported = ", ".join(f"`{each}`" for each in sorted(rooms[room], key=order.index))
        rows.append(f"| {_linked(ROOT / room)} | {summary(file)} | {imported} |")
    return "\n".join(rows)


def module_table(folder: Path) -> str:
    """Return the modules of a folder, each with what its docstring says first."""
    here = [file for file in files() if file.parent == folder]
    modules = [file for file in here if file.name != "__init__.py"] or here
    rows = ["| Module | What is in it |", "|---|---|"]
    rows += [f"| {_linked(file)} | {summary(file)} |" for file in modules]
    return "\n".join(rows)


def summary(file: Path) -> str:
    """Return the first paragraph of a file's docstring, as the cell of a table."""
    first = (ast.get_docstring(parsed(file)) or "").partition("\n\n")[0]
    return " ".join(first.split()).replace("``", "`").replace("|", "\\|")


def _linked(path: Path) -> str:
    name = path.relative_to(ROOT).as_posix()
    return f"[{name}]({LINK}/{name})"


def _title(folder: Path) -> str:
    return "The top of the package" if folder == ROOT else folder.relative_to(ROOT).as_posix()


if __name__ == "__main__":
    MAP.write_text(draw())
