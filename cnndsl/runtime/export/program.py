"""torch.export: the network as a program of PyTorch's own operations, which needs no source."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from cnndsl.codegen import NodeCode, node_codes
from cnndsl.graph import Node
from cnndsl.runtime import nodes
from cnndsl.runtime.errors import ExportError
from cnndsl.runtime.export import File, Made
from cnndsl.runtime.export.compare import agree, outputs
from cnndsl.runtime.export.subject import Subject
from cnndsl.runtime.faults import place

_ABOUT = "cnndsl.json"
_EXAMPLES = 2
"""Of the batch that is followed: with one example, tools take the batch to be always one."""


def write(subject: Subject, name: str, ending: str) -> Made:
    """A .pt2 file, loaded again and compared. Raises ExportError."""
    with quiet():
        program = exported(subject)
        for node in program.graph.nodes:
            # Where the source lay on this machine is nobody's business.
            node.meta.pop("stack_trace", None)
        buffer = io.BytesIO()
        torch.export.save(program, buffer, extra_files={_ABOUT: json.dumps(subject.about(), indent=1)})
        content = buffer.getvalue()
        again = torch.export.load(io.BytesIO(content)).module()
    said = agree(subject, lambda inputs: outputs(again, inputs), "torch.export.load")
    return Made((File(ending, content),), (*subject.ends_said(), said))


def exported(subject: Subject) -> torch.export.ExportedProgram:
    """The network as a program whose batch may have any size. Raises ExportError, at the layer's line."""
    given = subject.examples(_EXAMPLES)
    try:
        return program_of(subject.whole(), given)
    except Exception as error:  # exporters raise many kinds
        raise refusal(subject, "exported by torch.export", error, program_of) from None


def program_of(module: nn.Module, inputs: Sequence[Tensor]) -> torch.export.ExportedProgram:
    """A module that takes any number of inputs, as a program; raises what torch.export raises."""
    batch = torch.export.Dim("batch")
    shapes = (tuple({0: batch} for _ in inputs),)
    with torch.no_grad():
        return torch.export.export(module, tuple(inputs), dynamic_shapes=shapes, strict=False)


class _Layer(nn.Module):
    """One layer of a network as a module by itself."""

    def __init__(self, network: nn.Module, code: NodeCode) -> None:
        super().__init__()
        self.network = network
        self.code = code

    def forward(self, *inputs: Tensor) -> Any:
        found = nodes.call(self.network, self.code, inputs)
        return found[0] if len(found) == 1 else found


def refusal(
    subject: Subject, what: str, error: Exception, attempt: Callable[[nn.Module, Sequence[Tensor]], object]
) -> ExportError:
    """The error for a network that can't be written, at the first layer that `attempt` refuses by itself, if one is."""
    node, cause = _first_refused(subject, attempt) or (None, error)
    reason = _reason(cause)
    if node is None:
        return ExportError(f"{subject.graph.name} can't be {what}: {reason}")
    return ExportError(f"{place(node)}, a `{node.kind}`, can't be {what}: {reason}")


def _first_refused(
    subject: Subject, attempt: Callable[[nn.Module, Sequence[Tensor]], object]
) -> tuple[Node, Exception] | None:
    codes = node_codes(subject.graph)
    bare = subject._replace(inside=False)
    tried = set()
    with torch.no_grad():
        for node, given, _ in nodes.run(subject.graph, subject.module, bare.examples(_EXAMPLES)):
            if node.index not in codes:
                continue
            code = codes[node.index]
            same = (code.made, code.forward, tuple(tuple(x.shape) for x in given))
            if same in tried:
                continue
            tried.add(same)
            try:
                attempt(_Layer(subject.module, code).eval(), given)
            except Exception as error:  # as above
                return node, error
    return None


def _reason(error: BaseException) -> str:
    """What an exporter says in its last cause, in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__


@contextmanager
def quiet() -> Iterator[None]:
    """Without what exporters warn of and log: what matters is compared at the end."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
