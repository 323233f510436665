"""Errors of one layer and its input that an argument, or a layer put before it, mends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cnndsl.diagnostics import Diagnostic, Edit
from cnndsl.graph import INPUT, Node
from cnndsl.repair import changes
from cnndsl.repair.candidate import Candidate
from cnndsl.repair.merges import last_channels
from cnndsl.repair.order import moved_behind
from cnndsl.repair.sizes import input_of, near, resized
from cnndsl.repair.spec import Handle, Spec, arms_of, chain_to
from cnndsl.repair.spot import Spot, own_handle
from cnndsl.repair.windows import padding_texts
from cnndsl.shape import Shape, product
from cnndsl.source import Span
from cnndsl.syntax import tree

_FLATTENING = ("dense", "flatten", "globalpool")
MOST_CHANNELS_LAST = 4
"""An input with more channels than this, where an axis is missing, is taken for one whose channels were left out."""


def _place(handle: Handle) -> str:
    return f"line {handle.line.source.position(handle.span.start)[0]}"


def _before(spot: Spot) -> list[Node]:
    return chain_to(spot.network.graph, spot.node.inputs[0])[:-1]


def divisors(number: int, near_to: int) -> list[int]:
    """What divides a number, the nearest to `near_to` first, of two the larger; 1 last."""
    found = [d for d in range(2, min(number, 4096) + 1) if number % d == 0]
    return [*sorted(found, key=lambda d: (abs(d - near_to), -d)), 1]


def groups(problem: Diagnostic, spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """E308: the nearest number of groups, or of channels."""
    from math import gcd

    values = problem.values
    given, name = values["groups"], values["name"]
    common = gcd(values["inputs"], values["outputs"] or 0)
    for handle in spec.handles(spot.node):
        for number in divisors(common, given)[:3]:
            edits = changes.with_argument(spec, handle, name, str(number)) if changes.named(handle.item, name) else None
            first = name != "groups" or spot.node.kind in ("shuffle", "gn")
            if edits is None and first and isinstance(changes.size(handle.item), tree.Number):
                edits = (handle.edit(changes.size(handle.item), str(number)),)
            if edits is not None:
                what = f"{number} groups" if number != 1 else "one group"
                yield Candidate(f"{what}", edits)
    nearest = max(round(values["inputs"] / given), 1) * given
    if values["outputs"] is not None and values["outputs"] % given:
        outputs = max(round(values["outputs"] / given), 1) * given
        yield from last_channels(spec, [spot.node], outputs)
    if values["inputs"] % given:
        yield from last_channels(spec, _before(spot), nearest)


def heads(problem: Diagnostic, spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """E334: the nearest number of heads that divides the channels, or channels that it divides."""
    given, channels = problem.values["heads"], problem.values["channels"]
    for handle in spec.handles(spot.node):
        written = changes.size(handle.item)
        place = spec.literal(written, handle.line, handle.calls) if written is not None else None
        if place is not None and place.text == str(given):
            for number in divisors(channels, given)[:3]:
                yield Candidate(f"{number} heads" if number != 1 else "one head", (Edit(place, str(number)),))
    yield from last_channels(spec, _before(spot), max(round(channels / given), 1) * given)


def rank(problem: Diagnostic, spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """E301: a kernel with as many sides as the input has; on a vector, what flattened the map taken out."""
    handle = own_handle(spot, spec)
    kernel, channels, x = problem.values["kernel"], problem.values["channels"], problem.values["input"]
    if x.rank and len(kernel) == x.rank + 1 and x.channels > MOST_CHANNELS_LAST:
        yield from _channel_added(spot, spec)
    if handle is not None and x.rank:
        fitted = (*kernel, *(kernel[-1:] * x.rank))[: x.rank]
        written = changes.size(handle.item)
        if isinstance(written, tree.Sides) and channels is not None:
            last = handle.line.span(written.sides[-1]).text
            text = f"{'x'.join(map(str, fitted))}x{last}"
            yield Candidate(f"a kernel of {x.rank} side{'s' * (x.rank > 1)}: `{text}`", (handle.edit(written, text),))
            if len(kernel) + 1 == x.rank:
                kept = handle.line.span(written).text
                text = f"{kept}x{x.channels}"
                title = f"a kernel of {kept} that keeps the {x.channels} channels"
                yield Candidate(title, (handle.edit(written, text),))
        elif written is not None:
            equal = len(set(fitted)) == 1 and spot.node.kind != "dwconv"
            text = "x".join(map(str, fitted[:1] if equal else fitted))
            what = "kernel" if spot.node.kind == "dwconv" else "window"
            yield Candidate(f"a {what} for {x.rank} axes: `{text}`", (handle.edit(written, text),))
            if (
                spot.node.kind == "dwconv"
                and len(kernel) == x.rank + 1
                and changes.named(handle.item, "multiplier") is None
            ):
                edit = handle.edit(handle.item.kind, "conv")
                yield Candidate(f"a convolution to {kernel[-1]} channels: `conv`", (edit,))
    if not x.rank:
        yield from positions(problem, spot, spec)


def positions(problem: Diagnostic, spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """E302: a map made of the vector again, what flattened the map taken out, or the layer that wants one."""
    yield from moved_behind(spot, spec)
    yield from _reshaped(spot, spec)
    if len(problem.values.get("kernel", ())) == 1:
        yield from _in_a_row(spot, spec)
    for node in _before(spot):
        if node.kind in _FLATTENING and (not node.shapes or node.shapes[0].rank == 0):
            handle = spec.handle(node)
            if handle is not None and not handle.calls_block and node.kind != "dense":
                edits = changes.removed(spec, handle)
                if edits is not None:
                    yield Candidate(f"without the `{handle.span.text}` of {_place(handle)}", edits)
            break
    own = own_handle(spot, spec)
    if own is not None:
        channels = problem.values.get("channels")
        if spot.node.kind == "conv" and channels is not None:
            yield Candidate(f"a layer for vectors: `dense {channels}`", changes.instead(own, f"dense {channels}"))
        edits = changes.removed(spec, own)
        if edits is not None:
            yield Candidate(f"without this `{own.span.text}`", edits)


def _reshaped(spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """A `reshape` to a map that was there before, or to its height and width, if the vector holds as many cells."""
    own = own_handle(spot, spec)
    cells = spot.inputs[0].channels
    for node in _before(spot) if own is not None and not spot.inputs[0].rank else ():
        shape = node.shapes[0] if node.shapes else None
        if node.kind == "flatten":  # Without it there is a map.
            return
        if shape is None or shape.rank < 2 or node.kind == "globalpool":
            continue
        positions_ = product(shape.spatial)
        if positions_ > 1 and cells % positions_ == 0:
            wanted = shape._replace(sizes=(*shape.spatial, cells // positions_))
            assert own is not None
            yield Candidate(f"the vector as a map again: `reshape {wanted}`", changes.before(own, f"reshape {wanted}"))
            return


def sequence(problem: Diagnostic, spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """E333: the positions of a map put in a row, or a vector made a sequence of one."""
    x = problem.values["input"]
    for handle in spec.handles(spot.node):
        if x.rank:
            yield Candidate("the positions in a row first: `tokens`", changes.before(handle, "tokens"))
        else:
            break
    if not x.rank:
        yield from _in_a_row(spot, spec)
        if spot.node.inputs and spot.network.graph.nodes[spot.node.inputs[0].node].kind == INPUT:
            yield from declared(spec, input_of(spot), f"{x.channels}x1", "a sequence of single numbers")
        yield from positions(problem, spot, spec)
        own = own_handle(spot, spec)
        if own is not None:
            text = f"reshape 1x{x.channels}"
            yield Candidate(f"a sequence of one position first: `{text}`", changes.before(own, text))


def _in_a_row(spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """`tokens` instead of a `flatten` before a layer that works on a sequence."""
    for node in _before(spot)[:1]:
        flat = spec.handle(node)
        if node.kind == "flatten" and flat is not None and not flat.calls_block:
            title = f"the positions in a row instead of `flatten`: `tokens` in {_place(flat)}"
            yield Candidate(title, changes.instead(flat, "tokens"))


def other_rank(problem: Diagnostic, spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """E332: an arm that is a map made a vector, as another is."""
    arms = arms_of(spot.network.graph, spot.node)
    vectors = [s for s in spot.inputs if s.rank == 0]
    for arm, shape in zip(arms, spot.inputs, strict=True):
        if shape.rank == 0 or not vectors:
            continue
        handle = spec.handle(arm[0]) if arm else None
        for text, channels in (("globalpool avg, flatten", shape.channels), ("flatten", product(shape.sizes))):
            fits = spot.node.kind == "concat" or all(v.channels == channels for v in vectors)
            if handle is not None and fits:
                end = handle.item.end
                yield Candidate(f"this arm as a vector: `{text}`", (handle.insert(end, f", {text}"),))
    for arm, shape in zip(arms, spot.inputs, strict=True):
        for node in arm if shape.rank == 0 else ():
            handle = spec.handle(node)
            if handle is None or handle.calls_block:
                continue
            if node.kind == "flatten":
                edits = changes.removed(spec, handle)
                if edits is not None:
                    yield Candidate(f"without the `{handle.span.text}` of {_place(handle)}", edits)
            elif node.kind == "dense":
                units = changes.channels_written(handle.item)
                if units is not None:
                    text = f"conv 1x1x{handle.line.span(units).text}"
                    yield Candidate(f"a map in this arm, too: `{text}`", changes.instead(handle, text))


def elements(problem: Diagnostic, spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """E321: as many units before a `reshape` as it has cells, or sizes that fit what is there."""
    values = problem.values
    own = own_handle(spot, spec)
    want, have, sizes = values["want"], values["have"], spot.node.layer.__dict__.get("size", ())
    if len(_before(spot)) and spot.inputs[0].rank == 0:
        yield from last_channels(spec, _before(spot), want)
    written = changes.size(own.item) if own is not None else None
    if own is not None and isinstance(written, tree.Sides) and sizes:
        positions_ = product(tuple(sizes[:-1]))
        if have % positions_ == 0:
            edit = own.edit(written.sides[-1], str(have // positions_))
            yield Candidate(f"{have // positions_} channels, which hold all cells", (edit,))
        if have % sizes[-1] == 0 and len(sizes) == 3:
            from math import isqrt

            side = isqrt(have // sizes[-1])
            if side * side * sizes[-1] == have:
                text = f"{side}x{side}"
                edits = (own.edit(written.sides[0], str(side)), own.edit(written.sides[1], str(side)))
                yield Candidate(f"a map of {text}, which holds all cells", edits)
    if spot.inputs[0].rank:
        yield from last_channels(spec, _before(spot), max(want // max(product(spot.inputs[0].spatial), 1), 1))


def unpool_shape(problem: Diagnostic, spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """E316: what lies between a pool and its `unpool` made to keep the size and the channels."""
    pooled: Shape = problem.values["pooled"]
    arm = arms_of(spot.network.graph, spot.node)[0]
    titles: list[str] = []
    edits: list[Edit] = []
    if spot.inputs[0].channels != pooled.channels:
        for one in last_channels(spec, arm, pooled.channels):
            yield one
            titles.append(one.title)
            edits += one.edits
    for node in arm:
        handle = spec.handle(node)
        if handle is None or handle.calls_block:
            continue
        for text, _ in padding_texts(spec, node.layer)[:2]:
            title = f"pad the `{handle.item.kind.name}` of {_place(handle)}: `{text}`"
            padded = changes.with_padding(handle, text)
            yield Candidate(title, padded)
            if edits:
                yield Candidate("; ".join([*titles, title]), (*edits, *padded))


def unpool_size(problem: Diagnostic, spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """E317: the window, stride and padding of the pool."""
    own = own_handle(spot, spec)
    graph = spot.network.graph
    pools = [graph.nodes[e.node] for e in spot.node.inputs[1:]]
    source = spec.handle(pools[0]) if pools else None
    layer: Any = pools[0].layer if pools else None
    if own is None or layer is None:
        return
    written = changes.size(own.item)
    if written is not None:
        sides = layer.kernel if len(set(layer.kernel)) > 1 else layer.kernel[:1]
        text = "x".join(map(str, sides))
        if source is not None:
            extras = [changes.slash(source.item), changes.named(source.item, "pad")]
            text += "".join(f" {source.line.span(a).text}" for a in extras if a is not None)
        edits = [own.edit(written, text)]
        for old in (changes.slash(own.item), changes.named(own.item, "pad")):
            edits += [changes.without(own, old)] if old is not None else []
        yield Candidate(f"the pool's own window: `{text}`", tuple(edits))
    yield from near(spot, spec)


def weights(problem: Diagnostic, spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """E221: weights used again on an input of another size: the inputs of the network made equal."""
    graph = spot.network.graph
    sources = [graph.nodes[index] for index in graph.inputs]
    own = input_of(spot)
    for other in sources:
        if other.index != own.index and other.shapes and own.shapes and other.shapes != own.shapes:
            yield from resized(spec, own, other.shapes[0], f"an input of {other.shapes[0]}, as the other one")
            yield from resized(spec, other, own.shapes[0], f"an input of {own.shapes[0]}, as the other one")


def classes(problem: Diagnostic, spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """E606: as many outputs as the data has classes."""
    yield from last_channels(spec, [spot.node, *_before(spot)], problem.values["classes"])


def softmax(problem: Diagnostic, spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """W601: without the softmax that the loss applies itself."""
    handle = spec.handle(spot.node)
    edits = changes.removed(spec, handle) if handle is not None and not handle.calls_block else None
    if edits is not None and handle is not None:
        yield Candidate(f"without this `{handle.span.text}`", edits)


def image_size(problem: Diagnostic, spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """E607: an input of the size, or with as many channels, as the data's images; other data of the input's size."""
    shape = spot.node.shapes[0] if spot.node.shapes else None
    wanted = problem.values["image"]
    if shape is None or shape.tokens or wanted.count("x") != 2:
        return
    height, width, channels = map(int, wanted.split("x"))
    if shape.rank == 2:
        other = shape._replace(sizes=(*shape.spatial, channels))
        yield from resized(spec, spot.node, other, f"an input of {other}")
    elif shape.rank == 0:
        count = height * width * channels
        yield from declared(spec, spot.node, str(count), f"as many values as an image of {wanted} has")
    yield from declared(spec, spot.node, wanted, f"an input of {wanted}")
    yield from _other_data(problem, shape, spec)


def _other_data(problem: Diagnostic, shape: Shape, spec: Spec) -> Iterator[Candidate]:
    """Data whose images are of the input's size."""
    from cnndsl.recipe.sources import SOURCES

    place = next((label.span for label in problem.labels if label.text == "the data"), None)
    given = str(problem.values["data"])
    for source in SOURCES if place is not None and place.source is spec.source else ():
        fits = source.image is not None and product(source.image) == product(shape.sizes)
        if place is not None and fits and place.text.split() == ["data", given]:
            end = place.start + place.text.index(given, len("data"))
            edit = Edit(Span(place.source, end, end + len(given)), source.name)
            yield Candidate(f"data of this size: `data {source.name}`", (edit,))


def declared(spec: Spec, node: Node, text: str, title: str) -> Iterator[Candidate]:
    """An input declared with another number of axes, where it is written as numbers."""
    line = spec.inputs.get((node.span.start, node.span.end)) if node.span.source is spec.source else None
    shape = line.statement.shape if line is not None and line.statement.example is None else None
    parts = shape.sides if isinstance(shape, tree.Sides) else (shape,)
    if line is not None and all(isinstance(part, tree.Number) for part in parts):
        yield Candidate(f"{title}: `input {text}`", (Edit(line.span(shape), text),))


def factor(problem: Diagnostic, spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """E313: as many channels as fill the blocks, or an input of whole blocks."""
    values = problem.values
    by, size = values["by"], values["size"]
    if values["axis"] == "channels":
        yield from last_channels(spec, _before(spot), -(-size // by) * by)
        yield from last_channels(spec, _before(spot), max(size // by, 1) * by)
        own = own_handle(spot, spec)
        written = changes.size(own.item) if own is not None else None
        rank = spot.inputs[0].rank
        if own is not None and isinstance(written, tree.Number):
            fitting = [n for n in range(2, 9) if size % n**rank == 0 and n != written.value]
            for number in sorted(fitting, key=lambda n: abs(n - written.value))[:1]:
                yield Candidate(f"a factor of {number}", (own.edit(written, str(number)),))
    else:
        yield from near(spot, spec)


def padding(problem: Diagnostic, spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """E307: at most half a pool's window."""
    own = own_handle(spot, spec)
    if own is not None:
        half = problem.values["kernel"] // 2
        for text in (f"pad={half}", "same"):
            yield Candidate(f"padding of half the window: `{text}`", changes.with_padding(own, text))


def axes(problem: Diagnostic, spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """E304, E305: one number for all axes."""
    own = own_handle(spot, spec)
    if own is None:
        return
    name = problem.values["name"]
    argument = changes.named(own.item, name) or (changes.slash(own.item) if name == "stride" else None)
    value = getattr(argument, "value", None)
    parts = getattr(value, "sides", None) or getattr(value, "items", None)
    if not parts or not all(isinstance(part, tree.Number) for part in parts):
        return
    count = spot.inputs[0].rank
    numbers = [str(part.value) for part in parts]
    texts = [numbers[0]] if len(set(numbers)) == 1 else []
    if type(problem).__name__ == "WrongNumberOfSides" and len(numbers) == count:
        texts.append("x".join(numbers))
    elif len(numbers) > count and type(problem).__name__ != "WrongNumberOfSides":
        texts.append("x".join(numbers[:count]))
    for text in texts:
        shown = f"/{text}" if isinstance(argument, tree.Slash) else f"{name}={text}"
        what = "one number for all axes" if "x" not in text else "one number for each axis"
        yield Candidate(f"{what}: `{shown}`", (own.edit(value, text),))


def mode(problem: Diagnostic, spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """E314: the interpolations that fit the input."""
    own = own_handle(spot, spec)
    old = changes.word(own.item, problem.values["mode"]) if own is not None else None
    for fitting in problem.values["fitting"]:
        if own is not None and old is not None:
            yield Candidate(f"`{fitting}`", (own.edit(old, fitting),))


def one_number(problem: Diagnostic, spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """E312, E318, E319, E320, E323, E326, E335, E311: the number that still goes."""
    values, name = problem.values, type(problem).__name__
    own = own_handle(spot, spec)
    if own is None:
        return
    item = own.item
    if name == "OutpadTooLarge":
        best = max(values["stride"], values["dilation"]) - 1
        given = changes.named(item, "outpad")
        if given is not None:
            edits = (own.edit(given.value, str(best)),) if best else (changes.without(own, given),)
            yield Candidate(f"`outpad={best}`" if best else "without `outpad`", edits)
    elif name == "NothingLeft":
        given = changes.named(item, "pad")
        if given is not None:
            yield Candidate("without cutting anything off", (changes.without(own, given),))
            yield Candidate("`pad=1`", (own.edit(given.value, "1"),))
    elif name == "PadBeyondMap":
        written = changes.size(item)
        if isinstance(written, tree.Number):
            text = str(values["size"] - (values["mode"] == "reflect"))
            yield Candidate(f"as many cells as there are: {text}", (own.edit(written, text),))
        old = changes.word(item, values["mode"])
        if old is not None:
            yield Candidate("zeros", (changes.without(own, old),))
    elif name == "RangeBeyondChannels":
        numbers = [a for a in item.arguments if isinstance(a, tree.Number)]
        if len(numbers) == 2:
            yield Candidate("up to the last channel", (own.edit(numbers[1], str(values["channels"])),))
        yield from last_channels(spec, _before(spot), values["stop"])
    elif name == "PositionBeyondSequence":
        written = changes.size(item)
        if written is not None:
            yield Candidate("the last position: `-1`", (own.edit(written, "-1"),))
    elif name == "PaddingToken":
        given = changes.named(item, "padding")
        if given is not None:
            text = str(values["vocabulary"] - 1)
            yield Candidate(f"the last token: `padding={text}`", (own.edit(given.value, text),))
    elif name in ("NothingToCrop", "CropTooLarge", "OnePosition"):
        edits_ = changes.removed(spec, own)
        if edits_ is not None:
            yield Candidate(f"without this `{own.span.text}`", edits_)


def order(problem: Diagnostic, spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """E322: the same order counted from 0."""
    own = own_handle(spot, spec)
    written = changes.size(own.item) if own is not None else None
    given = problem.values["order"]
    if own is not None and written is not None and sorted(given) == list(range(1, len(given) + 1)):
        text = "x".join(str(n - 1) for n in given)
        yield Candidate(f"counted from 0: `{text}`", (own.edit(written, text),))


def tokens(problem: Diagnostic, spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """E325: the input declared as tokens, where it is written as a length."""
    found = input_of(spot)
    line = spec.inputs.get((found.span.start, found.span.end)) if found.shapes else None
    if line is not None and found.shapes is not None and isinstance(line.statement.shape, tree.Number):
        at = line.start + line.statement.shape.end
        yield Candidate("an input of tokens", (Edit(Span(line.source, at, at), " tokens"),))


def image(problem: Diagnostic, spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """E303: an input with the axis of channels that was forgotten."""
    if problem.values["input"].rank == 1:
        yield from _channel_added(spot, spec)


def _channel_added(spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """An input with one axis more, for its one channel."""
    found = input_of(spot)
    line = spec.inputs.get((found.span.start, found.span.end))
    shape = line.statement.shape if line is not None else None
    if line is not None and isinstance(shape, tree.Sides) and line.statement.example is None:
        text = f"{line.span(shape).text}x1"
        yield Candidate(f"an input with its channels: `{text}`", (Edit(line.span(shape), text),))
