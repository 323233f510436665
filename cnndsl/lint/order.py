"""Layers that stand in a strange order: what one does, its neighbour undoes."""

from __future__ import annotations

from typing import Any

from cnndsl.diagnostics import Diagnostic, Edit, Fix, Label
from cnndsl.graph import Node
from cnndsl.lint.view import ACTIVATIONS, PASSING, WEIGHTED, View, is_plain, plural
from cnndsl.source import Span

NEVER_NEGATIVE = frozenset({"relu", "relu6", "sigmoid", "hardsigmoid", "softmax", "softplus"})
SAME_ABOVE_ZERO = frozenset({"relu", "leaky", "prelu", "elu", "celu"})
"""Activations that leave what is not negative as it is."""
SOFTMAXES = frozenset({"softmax", "logsoftmax"})
TRIVIAL = frozenset(
    {"pool", "dropout", "droppath", "noise", "scale", "upsample", "shuffle", "pixelshuffle", "pixelunshuffle"}
)
"""Kinds whose numbers can make them the identity."""
CENTRING = frozenset({"bn", "instancenorm"})
"""Norms that take a channel's mean away."""


class BiasBeforeNorm(Diagnostic):
    """A batch or instance norm takes the mean of each channel away, and with it the bias of the layer before. The bias
    then is learned for nothing; the norm has a shift of its own.

    `conv 3x3x64 pad=1, bn` works as well as `conv 3x3x64 pad=1 nobias, bn`, with 64 parameters more. It is a note, as
    published networks do it too: torchvision's VGG with batch norm, for one, whose checkpoints need the biases.
    """

    code = "N811"
    severity = "note"
    title = "a bias before batch norm"
    message = "the `{norm}` behind takes the bias away again: {params} that do nothing"
    label = "has a bias"
    help = "write `nobias`, unless the weights of a published network are to fit"


def bias_before_norm(view: View) -> None:
    """One note for all layers of a file whose bias the norm behind them takes away."""
    places: dict[Span, list[Node]] = {}
    norm = ""
    for node in view.nodes:
        if node.kind in CENTRING:
            made = view.nodes[node.inputs[0].node]
            if made.kind in WEIGHTED and made.layer.bias and _is_for_nothing(view, made):  # type: ignore[union-attr]
                places.setdefault(made.span, []).append(made)
                norm = norm or node.kind
    if not places:
        return
    # Where the same item is made without a norm behind it, its bias is wanted.
    found = [
        nodes
        for span, nodes in places.items()
        if len(view.made_at(span)) == len(nodes) and not view.is_said("BiasBeforeNorm", nodes[0])
    ]
    if not found:
        return
    count = sum(node.shapes[0].channels for nodes in found for node in nodes if node.shapes)
    first, *others = (nodes[0] for nodes in found)
    edits = tuple(_without_bias(nodes[0].span) for nodes in found if nodes[0].span.text[0] != "{")
    fixes = (Fix("write `nobias`", edits, "likely"),) if edits else ()
    labels = tuple(Label(node.span, "here, too") for node in others[:4])
    more = len(others) - len(labels)
    notes = (f"and in {plural(more, 'more place')}",) if more else ()
    values: dict[str, Any] = {"norm": norm, "params": plural(count, "parameter")}
    view.report("BiasBeforeNorm", first, labels=labels, notes=notes, fixes=fixes, **values)
    view.reported.update(("BiasBeforeNorm", node.span) for node in others)


def _is_for_nothing(view: View, made: Node) -> bool:
    """Whether the bias of a layer reaches nothing but the norm behind it, and nothing else uses the layer's weights."""
    if len(view.users[made.index]) > 1 or view.is_result(made):
        return False
    return not view.shares_weights(made)


def _without_bias(span: Span) -> Edit:
    """`nobias` behind the arguments, before `* count` and `as name`."""
    text = span.text
    end = min((at for word in (" * ", " as ") if (at := text.find(word)) >= 0), default=len(text))
    at = span.start + len(text[:end].rstrip())
    return Edit(Span(span.source, at, at), " nobias")


class SecondActivation(Diagnostic):
    """An activation takes what another one gives, and does nothing to it: a `relu` leaves what is never negative as it
    is.

    Wrong: `conv 3x3x8, relu, relu`, or `dense 10, sigmoid, relu`. Right: one of them.
    """

    code = "W812"
    severity = "warning"
    title = "an activation that does nothing"
    message = "this `{kind}` does nothing: what `{before}` gives is never negative"
    label = "leaves all as it is"
    help = "remove it"


class TwoActivations(Diagnostic):
    """An activation takes what another one gives, so that the first one's range is all that the second one sees:
    `relu, sigmoid` gives nothing below 0.5, `sigmoid, tanh` nothing below 0.

    Wrong: `dense 1, relu, sigmoid`. Right: `dense 1, sigmoid`.
    """

    code = "W813"
    severity = "warning"
    title = "two activations in a row"
    message = "`{kind}` is applied to what `{before}` gives, with no layer between them"
    label = "the second in a row"
    help = "keep the one that is meant"


def two_activations(view: View, node: Node) -> None:
    """An activation behind another one."""
    before = view.before(node)
    if before.kind not in ACTIVATIONS:
        if before.kind not in PASSING:
            return
        before = view.source_of(node)
        if before.kind not in ACTIVATIONS:
            return
    # A block may begin with an activation for the sake of its other calls.
    if not all(view.source_of(one).kind in ACTIVATIONS for one in view.made_at(node.span)):
        return
    labels = (Label(before.span, "the first one"),) if before.span != node.span else ()
    values: dict[str, Any] = {"kind": node.kind, "before": before.kind}
    if before.kind in NEVER_NEGATIVE and node.kind in SAME_ABOVE_ZERO:
        fixes = _removal(node) if before.calls == node.calls and is_plain(before) and is_plain(node) else ()
        view.report("SecondActivation", node, inside=False, labels=labels, fixes=fixes, **values)
    else:
        view.report("TwoActivations", node, inside=False, labels=labels, **values)


def _removal(node: Node) -> tuple[Fix, ...]:
    """The fix that takes an item out of its line, with a comma, or takes the line out if the item is all of it. None
    where it has a name that may be used, or where a body would be left empty."""
    source, start, end = node.span
    text = source.text
    before, after = text[:start].rstrip(" \t"), text[end:].lstrip(" \t")
    if node.named:
        return ()
    if before.endswith(","):
        start = len(before) - 1
    elif after.startswith(","):
        end = len(text) - len(after[1:].lstrip(" \t"))
    elif text[start - 1 : start] in ("", "\n") and after[:1] in ("", "\n"):
        end = len(text) - len(after) + len(after[:1])
    else:
        return ()
    return (Fix("remove it", (Edit(Span(source, start, end), ""),), "safe"),)


class SoftmaxOfOne(Diagnostic):
    """A softmax makes its channels sum to 1; of one channel it makes 1, whatever went in. For one probability a
    sigmoid is meant.

    Wrong: `dense 1, softmax`. Right: `dense 1, sigmoid`, or `dense 2, softmax`.
    """

    code = "W814"
    severity = "warning"
    title = "a softmax of one value"
    message = "a `{kind}` of one value is always {value}"
    label = "nothing is left of what was computed"
    help = "write `sigmoid` for one probability, or give each class a channel of its own"


def softmax_of_one(view: View, node: Node) -> None:
    """A softmax over a single channel."""
    if node.kind in SOFTMAXES and node.shapes is not None and node.shapes[0].channels == 1:
        fix = Fix("write `sigmoid`", (Edit(node.span, "sigmoid"),), "likely")
        fixes = (fix,) if node.span.text == node.kind == "softmax" else ()
        view.report("SoftmaxOfOne", node, kind=node.kind, value="1" if node.kind == "softmax" else "0", fixes=fixes)


class DenseOfDense(Diagnostic):
    """A weighted sum of weighted sums is a weighted sum: without an activation between them, two dense layers can do
    no more than one. Only where the first has fewer units than it has inputs and the second has outputs does it bring
    something, a matrix of low rank.

    Wrong: `dense 120, dense 10`. Right: `dense 120, relu, dense 10`.
    """

    code = "W815"
    severity = "warning"
    title = "two dense layers that are one"
    message = "no activation stands between {both}: together they do no more than one layer"
    label = "a weighted sum of weighted sums"
    help = "put an activation such as `relu` between them"


def dense_of_dense(view: View, node: Node) -> None:
    """A dense layer directly behind a dense layer that is no bottleneck."""
    before = view.source_of(node)
    if before.kind not in ("dense", "linear") or len(view.users[before.index]) > 1 or view.is_result(before):
        return
    if before.kind != node.kind or before.shapes is None or node.shapes is None:
        return
    width, given, made = before.shapes[0].channels, view.input_of(before), node.shapes[0].channels
    inputs = given.elements if before.kind == "dense" else given.channels
    if width < min(inputs, made):
        return
    labels = (Label(before.span, "the first"),) if before.span != node.span else ()
    fixes: tuple[Fix, ...] = ()
    if before.index == node.inputs[0].node and before.span.source is node.span.source and before.span != node.span:
        at = Span(before.span.source, before.span.end, before.span.end)
        fixes = (Fix("write `relu` between them", (Edit(at, ", relu"),), "possible"),)
    both = f"`{before.span.text}` and `{node.span.text}`" if labels else f"the layers of `{node.span.text}`"
    view.report("DenseOfDense", node, inside=False, labels=labels, fixes=fixes, both=both)


class DropoutBeforeNorm(Diagnostic):
    """Dropout changes the variance of what it passes on, in training only; the batch norm behind it learns the variance
    of training, which is wrong in evaluation (Li et al. 2018, "Understanding the Disharmony between Dropout and Batch
    Normalization by Variance Shift").

    Wrong: `dropout 0.5, bn, relu`. Right: `bn, relu, dropout 0.5`.
    """

    code = "N816"
    severity = "note"
    title = "dropout before batch norm"
    message = "the batch norm behind this dropout learns a variance that is another in evaluation"
    label = "changes the variance in training only"
    help = "put the dropout behind the last batch norm of the block"


def dropout_before_norm(view: View, node: Node) -> None:
    """Batch norm directly behind a dropout."""
    before = view.before(node)
    if before.kind == "dropout" and before.layer.p:  # type: ignore[union-attr]
        labels = (Label(node.span, "the batch norm"),)
        view.report("DropoutBeforeNorm", before, inside=False, labels=labels)


class DropoutAtTheEnd(Diagnostic):
    """A dropout is the network's last layer: in training it zeroes results themselves, so that the loss compares
    zeros with what is wanted.

    Wrong: `dense 10, dropout 0.5`. Right: `dropout 0.5, dense 10`.
    """

    code = "W817"
    severity = "warning"
    title = "dropout at the end"
    message = "in training this dropout zeroes the network's own results"
    label = "nothing comes behind it"
    help = "put it before the last layer with weights"


def dropout_at_the_end(view: View, node: Node) -> None:
    """A dropout that gives a result."""
    if node.kind == "dropout" and node.layer.p and view.is_result(node):  # type: ignore[union-attr]
        view.report("DropoutAtTheEnd", node, inside=False)


class MostDropped(Diagnostic):
    """More than four fifths of the values are zeroed. TensorFlow 1 gave the share that is kept; here the number is the
    share that is dropped.

    Wrong: `dropout 0.9`, where 0.9 was the share to keep. Right: `dropout 0.1`.
    """

    code = "W818"
    severity = "warning"
    title = "most is dropped"
    message = "{share} of the values are zeroed: the number is the share that is dropped"
    label = "keeps {kept}"
    help = "if {p} was the share to keep, write `{kind} {kept_share}`"


def most_dropped(view: View, node: Node) -> None:
    """A dropout of more than 0.8."""
    p = node.layer.p  # type: ignore[union-attr]
    if p > 0.8:
        kept = f"{1 - p:.4g}"
        fixes = (
            (Fix(f"write `{node.kind} {kept}`", (Edit(node.span, f"{node.kind} {kept}"),), "possible"),)
            if node.span.text == f"{node.kind} {p:g}"
            else ()
        )
        values: dict[str, Any] = {
            "share": f"{100 * p:.4g}%",
            "kept": f"{100 * (1 - p):.4g}%",
            "p": f"{p:g}",
            "kept_share": kept,
        }
        view.report("MostDropped", node, kind=node.kind, fixes=fixes, **values)


class DoesNothing(Diagnostic):
    """A layer that leaves everything as it is, written out in numbers: a pool with a window of 1, a dropout of 0, an
    upsampling by 1. Where the number is an expression nothing is said, as it may be another elsewhere.

    Wrong: `pool 1`. Right: `pool 2`, or nothing; `identity` where nothing is meant.
    """

    code = "W819"
    severity = "warning"
    title = "does nothing"
    message = "`{text}` leaves everything as it is"
    label = "{why}"
    help = "remove it"


def does_nothing(view: View, node: Node) -> None:
    """Layers whose numbers make them the identity."""
    layer = node.layer
    why = None
    if node.kind == "pool":
        x = view.input_of(node)
        if max(layer.sides(x)) == 1 and max(layer.steps(x)) == 1:  # type: ignore[union-attr]
            why = "a window of one cell, one cell apart"
    elif node.kind in ("dropout", "droppath") and layer.p == 0:  # type: ignore[union-attr]
        why = "nothing is dropped"
    elif node.kind == "noise" and layer.std == 0:  # type: ignore[union-attr]
        why = "no noise"
    elif node.kind == "scale" and (layer.factor, layer.offset) == (1, 0):  # type: ignore[union-attr]
        why = "times 1"
    elif node.kind == "upsample" and layer.factor is not None and max(layer.factor) == 1:  # type: ignore[union-attr]
        why = "as large as before"
    elif node.kind == "shuffle" and layer.groups == 1:  # type: ignore[union-attr]
        why = "one group"
    elif node.kind in ("pixelshuffle", "pixelunshuffle") and layer.factor == 1:  # type: ignore[union-attr]
        why = "a factor of 1"
    if why is not None and is_plain(node):
        view.report("DoesNothing", node, inside=False, text=node.span.text, why=why, fixes=_removal(node))


class ActivationBeforeLoss(Diagnostic):
    """The network ends in an activation, but the loss takes logits: any numbers, of which a softmax makes
    probabilities. Behind a `relu` no class can get a score below 0, and where all are 0 nothing is learned any more;
    `tanh` keeps the scores within -1 and 1, so that of ten classes none gets a probability above 0.45.

    Wrong: `dense 10, relu` with `loss cross_entropy`. Right: `dense 10`.
    """

    code = "W604"
    severity = "warning"
    title = "an activation before the loss"
    message = "the network ends in `{kind}`, but `loss {loss}` takes logits, which may be any numbers"
    label = "{what}"
    help = "remove `{kind}`: the last layer's own sums are the logits"


_LIMITS = {
    "tanh": "keeps them within -1 and 1",
    "relu6": "keeps them within 0 and 6",
    "hardsigmoid": "keeps them within 0 and 1",
}
_HARMLESS = SOFTMAXES | {"sigmoid", "step"}
"""Activations that may stand before cross-entropy, or have a warning of their own."""


def activation_before_loss(view: View) -> None:
    """Cross-entropy of what an activation gives."""
    recipe = view.recipe
    if recipe is None or recipe.loss.name != "cross_entropy":
        return
    node = view.nodes[next(o.edge.node for o in view.graph.outputs if not o.training)]
    while node.kind in ("flatten", "reshape", "identity"):
        node = view.before(node)
    if node.kind in ACTIVATIONS and node.kind not in _HARMLESS:
        place = recipe.place("loss")
        labels = (Label(place, "the loss"),) if place is not None else ()
        what = _LIMITS.get(node.kind, "bends the scores")
        fixes = _removal(node)
        loss = recipe.loss.name
        view.report("ActivationBeforeLoss", node, labels=labels, fixes=fixes, kind=node.kind, loss=loss, what=what)
