"""`check --torch`: what was predicted of a network, compared with the module that PyTorch makes of it.

The module is built from the compiled source on the meta device, where tensors have shapes and no contents. Its forward
pass is run as it is; then every node by itself, on what the nodes before it really gave, with the modules of that very
module. Operations are counted by `torch.utils.flop_counter`, so what that counter can't see is not compared.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cnndsl.codegen import NodeCode, node_codes
from cnndsl.graph import INPUT, Graph, Node
from cnndsl.layers.base import Weight
from cnndsl.measure import Analysis
from cnndsl.measure.counters import count, counter_named
from cnndsl.measure.primitives import ONCE_A_BATCH, core_macs
from cnndsl.record import Record
from cnndsl.runtime.module import build_module
from cnndsl.runtime.nodes import call, parts
from cnndsl.shape import Shape

EXAMPLES = 2
"""Examples in a batch: batch norm takes no fewer in training."""


class Difference(Record):
    """Something that PyTorch has otherwise: of which layer (None: of the whole), what, and both sides."""

    layer: str | None
    what: str
    predicted: str
    torch: str


class Comparison(Record):
    """What was compared and agrees (how many shapes, parameters, multiply-accumulates), and all that does not.

    unseen: multiply-accumulates that PyTorch's counter does not see.
    """

    name: str
    shapes: int
    params: int
    macs: int
    unseen: int
    differences: tuple[Difference, ...]


def compare(graph: Graph, analysis: Analysis) -> Comparison:
    """Compare a network without errors with its module. Never raises for what its layers do."""
    return _Comparing(graph, analysis).run()


class _Comparing:
    def __init__(self, graph: Graph, analysis: Analysis) -> None:
        self.graph = graph
        self.analysis = analysis
        self.differences: list[Difference] = []
        self.shapes = 0
        self.tensors: dict[tuple[int, int], Any] = {}

    def run(self) -> Comparison:
        totals = self.analysis.totals
        assert totals is not None
        counted = count(self.graph, counter_named("torch"))
        try:
            module = _built(self.graph)
            codes = node_codes(self.graph)
        except Exception as error:  # whatever PyTorch, or a kind of an installed package, makes of it
            self.differ(None, "the module", "can be made", _first_line(error))
            return Comparison(self.graph.name, 0, 0, 0, 0, tuple(self.differences))
        self._parameters(module, codes)
        for node in self.graph.nodes:
            self._node(node, module, codes, counted.layers[node.index])
        self._whole(module, counted.total)
        seen = sum(amount or 0 for amount in counted.layers) // 2
        macs = sum(measure.macs for measure in self.analysis.layers if measure is not None)
        return Comparison(
            self.graph.name, self.shapes, totals.params, totals.macs, max(macs - seen, 0), tuple(self.differences)
        )

    def differ(self, layer: str | None, what: str, predicted: object, found: object) -> None:
        self.differences.append(Difference(layer, what, str(predicted), str(found)))

    # --- parameters -------------------------------------------------------------------------------------------------

    def _parameters(self, module: nn.Module, codes: dict[int, NodeCode]) -> None:
        total = sum(parameter.numel() for parameter in module.parameters())
        predicted = self.analysis.totals.params if self.analysis.totals is not None else 0
        for node in self.graph.nodes:
            code = codes.get(node.index)
            if code is None or node.layer is None or node.shares is not None:
                continue
            inputs = tuple(shape for edge in node.inputs if (shape := self.graph.shape_of(edge)) is not None)
            self._weights(node, node.layer.weights(*inputs), _tensors(module, code))
        if total != predicted and not any(one.what.startswith("parameter") for one in self.differences):
            self.differ(None, "parameters", f"{predicted:,}", f"{total:,}")

    def _weights(self, node: Node, weights: tuple[Weight, ...], found: dict[str, tuple[bool, tuple[int, ...]]]) -> None:
        """Compare what a layer is said to own with the parameters and buffers of its modules."""
        said = {weight.name: (weight.kind != "buffer", tuple(weight.shape)) for weight in weights}
        if said == found:
            return
        params = [sum(_size(shape) for learned, shape in side.values() if learned) for side in (said, found)]
        if params[0] != params[1]:
            self.differ(node.name, "parameters", f"{params[0]:,}", f"{params[1]:,}")
        for name in {**said, **found}:
            if said.get(name) != found.get(name):
                self.differ(node.name, f"parameter {name}", _weight(said.get(name)), _weight(found.get(name)))

    # --- shapes and operations --------------------------------------------------------------------------------------

    def _node(self, node: Node, module: nn.Module, codes: dict[int, NodeCode], predicted: int | None) -> None:
        """Run one node on what the nodes before it gave; what can't be run leaves what follows alone."""
        if node.kind == INPUT:
            assert node.shapes is not None
            self.tensors[node.index, 0] = _input(node.shapes[0])
            return
        known = [self.tensors.get((edge.node, edge.output)) for edge in node.inputs]
        inputs = [tensor for tensor in known if tensor is not None]
        code = codes.get(node.index)
        if code is None or len(inputs) < len(known):
            return
        counter = FlopCounterMode(display=False)
        try:
            with counter:
                given = call(module, code, inputs)
        except Exception as error:  # as above
            self.differ(node.name, "forward pass", " ".join(map(str, node.results or ())), _first_line(error))
            return
        self._shapes(node, given)
        flops = counter.get_total_flops() + (EXAMPLES - 1) * self._once(node)
        if predicted is not None and flops != EXAMPLES * predicted:
            self.differ(node.name, "operations (2 MACs)", f"{predicted:,}", f"{flops / EXAMPLES:,.0f}")

    def _once(self, node: Node) -> int:
        """The operations of a node that are computed once for a batch."""
        if node.layer is None or node.shapes is None:
            return 0
        inputs = tuple(shape for edge in node.inputs if (shape := self.graph.shape_of(edge)) is not None)
        operations = node.layer.operations(inputs, node.shapes)
        return sum(2 * int(core_macs(one)) for one in operations if one.primitive in ONCE_A_BATCH)

    def _shapes(self, node: Node, given: tuple[torch.Tensor, ...]) -> None:
        for number, (shape, first) in enumerate(zip(node.shapes or (), given, strict=False)):
            self.tensors[node.index, number] = first
            found = _shape(first, tokens=shape.tokens)
            what = "output" if number == 0 else f"output {number + 1}"
            if found == str(shape) and first.shape[0] == EXAMPLES:
                self.shapes += number == 0
            else:
                self.differ(node.name, what, shape, found)

    def _whole(self, module: nn.Module, predicted: int | None) -> None:
        """The forward pass of the compiled module, in evaluation; in training where it has outputs of its own."""
        inputs = [self.tensors[index, 0] for index in self.graph.inputs]
        for training in (False, True):
            wanted = [o for o in self.graph.outputs if training or not o.training]
            if training and all(not output.training for output in wanted):
                return
            counter = FlopCounterMode(display=False)
            try:
                with counter:
                    given = module.train(training)(*inputs)
            except Exception as error:  # as above
                if not self.differences:
                    self.differ(None, "forward pass", "runs", _first_line(error))
                return
            outputs = given if isinstance(given, (tuple, list)) else (given,)
            for output, tensor in zip(wanted, outputs, strict=False):
                shape = self.graph.shape_of(output.edge)
                found = _shape(tensor, tokens=False)
                if found != str(shape) and not self.differences:
                    self.differ(None, f"output `{output.name}`", shape, found)
            if len(outputs) != len(wanted):
                self.differ(None, "outputs", len(wanted), len(outputs))
            flops = counter.get_total_flops() + (EXAMPLES - 1) * sum(map(self._once, self.graph.nodes))
            if not training and predicted is not None and flops != EXAMPLES * predicted and not self.differences:
                self.differ(None, "operations (2 MACs)", f"{predicted:,}", f"{flops / EXAMPLES:,.0f}")


def _built(graph: Graph) -> nn.Module:
    """The module on the meta device; made on a CPU first where something of it can't begin there."""
    try:
        with torch.device("meta"):
            return build_module(graph).eval()
    except (NotImplementedError, RuntimeError):
        return build_module(graph).to("meta").eval()


def _tensors(module: nn.Module, code: NodeCode) -> dict[str, tuple[bool, tuple[int, ...]]]:
    """The parameters and buffers of a node's modules by name: whether each is a parameter, and its shape."""
    found = {}
    for suffix, part in parts(module, code):
        own = {name for name, _ in part.named_parameters()}
        for name, tensor in part.state_dict().items():
            found[f"{suffix}.{name}" if suffix else name] = (name in own, tuple(tensor.shape))
    return found


def _weight(one: tuple[bool, tuple[int, ...]] | None) -> str:
    if one is None:
        return "none"
    return ("" if one[0] else "buffer ") + ("x".join(map(str, one[1])) or "1")


def _size(shape: tuple[int, ...]) -> int:
    return int(torch.Size(shape).numel())


def _input(shape: Shape) -> torch.Tensor:
    if shape.tokens:
        return torch.zeros(EXAMPLES, *shape.sizes, dtype=torch.long, device="meta")
    return torch.zeros(EXAMPLES, shape.channels, *shape.spatial, device="meta")


def _shape(tensor: Any, *, tokens: bool) -> str:
    """A tensor's shape as specs write it: height x width x channels."""
    sizes = list(tensor.shape[1:])
    return "x".join(map(str, sizes if tokens else [*sizes[1:], *sizes[:1]]))


def _first_line(error: Exception) -> str:
    text = str(error).strip().split("\n")[0]
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
