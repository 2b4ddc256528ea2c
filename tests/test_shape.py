"""The house's law: arrows, sizes, names, docstrings, and what a bare import may load."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "whytune"
FILES = sorted(SOURCE.rglob("*.py"))
BANNED = {"utils", "common", "helpers", "core", "base", "manager", "misc"}
HEAVY = ("pydantic", "torch", "transformers", "peft", "trl", "sqlalchemy", "sqlite3", "pyarrow", "scipy", "numpy", "jinja2")


@cache
def trees() -> dict[Path, ast.Module]:
    """Each file, read when the first test asks: every process of the tests reads this one."""
    return {path: ast.parse(path.read_text("utf-8")) for path in FILES}


def named(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def test_arrows_point_down() -> None:
    done = subprocess.run([str(Path(sys.executable).parent / "lint-imports")], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", FILES, ids=named)
def test_file(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.count("\n") < 400, "files stay under 400 lines"
    assert ast.get_docstring(trees()[path]), "a module begins with what it does"
    assert not BANNED & {path.stem, *path.relative_to(SOURCE).parts[:-1]}
    if path.name == "__init__.py" and path.parent != SOURCE:
        assert not [node for node in ast.walk(trees()[path]) if isinstance(node, ast.Import | ast.ImportFrom)], "a room's __init__ imports nothing"


def test_public_functions_take_at_most_six_parameters() -> None:
    wide = []
    for path, tree in trees().items():
        if path.parent.name == "cli":
            continue  # there a parameter is a flag of a command
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
                names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs) if a.arg not in {"self", "cls"}]
                if len(names) > 6:
                    wide.append(f"{named(path)}:{node.lineno} {node.name}({', '.join(names)})")
    assert not wide, "\n".join(wide)


def test_public_names_have_docstrings() -> None:
    bare = []
    for path, tree in trees().items():
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_") and not ast.get_docstring(node):
                bare.append(f"{named(path)}:{node.lineno} {node.name}")
    assert not bare, "\n".join(bare)


def test_one_noun_one_class() -> None:
    names = Counter(node.name for tree in trees().values() for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_"))
    assert not [name for name, count in names.items() if count > 1]


def test_every_error_states_a_next_step() -> None:
    silent = []
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name) and node.exc.func.id.endswith("Error"):
                own = node.exc.func.id in ERRORS
                if own and not any(k.arg in {"next", None} for k in node.exc.keywords):
                    silent.append(f"{named(path)}:{node.lineno} {node.exc.func.id}")
    assert not silent, "\n".join(silent)


ERRORS = {node.name for node in ast.parse((SOURCE / "errors.py").read_text("utf-8")).body if isinstance(node, ast.ClassDef)}


@pytest.mark.parametrize("code", ["import whytune", "import sys; sys.argv = ['whytune', '--help']\nfrom whytune.__main__ import main\ntry:\n    main()\nexcept SystemExit as e:\n    assert not e.code"])
def test_a_bare_import_is_light(code: str) -> None:
    check = f"{code}\nimport sys\nloaded = [name for name in {HEAVY!r} if name in sys.modules]\nassert not loaded, loaded"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_project_speaks_of_itself_alone() -> None:
    """No path of a build machine, no word that a task is unfinished."""
    tracked = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    pattern = re.compile(r"(^|[^a-zA-Z0-9_.])/(wo" + r"rk|fa" + r"rm)/|TO" + r"DO|FIX" + r"ME|NotImpl" + r"emented")
    found = []
    for name in tracked:
        path = ROOT / name
        if name and path.is_file() and path.suffix in {".py", ".md", ".toml", ".j2", ".css", ""}:
            for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1):
                if pattern.search(line):
                    found.append(f"{name}:{number}: {line.strip()[:80]}")
    assert not found, "\n".join(found)
