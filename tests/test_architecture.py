"""The architecture holds: import direction, start-up, sizes of files, names of problems, generated files."""

from __future__ import annotations

import ast
import re
import string
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from cnndsl import generate
from cnndsl.diagnostics import Diagnostic, problem_class
from cnndsl.diagnostics.index import CODES, PROBLEMS

ROOT = Path(__file__).resolve().parent.parent

# Left never imports right; what stands in one row doesn't know the rest of it.
ORDER = (
    ("record", "resources"),
    ("source", "shape", "symbols", "terminal", "numbers"),
    ("diagnostics",),
    ("layers", "syntax", "files", "problems"),
    ("zoo", "format", "revisions", "datasets"),
    ("graph",),
    ("elaborate",),
    ("measure", "recipe"),
    ("lint",),
    ("pipeline",),
    ("annotate", "compare", "explain", "fit", "repair", "sizes"),
    ("report", "codegen", "draw", "reference"),
    ("spec",),
    ("runtime",),
    ("cli",),
    ("__main__",),
)
# Tools for development and the package's own front; they may see everything, and only the front is seen.
OUTSIDE = {"generate", "catalogue", "gallery", "__init__"}

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "cnndsl").rglob("*.py"))
}


@cache
def syntax_tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def running(node: ast.AST) -> Iterator[ast.AST]:
    """Every node that can run: what stands under `if TYPE_CHECKING` is left out."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            for other in child.orelse:
                yield from running(other)
        else:
            yield from running(child)


def imports(path: Path) -> set[str]:
    """The modules that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in running(syntax_tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            assert node.module is not None
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in whole}
    return found


def part_of(module: str) -> str:
    """The part of the package that a module belongs to: the second of its names."""
    return [*module.split("."), "__init__"][1]


def ours(modules: Iterable[str]) -> set[str]:
    return {name for name in modules if name.split(".")[0] == "cnndsl"}


# --- imports --------------------------------------------------------------------------------------------------------


def test_every_part_has_its_place() -> None:
    known = {part for row in ORDER for part in row} | OUTSIDE
    assert {part_of(module) for module in MODULES} <= known


def test_left_never_imports_right() -> None:
    level = {part: number for number, row in enumerate(ORDER) for part in row}
    wrong = []
    for module, path in MODULES.items():
        importer = part_of(module)
        if importer in OUTSIDE:
            continue
        for imported in sorted(ours(imports(path))):
            part = part_of(imported)
            allowed = part == importer or part == "__init__" or level.get(part, 99) < level[importer]
            if not allowed:
                wrong.append(f"{module} imports {imported}")
    assert not wrong, "\n".join(wrong)


def test_no_circular_imports() -> None:
    graph = {module: ours(imports(path)) - {module} for module, path in MODULES.items()}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize(
    ("library", "importers"),
    [
        ("torch", {"runtime"}),
        ("sklearn", {"runtime"}),
        ("PIL", {"runtime"}),
        ("safetensors", {"runtime"}),
        ("onnx_ir", {"runtime"}),
        ("onnxruntime", {"runtime"}),
        ("numpy", {"runtime", "sizes"}),
        ("click", {"cli"}),
        ("lark", {"generate"}),
        ("networkx", set()),
        ("rich", set()),
        ("dataclasses", {"runtime"}),
    ],
)
def test_who_imports_a_library(library: str, importers: set[str]) -> None:
    found = {part_of(m) for m, path in MODULES.items() if library in {name.split(".")[0] for name in imports(path)}}
    assert found <= importers


CHECK = """
import sys
import click
before = set(sys.modules)
from cnndsl.cli import main
code = main(sys.argv[1:])
print("\\n".join(["MODULES", str(code), *sorted(set(sys.modules) - before)]))
"""
HEAVY = {
    "torch", "numpy", "networkx", "rich", "lark", "sklearn", "safetensors", "json", "dataclasses", "inspect", "pathlib",
    "enum", "asyncio", "importlib.metadata", "logging", "subprocess", "tempfile",
}  # fmt: skip


def loaded_by(*arguments: str, text: str | None = None) -> tuple[int, set[str]]:
    """The exit code of a command, and the modules it loads beyond click's."""
    run = subprocess.run(
        [sys.executable, "-c", CHECK, *arguments], input=text, capture_output=True, text=True, check=True, cwd=ROOT
    )
    code, *modules = run.stdout.partition("MODULES\n")[2].split()
    return int(code), set(modules)


def test_check_loads_little() -> None:
    code, modules = loaded_by("check", "specs/lenet5.cnn")
    assert code == 0
    assert not modules & (HEAVY | {"cnndsl.syntax.faults"})


def test_check_of_a_wrong_spec_loads_little() -> None:
    code, modules = loaded_by("check", "-", text="network A\ninput 8x8x3\nconv 3x3x4 strid=2\nconv 9x9x4\n")
    assert code == 1
    assert not modules & HEAVY


def test_draw_loads_little(tmp_path: Path) -> None:
    code, modules = loaded_by("draw", "resnet18", "-o", str(tmp_path / "a.svg"))
    assert code == 0
    assert not modules & (HEAVY | {"reportlab", "resvg_py", "graphviz", "cnndsl.draw.page.build"})
    assert {name for name in modules if name.startswith("cnndsl.draw.formats.")} == {
        "cnndsl.draw.formats.paths",
        "cnndsl.draw.formats.svg",
    }


def test_check_loads_only_the_families_it_needs() -> None:
    _, modules = loaded_by("check", "-", text="network A\ninput 8\ndense 2, relu\n")
    families = {name for name in modules if name.startswith("cnndsl.layers.")}
    assert not families & {f"cnndsl.layers.{name}" for name in ("conv", "norm", "rbf", "resample", "subsample")}
    assert not any(name.startswith(("cnndsl.recipe", "cnndsl.codegen", "cnndsl.runtime")) for name in modules)


# --- files ----------------------------------------------------------------------------------------------------------


def test_files_are_short() -> None:
    files = [path for folder in ("cnndsl", "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    lengths = {path: path.read_text(encoding="utf-8") for path in files}
    long = {
        path.relative_to(ROOT).as_posix(): text.count("\n")
        for path, text in lengths.items()
        if text.count("\n") > 600 and generate.HEADER not in text
    }
    assert not long


@pytest.mark.parametrize("path", generate.TARGETS)
def test_generated_file_is_current(path: str) -> None:
    made = (ROOT / path).read_text(encoding="utf-8")
    assert made == generate.TARGETS[path](), f"{path} is not current: run `make generate`"


def test_grammar_has_no_conflict() -> None:
    generate.build_lark((ROOT / "grammars" / "cnn.lark").read_text(encoding="utf-8"))


def test_a_conflict_in_a_grammar_is_seen() -> None:
    # Lark settles this shift/reduce conflict without a word: "-x?" may end with or without the mark.
    with pytest.raises(generate.ConflictError):
        generate.build_lark('start: a "!"?\na: "x" "!"?')


def test_grammar_names_no_layer_kind() -> None:
    from cnndsl.layers import names

    grammar = (ROOT / "grammars" / "cnn.lark").read_text(encoding="utf-8")
    literals = set(re.findall(r'"([a-z]+)"', grammar))
    assert not literals & set(names())


# --- problems -------------------------------------------------------------------------------------------------------

# Where the name of a problem is given, and as which argument.
NAMED_AT = {
    "problem": 0,
    "LayerError": 0,
    "EvaluationError": 0,
    "SyntaxFault": 0,
    "report": 0,
    "_report": 0,
    "_about": 1,
    "Condition": 3,
}
# What their callers add to the values written there.
ADDED = {"_about": {"name"}}


def called(call: ast.Call) -> str:
    """The name of the function or method that is called."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def named_problems() -> Iterator[tuple[str, str, ast.Call]]:
    """Every place that names a problem: the place, the name, the call."""
    for path in MODULES.values():
        for node in ast.walk(syntax_tree(path)):
            if not isinstance(node, ast.Call):
                continue
            at = NAMED_AT.get(called(node))
            if at is None or len(node.args) <= at:
                continue
            argument = node.args[at]
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", argument.value, node


def test_every_problem_named_in_the_code_exists() -> None:
    found = list(named_problems())
    assert len(found) > 100
    assert not [f"{place}: {name}" for place, name, _ in found if name not in PROBLEMS]


def test_every_problem_is_used() -> None:
    constants = {
        node.value
        for path in MODULES.values()
        if path.name != "index.py"
        for node in ast.walk(syntax_tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert not set(PROBLEMS) - constants


def fields(kind: type[Diagnostic]) -> set[str]:
    """The values that a problem's texts are filled with, where it does not make them itself."""
    made = {"message": "message_text", "label": "label_text", "help": "help_text"}
    texts = [getattr(kind, t) for t, method in made.items() if getattr(kind, method) is getattr(Diagnostic, method)]
    return {name.split(".")[0].split("[")[0] for t in texts for _, name, _, _ in string.Formatter().parse(t) if name}


def test_problems_get_the_values_that_their_texts_need() -> None:
    raised = {id(n.exc) for path in MODULES.values() for n in ast.walk(syntax_tree(path)) if isinstance(n, ast.Raise)}
    wrong = []
    for place, name, call in named_problems():
        given = {keyword.arg for keyword in call.keywords}
        function = called(call)
        if None in given or name not in PROBLEMS:
            continue  # values that are not written there
        if function == "Condition" or (function == "LayerError" and id(call) not in raised):
            continue
        missing = fields(problem_class(name)) - given - ADDED.get(function, set())
        if missing:
            wrong.append(f"{place}: {name} needs {', '.join(sorted(missing))}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", PROBLEMS)
def test_problem_is_complete(name: str) -> None:
    kind = problem_class(name)
    letter = {"error": "E", "warning": "W", "note": "N"}[kind.severity]
    assert re.fullmatch(rf"{letter}[0-9]{{3}}", kind.code)
    assert CODES[kind.code] == name
    assert kind.title
    assert not kind.title.endswith(".")
    assert kind.message or kind.message_text is not Diagnostic.message_text
    assert not kind.message.endswith(".")
    assert kind.__doc__
    assert kind.__doc__ != Diagnostic.__doc__
