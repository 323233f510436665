"""The source of the network, and an example of its use without this project."""

from __future__ import annotations

import cnndsl
from cnndsl.codegen import class_name, emit
from cnndsl.runtime.data.prepare import Prepare
from cnndsl.runtime.export import File, Made
from cnndsl.runtime.export.subject import Subject, added
from cnndsl.runtime.run_folder import WEIGHTS


def write(subject: Subject, name: str, ending: str) -> Made:
    """A .py file alone; it says how a run's weights are put into it."""
    return Made((File(ending, source(subject, name, WEIGHTS).encode()),), tuple(subject.ends_said()))


def source(subject: Subject, module: str, weights: str) -> str:
    """The source with an example of how to use it. module: its name for `import`; weights: their file."""
    lines = "".join(f"    {line}\n" if line else "\n" for line in example(subject, module, weights))
    note = f"Made by cnndsl {cnndsl.__version__}, which it does not need. With trained weights:\n\n{lines}"
    return emit(subject.graph, note.rstrip("\n"))


def example(subject: Subject, module: str, weights: str) -> list[str]:
    """Lines of Python that load a network and give it random examples."""
    of = class_name(subject.graph)
    pickled = weights.endswith(".pt")
    loaded = f'torch.load("{weights}", weights_only=True)' if pickled else f'load_file("{weights}")'
    inputs = []
    for number, index in enumerate(subject.graph.inputs, 1):
        name = "x" if len(subject.graph.inputs) == 1 else f"x{number}"
        inputs += _input(subject, index, name)
    names = ", ".join(
        "x" if len(subject.graph.inputs) == 1 else f"x{n}" for n in range(1, len(subject.graph.inputs) + 1)
    )
    return [
        "import torch",
        *([] if pickled else ["from safetensors.torch import load_file"]),
        f"from {module} import {of}",
        "",
        f"net = {of}().eval()",
        f"net.load_state_dict({loaded})",
        *inputs,
        f"print(net({names}))",
    ]


def _input(subject: Subject, input: int, name: str) -> list[str]:
    """Lines that make one input: random pixels, prepared as in training; or numbers as the network takes them."""
    prepare = subject.prepare
    if prepare is None or prepare.image is None:
        whole = subject._replace(inside=False)
        sizes = ", ".join(map(str, whole.sizes(input)))
        if "int64" in str(whole.dtype(input)):
            return [f"{name} = torch.zeros(1, {sizes}, dtype=torch.int64)  # numbers of tokens"]
        made = [f"{name} = torch.rand(1, {sizes})"]
        return made if prepare is None else [*made, *_scaled(prepare, name)]
    height, width, channels = prepare.image
    lines = [
        f"{name} = torch.randint(256, (1, {channels}, {height}, {width}))  # pixels, channels first",
        *_fitted(prepare, name),
        *_scaled(prepare, name),
    ]
    if len(prepare.input) == 1:
        lines.append(f"{name} = {name}.flatten(1)")
    elif prepare.input[0] != channels:
        lines.append(f"{name} = {name}.expand(-1, {prepare.input[0]}, -1, -1)")
    return lines


def _fitted(prepare: Prepare, name: str) -> list[str]:
    """Lines that bring pixels to the network's size, as `Prepare.fitted` does."""
    assert prepare.image is not None
    stored = prepare.image[:2]
    if prepare.fit == "none" or stored == prepare.size:
        return []
    if prepare.fit == "resize":
        smaller = any(new < old for new, old in zip(prepare.size, stored, strict=True))
        resize = (
            f'torch.nn.functional.interpolate({name}.float(), {prepare.size}, mode="bilinear", antialias={smaller})'
        )
        return [f"{name} = {resize}.round().clamp(0, 255)"]
    down, right = (new - old for new, old in zip(prepare.size, stored, strict=True))
    border = (right // 2, right - right // 2, down // 2, down - down // 2)
    return [f"{name} = torch.nn.functional.pad({name}, {border})"]


def _scaled(prepare: Prepare, name: str) -> list[str]:
    """Lines that normalize, as `Prepare.normalized` does."""
    if prepare.scale == (1.0,) and prepare.shift == (0.0,):
        return [f"{name} = {name}.float()"]
    if len(prepare.scale) == 1:
        return [f"{name} = {name} * {prepare.scale[0]!r} {added(prepare.shift[0], 17)}"]
    shape = ", ".join(["1", "-1", *["1"] * (len(prepare.input) - 1)])
    scale, shift = (f"torch.tensor({list(values)}).view({shape})" for values in (prepare.scale, prepare.shift))
    return [f"{name} = {name} * {scale}", f"{name} = {name} + {shift}"]
