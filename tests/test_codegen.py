"""The emitted PyTorch: names that can't clash or break out, sane source, right results."""

from __future__ import annotations

import ast
import builtins
import keyword
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from cnndsl.codegen import class_name, emit, emit_file
from cnndsl.codegen.identifiers import MODULE_ATTRIBUTES, Identifiers, identifier
from cnndsl.graph import Graph
from cnndsl.layers import all_kinds
from cnndsl.layers.base import Example
from cnndsl.pipeline import check
from cnndsl.runtime.module import build_module
from cnndsl.source import Source
from cnndsl.syntax.tables import KEYWORDS


def graphs_of(text: str) -> list[Graph]:
    checked = check(Source("a.cnn", text))
    assert [d for d in checked.diagnostics if d.severity == "error"] == []  # some layers here lead nowhere
    return [one.graph for one in checked.networks]


def graph_of(body: str) -> Graph:
    """The graph of a network with these lines."""
    (graph,) = graphs_of(f"network Net\n{body}\n")
    return graph


def run(body: str, *inputs: torch.Tensor) -> torch.Tensor:
    """What the module of a network gives, in evaluation mode."""
    module = build_module(graph_of(body)).eval()
    with torch.no_grad():
        result: torch.Tensor = module(*inputs)
    return result


# --- names ----------------------------------------------------------------------------------------------------------


def test_module_attributes_are_pytorchs() -> None:
    public = {name for name in [*dir(nn.Module), *nn.Module().__dict__] if not name.startswith("_")}
    assert public <= MODULE_ATTRIBUTES
    # Names that other releases of PyTorch have stay reserved, so that a file means the same with each.
    assert MODULE_ATTRIBUTES - public <= {"ipu", "xpu", "mtia", "T_destination", "set_submodule", "dump_patches"}


def plain_names() -> list[str]:
    """Names that mean something to Python, PyTorch or the emitted file."""
    found = {*keyword.kwlist, *keyword.softkwlist, *dir(builtins), *MODULE_ATTRIBUTES, "x", "self", "torch", "F", "nn"}
    found |= {"Tensor", "math", "source", "Net", "cls", "input_", "_", "__", "_1", "_parameters", "__init__", "a_b"}
    found |= {"Step", "RBF", "FixedRBF", "Subsample2d", "lecun_uniform_", "padded_max_pool", "digits", "a" * 300}
    return sorted(name for name in found if name.isidentifier() and name not in KEYWORDS)


NAMES = plain_names()


@pytest.mark.parametrize("start", range(0, len(NAMES), 60))
def test_any_name_may_be_a_layers(start: int) -> None:
    """Layers with weights, so that each becomes an attribute, and a variable as each is used twice."""
    names = NAMES[start : start + 60]
    lines = [f"dense 3 init=lecun as {name}, from {name}, dense 2, from {name}" for name in names]
    graph = graph_of("input 3\n" + "\n".join(lines))
    module = build_module(graph)
    assert module(torch.zeros(1, 3)).shape == (1, 3)
    children = dict(module.named_children())
    assert len(children) == 2 * len(names)
    assert module.train(False).training is False
    assert all(name.isidentifier() and not keyword.iskeyword(name) for name in children)
    assert not set(children) & (set(dir(nn.Module)) | {"training", "source"})


@pytest.mark.parametrize(
    "name", ["nn", "Tensor", "torch", "F", "class", "object", "super", "Net", "x", "RBF", "DIGITS", "float", "_"]
)
def test_any_name_may_be_a_networks(name: str) -> None:
    body = "input 84\nrbf 10 centres=digits" if name in ("RBF", "DIGITS") else "input 84\ndense 3"
    (graph,) = graphs_of(f"network {name}\n{body}\n")
    module = build_module(graph)
    assert module(torch.zeros(2, 84)).shape[0] == 2
    assert type(module).__name__ == class_name(graph)
    # The same name for two networks that differ in what a class may be called.
    source = emit_file(graphs_of(f"network {name}\n{body}\nnetwork {name}_2\n{body}\n"))
    classes = [node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    assert len(classes) == len(set(classes))


def test_names_with_steps() -> None:
    graph = graph_of("input 4\nrepeat 2 as i:\n    dense 4 as stage[i]\ndense 4 as stage_0\ndense 4 as stage")
    names = [name for name, _ in build_module(graph).named_children()]
    assert names == ["stage_0", "stage_1", "stage_0_2", "stage"]


def test_names_of_several_modules_do_not_meet_others() -> None:
    """Where a layer becomes several modules, each has the layer's name and a suffix."""
    for kind in all_kinds():
        for example in kind.examples:
            graph = graph_of(example_lines(example))
            for node in graph.nodes:
                shapes = [shape for edge in node.inputs if (shape := graph.shape_of(edge)) is not None]
                modules = node.layer.code(tuple(shapes), node.shapes or ()).modules if node.layer else ()
                assert len(modules) == len({suffix for suffix, _ in modules})
    names = Identifiers(frozenset({"b_weight"}))
    assert names.make("a", ("weight", "bias")) == "a"
    assert names.make("a_weight") == "a_weight_2"
    assert names.make("a") == "a"
    assert names.make("b", ("weight",)) == "b_2"


@given(st.lists(st.text(max_size=8) | st.sampled_from(["a", "a_2", "a_", "class", "1", "é", "a[0]"]), max_size=8))
def test_identifiers_are_identifiers_and_different(texts: list[str]) -> None:
    names = Identifiers(frozenset({"a"}))
    made = [names.make(text) for text in texts]
    assert len({*made, "a"}) == len(made) + 1
    for name in made:
        assert name.isidentifier()
        assert name.isascii()
        assert not keyword.iskeyword(name)


def test_identifiers_read_like_the_name() -> None:
    assert identifier("stage[0].conv1") == "stage_0_conv1"
    assert identifier("conv5x5x6") == "conv5x5x6"
    assert identifier("class") == "class_"
    assert identifier("3d") == "_3d"
    assert identifier("__init__") == "init"


# --- the text of the file ---------------------------------------------------------------------------------------------

NOTES = [
    "from lenet.cnn",
    'a "quoted" name',
    '"""',
    '""""',
    "ends with a quote\"",
    "back\\slash \\",
    "\\\"\"\"; import os #",
    "two\nlines",
    "\x85\u2028 separators \x0c\x1c",
    "''' %s {} {0} \\N{DASH} \\x",
    "é×→",
]  # fmt: skip


@pytest.mark.parametrize("note", NOTES)
def test_notes_can_not_break_out(note: str) -> None:
    source = emit_file([graph_of("input 4\ndense 3")], note)
    tree = ast.parse(source)
    assert [type(node).__name__ for node in tree.body] == ["Expr", "ImportFrom", "ClassDef"]
    said = ast.get_docstring(tree, clean=False)
    assert said is not None
    assert said.startswith("Net in PyTorch.\n\n")
    assert said.split("\n", 2)[2].splitlines() == [*note.splitlines()]


def example_lines(example: Example) -> str:
    """An example's inputs and its item; a merge takes the inputs after the first by their names."""
    first, *others = example.input.split(", ")
    names = [f"other_{number}" for number in range(len(others))]
    lines = [f"input {name} {size}" for name, size in zip(names, others, strict=True)]
    return "\n".join([*lines, f"input first {first}", " ".join([example.item, *names])])


def specs_and_examples() -> list[tuple[str, str]]:
    found = []
    for kind in all_kinds():
        for number, example in enumerate(kind.examples):
            found.append((f"{kind.kind}-{number}", f"network Net\n{example_lines(example)}\n"))
    for name in (
        "lenet5",
        "lenet5-1998",
        "resnet",
        "googlenet",
        "mobilenet_v3",
        "densenet",
        "unet",
        "siamese",
        "segnet",
    ):
        found.append((name, (Path(__file__).parent.parent / "specs" / f"{name}.cnn").read_text(encoding="utf-8")))
    return found


EXAMPLES = specs_and_examples()


@pytest.fixture(scope="module")
def emitted() -> dict[str, str]:
    """The source of every example of every kind, and of every spec."""
    return {name: emit_file(graphs_of(text), "an example") for name, text in EXAMPLES}


def test_emitted_source_is_sane(emitted: dict[str, str], tmp_path: Path) -> None:
    """No syntax error, unused import, undefined name, shadowed builtin; nothing of this package."""
    for name, source in emitted.items():
        assert "cnndsl" not in source.replace("Made by cnndsl", "")
        assert source.endswith("\n")
        assert not source.endswith("\n\n")
        assert all(line == line.rstrip() for line in source.split("\n")), name
        (tmp_path / f"{name.replace('-', '_')}.py").write_text(source, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--isolated",
        "--no-cache",
        "--select",
        "E4,E7,E9,F,I,W,UP,C4,A001",
    ]
    found = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


def test_emitted_source_is_the_same_each_time(emitted: dict[str, str]) -> None:
    for name, text in EXAMPLES:
        assert emit_file(graphs_of(text), "an example") == emitted[name]


def test_lines_are_short(emitted: dict[str, str]) -> None:
    """At most 100 columns, wherever a line can be broken: docstrings aside."""
    for name, source in emitted.items():
        long = [line for line in source.split("\n") if len(line) > 100 and '"""' not in line]
        assert not long, (name, long)


def test_long_arguments_are_broken() -> None:
    rows = ", ".join(str([i % 6, (i + 1) % 6, (i + 2) % 6]) for i in range(16))
    source = emit(graph_of(f"input 14x14x6\nconv 5x5x16 connect=[{rows}] as {'long_' * 10}name\n"))
    assert max(map(len, source.split("\n"))) <= 120
    assert all(len(line) <= 100 for line in source.split("\n") if '"""' not in line)
    compile(source, "a.py", "exec")


def test_a_graph_with_errors_is_refused() -> None:
    checked = check(Source("a.cnn", "network A\ninput 4\nfoo\n"))
    with pytest.raises(ValueError, match="has errors"):
        emit(checked.networks[0].graph)


def test_each_import_is_there_when_needed() -> None:
    assert emit(graph_of("input 4\ndense 3")).splitlines()[:3] == [
        '"""Net in PyTorch."""', "", "from torch import Tensor, nn",
    ]  # fmt: skip
    assert "import torch.nn.functional as F\n" in emit(graph_of("input 4\nrelu"))
    # A comment or docstring that speaks of `F.relu` needs no import.
    assert "import torch\n" not in emit_file([graph_of("input 4\ndense 3")], "uses torch.zeros and F.relu, math.pi")


# --- results ----------------------------------------------------------------------------------------------------------


def test_layer_norm_on_maps_is_over_channels() -> None:
    x = torch.randn(2, 3, 4, 5)
    module = nn.LayerNorm(3)
    expected = module(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    assert torch.allclose(run("input 4x5x3\nln", x), expected, atol=1e-6)


def test_moves_of_channels_are_undone_where_they_must_be() -> None:
    x = torch.randn(2, 3, 4, 5)
    # ConvNeXt's order: norm, a linear layer, an activation, back to a convolution.
    graph = graph_of("input 4x5x3\nln\nlinear 6 as up\ngelu\nlinear 3 as down\nconv 3x3x2 as last")
    module = build_module(graph)
    y = F.layer_norm(x.permute(0, 2, 3, 1), (3,))
    y = module.down(F.gelu(module.up(y))).permute(0, 3, 1, 2)
    assert torch.allclose(module(x), module.last(y), atol=1e-5)
    source = emit(graph)
    assert source.count("movedim") == 2


def test_a_tensor_used_in_both_layouts() -> None:
    """One variable, moved for one user and moved back for the next; and the same under a second name."""
    x = torch.randn(2, 3, 4, 5)
    text = "input 4x5x3\nrelu as a\nidentity as b\nfrom b, ln as c\nfrom a, conv 3x3x2 as d\nfrom b, linear 2 as e\n"
    module = build_module(graph_of(text + "output c\noutput d\noutput e\noutput a\noutput b"))
    with torch.no_grad():
        c, d, e, a, b = module(x)
    relu = F.relu(x)
    assert torch.equal(a, relu)
    assert torch.equal(b, relu)
    assert torch.allclose(c, F.layer_norm(relu.movedim(1, -1), (3,)).movedim(-1, 1), atol=1e-6)
    assert torch.equal(d, module.d(relu))
    assert torch.allclose(e, module.e(relu.movedim(1, -1)).movedim(-1, 1), atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "text", "sizes"),
    [
        ("6", "ln\nlinear 4", (6,)),
        ("5x6", "ln\nlinear 4", (6, 5)),
        ("4x5x6", "ln\nlinear 4", (6, 4, 5)),
        ("3x4x5x6", "ln\nlinear 4", (6, 3, 4, 5)),
    ],
)
def test_layouts_of_every_rank(shape: str, text: str, sizes: tuple[int, ...]) -> None:
    x = torch.randn(2, *sizes)
    module = build_module(graph_of(f"input {shape}\n{text}"))
    linear = next(m for m in module.children() if isinstance(m, nn.Linear))
    expected = linear(F.layer_norm(x.movedim(1, -1), (6,))).movedim(-1, 1)
    assert torch.allclose(module(x), expected, atol=1e-5)


def test_several_results_and_inputs() -> None:
    text = "input left 3\ninput right 3\nfrom left, dense 4 as a, tanh\nfrom right, dense 5 as b\nfrom a, relu as c\n"
    module = build_module(graph_of(text + "output b\noutput c\noutput a"))
    left, right = torch.randn(2, 3), torch.randn(2, 3)
    b, c, a = module(left, right)
    assert torch.equal(a, module.a(left))
    assert torch.equal(b, module.b(right))
    assert torch.equal(c, F.relu(module.a(left)))


def test_an_input_may_be_a_result() -> None:
    x = torch.randn(2, 3)
    module = build_module(graph_of("input image 3\ndense 2 as a\noutput image\noutput a"))
    image, first = module(x)
    assert torch.equal(image, x)
    assert torch.equal(first, module.a(x))


def test_pools_indices_lead_back() -> None:
    x = torch.randn(2, 3, 8, 8)
    text = "input 8x8x3\npool 2 as p1\nrelu\npool 2 as p2\ntanh\nunpool 2 p2\nunpool 2 p1"
    y, first = F.max_pool2d(x, 2, return_indices=True)
    y, second = F.max_pool2d(F.relu(y), 2, return_indices=True)
    y = F.max_unpool2d(torch.tanh(y), second, 2)
    expected = F.max_unpool2d(y, first, 2)
    assert torch.equal(run(text, x), expected)


def test_reuse_shares_the_module() -> None:
    module = build_module(graph_of("input 4\ndense 4 as first\nrelu\nreuse first"))
    x = torch.randn(2, 4)
    assert [name for name, _ in module.named_children()] == ["first"]
    assert torch.equal(module(x), module.first(F.relu(module.first(x))))


def test_dense_flattens_in_pytorchs_order() -> None:
    x = torch.randn(2, 3, 4, 5)
    module = build_module(graph_of("input 4x5x3\ndense 7 as d"))
    assert torch.equal(module(x), module.d(x.flatten(1)))
    # After a layer with its channels last as well.
    module = build_module(graph_of("input 4x5x3\nln\ndense 7 as d"))
    flat = F.layer_norm(x.movedim(1, -1), (3,)).movedim(-1, 1).flatten(1)
    assert torch.allclose(module(x), module.d(flat), atol=1e-5)


def test_strings_are_literals() -> None:
    from cnndsl.codegen.python import literal

    for text in ['"', "'", "'\"", "\\", "\n", "a\\'", '"""', "{x}", "\x00", "é", "#"]:
        assert ast.literal_eval(literal(text)) == text
    assert eval(literal(float("inf"))) == float("inf")
    assert eval(literal(-float("inf"))) == -float("inf")
    assert literal(True) == "True"
    assert literal(1e-5) == "1e-05"
