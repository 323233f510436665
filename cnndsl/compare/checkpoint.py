"""Which tensors of a checkpoint of one network can be loaded into another, by their names in the state dict."""

from __future__ import annotations

from cnndsl.compare import Comparison, Pair
from cnndsl.graph import Graph
from cnndsl.record import Record
from cnndsl.shape import product

Shape = tuple[int, ...]


class Tensor(Record):
    """One entry of a state dict: its name, shape, the number of the layer that owns it, its name in that layer, and
    whether it is a parameter, frozen or not, and no buffer."""

    name: str
    shape: Shape
    node: int
    weight: str
    parameter: bool

    @property
    def numbers(self) -> int:
        return int(product(self.shape))


class Loaded(Record):
    """What becomes of one tensor of the second network.

    how: `same`: it is loaded from the tensor of its name; `renamed`: from one of another name; `shape`: the layer is
    there, but its tensor has another shape; `missing`: there is nothing to load. source: the tensor of the first
    network, if there is one. mistaken: whether the first network has a tensor of this name and shape that belongs to
    another layer, so that loading by names alone takes the wrong one.
    """

    how: str
    tensor: Tensor
    source: Tensor | None = None
    mistaken: bool = False


class Loading(Record):
    """What of a checkpoint of the first network is of use to the second. unused: tensors of the first that no layer
    of the second takes."""

    tensors: tuple[Loaded, ...]
    unused: tuple[Tensor, ...]

    @property
    def mapping(self) -> dict[str, str]:
        """For every tensor of the second network that can be loaded: its name, and the first's name to load it from."""
        return {
            one.tensor.name: one.source.name
            for one in self.tensors
            if one.source is not None and one.how in ("same", "renamed")
        }

    def of(self, how: str) -> list[Loaded]:
        """The tensors with which this is so."""
        return [one for one in self.tensors if one.how == how]


def tensors(graph: Graph, paths: dict[int, str]) -> list[Tensor]:
    """The state dict of a network, in the order of its layers. `paths` says where each layer's module is, as
    `codegen.module_paths` does."""
    found = []
    for node in graph.nodes:
        if node.layer is None or node.shares is not None or node.shapes is None or node.index not in paths:
            continue
        shapes = [graph.shape_of(edge) for edge in node.inputs]
        for weight in node.layer.weights(*(shape for shape in shapes if shape is not None)):
            name = f"{paths[node.index]}.{weight.name}"
            found.append(Tensor(name, weight.shape, node.index, weight.name, weight.kind != "buffer"))
    return found


def loading(comparison: Comparison, paths_a: dict[int, str], paths_b: dict[int, str]) -> Loading:
    """What a checkpoint of the first network gives to the second."""
    mine = tensors(comparison.a.graph, paths_a)
    by_name = {one.name: one for one in mine}
    by_place = {(one.node, one.weight): one for one in mine}
    owners = _owners(comparison)
    taken = frozenset(owners.values())
    free = {one.name: one for one in mine if one.node not in taken}
    loaded = []
    for one in tensors(comparison.b.graph, paths_b):
        owner = owners.get(one.node)
        source = free.get(one.name) if owner is None else by_place.get((owner, one.weight))
        loaded.append(_loaded(one, source, by_name.get(one.name)))
    used = {one.source.name for one in loaded if one.source is not None}
    return Loading(tuple(loaded), tuple(one for one in mine if one.name not in used))


def _owners(comparison: Comparison) -> dict[int, int]:
    """By the number of a layer of the second network, which layer of the first has its weights."""
    nodes = comparison.a.graph.nodes
    owners = {}
    for pair in comparison.pairs:
        if _same_kind(pair, comparison):
            assert pair.a is not None
            assert pair.b is not None
            shares = nodes[pair.a].shares
            owners[pair.b] = pair.a if shares is None else shares
    return owners


def _same_kind(pair: Pair, comparison: Comparison) -> bool:
    if pair.a is None or pair.b is None:
        return False
    return comparison.a.graph.nodes[pair.a].kind == comparison.b.graph.nodes[pair.b].kind


def _loaded(tensor: Tensor, source: Tensor | None, namesake: Tensor | None) -> Loaded:
    """What becomes of a tensor whose layer's weights are `source`; `namesake` is the first network's of its name."""
    mistaken = namesake is not None and namesake != source and namesake.shape == tensor.shape
    if source is None:
        how = "missing"
    elif source.shape != tensor.shape:
        how = "shape"
    else:
        how = "same" if source.name == tensor.name else "renamed"
    return Loaded(how, tensor, source, mistaken)
