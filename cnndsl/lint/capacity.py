"""What a network spends where, and what it can see: dense layers that hold everything, bottlenecks, groups, receptive
fields too small or too large."""

from __future__ import annotations

from typing import Any

from cnndsl.diagnostics import Diagnostic, Label
from cnndsl.graph import INPUT, Node
from cnndsl.lint.view import ACTIVATIONS, PASSING, View
from cnndsl.shape import product

MANY = 1_000_000
"""Parameters of a dense layer from which on it is worth a note that it holds most."""
LONG_CHAIN = 3
"""Grouped convolutions in a row from which on their groups are too long apart."""
FAR_BELOW = 4
"""How many times larger the input is than what a cell sees, where that is worth a note."""
SMALLEST = 32
"""Sides of an input from which on that is said."""
EARLY = 6
"""Where a network sees everything before this part of its windows, a sixth, that is early. DenseNets on 224x224 come
to a fifth."""
FEWEST_WINDOWS = 12
"""Convolutions with windows from which on a network counts as deep."""
NORMS = frozenset({"bn", "ln", "gn", "instancenorm", "rmsnorm", "lrn"})
CHANNELWISE = ACTIVATIONS | PASSING | {"bn", "instancenorm", "pool", "scale", "layerscale", "upsample"}
"""Kinds that keep the channels apart."""


def leaves_one(layer: Any) -> bool:
    """Whether a weighted sum leaves a single channel."""
    return getattr(layer, "channels", getattr(layer, "units", 0)) == 1


def is_grouped(layer: Any) -> bool:
    """Whether a convolution has groups."""
    return bool(layer.groups > 1)


class DenseShare(Diagnostic):
    """One dense layer holds most of the network's parameters, because it has a weight for every cell of a map. A global
    pool before it leaves one number for each channel; the networks since 2014 do it so (Lin et al. 2013, GoogLeNet,
    ResNet), with no loss where the map has seen enough.

    `dense 4096` on 7x7x512 has 102,764,544 parameters; behind `globalpool avg` it has 2,101,248.

    It is a note: AlexNet and VGG do it.
    """

    code = "N831"
    severity = "note"
    title = "a dense layer holds most parameters"
    message = "this dense layer holds {params} of the network's {total} parameters, {share}"
    label = "a weight for each of {cells} cells and {units} units"
    help = "`globalpool avg` before it leaves {channels} of the {cells} cells, and {left} parameters of this layer's"


def dense_share(view: View) -> None:
    """A dense layer on a map that holds more than half of the parameters."""
    totals = view.analysis.totals
    if totals is None or totals.params < MANY:
        return
    for node in view.nodes:
        if node.kind != "dense" or node.shares is not None:
            continue
        measure = view.analysis.layers[node.index]
        if measure is None or measure.params < MANY or 2 * measure.params <= totals.params:
            continue
        before = view.source_of(node)
        assert before.shapes is not None
        x = before.shapes[0]
        if product(x.spatial) == 1 or node.shapes is None:
            return
        units = node.shapes[0].channels
        left = x.channels * units + units * bool(node.layer.bias)  # type: ignore[union-attr]
        values: dict[str, Any] = {
            "params": f"{measure.params:,}",
            "total": f"{totals.params:,}",
            "share": f"{100 * measure.params / totals.params:.0f}%",
            "cells": f"{x.elements:,}",
            "units": f"{units:,}",
            "channels": f"{x.channels:,}",
            "left": f"{left:,}",
        }
        view.report("DenseShare", node, **values)
        return


class OneChannel(Diagnostic):
    """All that goes on from here is one channel, of which the next layer has to make many again. Mostly a width that
    was divided too often: `channels // 16` of 16 channels.

    Wrong: `conv 1x1x1, relu, conv 3x3x64`. Right: more channels in the middle. Nothing is said of a channel that weighs
    others, as attention does: `mul:` with an arm that ends in `conv 7x7x1, sigmoid`.
    """

    code = "W832"
    severity = "warning"
    title = "a bottleneck of one channel"
    message = "`{next}` makes {after} channels of the single one that `{text}` leaves of {before}"
    label = "one channel is left"
    help = "leave more channels: what does not fit through one is lost"


def one_channel(view: View, node: Node) -> None:
    """A weighted sum that leaves one channel, where a further weighted sum makes several of it."""
    given = view.input_of(node)
    before = given.elements if node.kind == "dense" else given.channels
    if before == 1 or view.is_result(node):
        return
    following = _next_weighted(view, node)
    if following is None or following.shapes is None or following.shapes[0].channels == 1:
        return
    labels = (Label(following.span, f"{following.shapes[0].channels:,} again"),) if following.span != node.span else ()
    values: dict[str, Any] = {"text": node.span.text, "next": following.span.text}
    view.report(
        "OneChannel", node, labels=labels, before=f"{before:,}", after=f"{following.shapes[0].channels:,}", **values
    )


def _next_weighted(view: View, node: Node) -> Node | None:
    """The weighted sum that takes all that a node gives, behind layers that keep its channels; None where it goes
    elsewhere, too, or is merged."""
    one = node
    while True:
        users = view.users[one.index]
        if len(users) != 1 or view.is_result(one):
            return None
        one = users[0]
        if one.kind in ("conv", "dense", "linear", "deconv"):
            # A dense layer takes the positions as well, so that there is more than one number.
            return one if one.kind != "dense" or product(view.input_of(one).spatial) == 1 else None
        if one.kind not in CHANNELWISE | NORMS:
            return None


class GroupsApart(Diagnostic):
    """Several grouped convolutions in a row with the same groups, and nothing between them that mixes channels: they
    are so many small networks side by side that never learn from each other.

    Wrong: `conv 3x3x64 pad=1 groups=4, relu` three times. Right: a `conv 1x1x64` or a `shuffle 4` between them (Zhang
    et al. 2017, "ShuffleNet").
    """

    code = "W833"
    severity = "warning"
    title = "groups that are never mixed"
    message = "{count} convolutions in a row have {groups} groups, and nothing between them mixes the groups"
    label = "the {ordinal} in a row"
    help = "put `shuffle {groups}` or a convolution without groups between them"


def groups_apart(view: View, node: Node) -> None:
    """The last of several convolutions with the same groups."""
    groups = node.layer.groups  # type: ignore[union-attr]
    if groups == view.input_of(node).channels:
        return
    chain = [node]
    while len(chain) <= LONG_CHAIN:
        before = view.source_of(chain[-1], CHANNELWISE)
        if before.kind != "conv" or before.layer.groups != groups:  # type: ignore[union-attr]
            break
        chain.append(before)
    if len(chain) == LONG_CHAIN:
        labels = tuple(Label(one.span, "with the same groups") for one in chain[:0:-1] if one.span != node.span)
        view.report("GroupsApart", node, count=LONG_CHAIN, groups=groups, ordinal="third", labels=labels)


class SeesLittle(Diagnostic):
    """The last map before the classifier sees only a small part of the input: with a global pool behind it, the network
    counts small patterns and never sees how they lie to each other; with a dense layer, that layer alone has to put
    them together.

    On 64x64, `conv 3x3x16, relu, conv 3x3x16, relu, globalpool, dense 10` sees 5x5. Right: more layers, strides or
    pools, dilation, or a smaller input. Nothing is said of sequences, where short patterns often are all that is meant.
    """

    code = "N834"
    severity = "note"
    title = "a receptive field far smaller than the input"
    message = "the last map before `{text}` sees {field} of the {shape} input"
    label = "what lies further apart first meets here"
    help = "a stride or a pool doubles what each layer behind it adds; dilation widens a kernel at no cost"


def sees_little(view: View) -> None:
    """A classifier whose last map sees less than a quarter of the input along every axis."""
    node, last = _classifier(view)
    if node is None or last is None:
        return
    measure = view.analysis.layers[last.index]
    inputs = [view.nodes[i] for i in view.graph.inputs]
    if measure is None or len(inputs) != 1 or inputs[0].shapes is None or last.kind == INPUT:
        return
    x = inputs[0].shapes[0]
    if x.rank < 2 or len(measure.receptive_field) != x.rank:
        return
    field = measure.receptive_field
    if (
        min(x.spatial) >= SMALLEST
        and max(field) > 1
        and all(FAR_BELOW * a < n for a, n in zip(field, x.spatial, strict=True))
    ):
        view.report("SeesLittle", node, text=node.span.text, field="x".join(map(str, field)), shape=str(x))


class SeesAllEarly(Diagnostic):
    """Long before the end every cell of the map already sees all of the input, its far corner too, so that most of the
    windows behind it bring nothing new into sight: the network is made for larger inputs.

    A ResNet-152 on 32x32 sees everything after a tenth of its 3x3 convolutions. Right: a larger input, or a stem that
    strides less, so that there is a map for the windows to look at.
    """

    code = "N835"
    severity = "note"
    title = "everything is seen long before the end"
    message = (
        "from here on every cell sees all of the {shape} input, yet {later} of the {all} convolutions with windows "
        "come later"
    )
    label = "sees {field}"
    help = "the network suits larger inputs: use one, or let fewer layers stride at the beginning"


def sees_all_early(view: View) -> None:
    """A network whose maps see all of the input behind a sixth of its windows."""
    windowed = [node for node in view.nodes if node.kind in ("conv", "dwconv") and max(node.layer.kernel) > 1]  # type: ignore[union-attr]
    inputs = [view.nodes[i] for i in view.graph.inputs]
    if len(windowed) < FEWEST_WINDOWS or len(inputs) != 1 or inputs[0].shapes is None:
        return
    x = inputs[0].shapes[0]
    for number, node in enumerate(windowed[: len(windowed) // EARLY], 1):
        measure = view.analysis.layers[node.index]
        if measure is None or len(measure.receptive_field) != x.rank or x.rank < 2:
            return
        # What a corner's cell sees lies around it: half of it on the map.
        if all(seen >= 2 * n - 1 for seen, n in zip(measure.receptive_field, x.spatial, strict=True)):
            values: dict[str, Any] = {"shape": str(x), "later": len(windowed) - number, "all": len(windowed)}
            view.report("SeesAllEarly", node, field="x".join(map(str, measure.receptive_field)), **values)
            return


def _classifier(view: View) -> tuple[Node | None, Node | None]:
    """The layer that takes a map of several positions and leaves a vector or one cell of it, on the way to the main
    output; and what makes that map."""
    outputs = [o for o in view.graph.outputs if not o.training]
    node = view.nodes[outputs[0].edge.node] if outputs else None
    if node is None or node.shapes is None or product(node.shapes[0].spatial) != 1:
        return None, None
    while node.inputs:
        before = view.before(node)
        if before.shapes is None:
            return None, None
        if product(before.shapes[0].spatial) > 1:
            return node, before
        node = before
    return None, None
