"""Numbers about a graph: parameters, MACs, connections, receptive fields, memory."""

from __future__ import annotations

from typing import Any

from cnndsl.record import Record

CONVENTION = (
    "params: learned and frozen parameters, shared ones once; macs: multiply-accumulates of convolutions, "
    "matrix products and weighted sums for one example, without bias; flops = 2 * macs; connections: links "
    "into units, biases included; receptive_field: input cells that one output sees, per axis"
)


class LayerMeasure(Record):
    """The numbers of one node, for one example. Memory is in bytes at 32-bit floats.

    receptive_field: input cells that one output element sees along each spatial axis of the input.
    stride: input cells between neighbouring outputs along each axis (the jump).
    saved: bytes kept for the backward pass that this node is first to keep.
    auxiliary: whether it only serves training: no other output depends on it.
    """

    params: int
    trainable: int
    buffers: int
    macs: int
    connections: int
    receptive_field: tuple[int, ...]
    stride: tuple[int | float, ...]
    saved: int
    auxiliary: bool = False


class Totals(Record):
    """Sums over a network; receptive field and stride are the main output's. `depth` counts the layers
    with multiply-accumulates on the longest path from an input to the main output.

    features_field is the receptive field of the last map with more than one position on the way to the main output:
    what follows sees all of it. Empty if only the input is such a map.

    Parameters are those of all layers. MACs and connections are those of the main path: what outputs that only
    serve training need besides is in `auxiliary_macs`, and their own parameters are `auxiliary_params` of `params`.
    """

    params: int
    trainable: int
    buffers: int
    macs: int
    connections: int
    receptive_field: tuple[int, ...]
    stride: tuple[int | float, ...]
    depth: int
    features_field: tuple[int, ...] = ()
    auxiliary_params: int = 0
    auxiliary_macs: int = 0

    @property
    def flops(self) -> int:
        return 2 * self.macs


class Memory(Record):
    """Bytes at a batch size, 32-bit floats.

    Inference needs `weights` (parameters and buffers) and `activations_peak`; training needs weights,
    `gradients`, `optimizer` (state) and `saved` activations. `estimated`: whether `saved` is an estimate, as it is
    with recurrent layers.
    """

    batch: int
    weights: int
    activations_peak: int
    gradients: int
    optimizer: int
    saved: int
    estimated: bool = False

    @property
    def inference(self) -> int:
        return self.weights + self.activations_peak

    @property
    def training(self) -> int:
        return self.weights + self.gradients + self.optimizer + self.saved


class Analysis(Record):
    """`layers[i]` measures `graph.nodes[i]`; None where its shape is unknown, then `totals` is None too.

    misaligned: by the number of the node, the merges whose arms don't line up (`receptive.Misaligned`).
    """

    layers: tuple[LayerMeasure | None, ...]
    totals: Totals | None
    memory: Memory | None
    misaligned: dict[int, tuple[Any, ...]] = {}  # noqa: RUF012  # never written to
