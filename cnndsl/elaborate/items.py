"""Running the lines of a chain: items to layers, merges and their arms, blocks, loops, claims."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cnndsl.diagnostics import Diagnostic, Edit, Fix, closest
from cnndsl.elaborate.arithmetic import Budget, EvaluationError
from cnndsl.elaborate.blocks import bind_block
from cnndsl.elaborate.builder import MOST_NODES, Stop
from cnndsl.elaborate.control import Control
from cnndsl.elaborate.evaluate import Scope, Silent, evaluate
from cnndsl.elaborate.file import Block, File
from cnndsl.elaborate.frame import Called, Frame
from cnndsl.elaborate.names import base_names
from cnndsl.elaborate.unread import names_of
from cnndsl.elaborate.values import (
    NO_SCOPE,
    LocalName,
    given_arguments,
    is_static,
    reference_text,
)
from cnndsl.graph import INPUT, BlockCall, Edge
from cnndsl.layers import find, names
from cnndsl.layers.base import Layer, LayerError
from cnndsl.layers.bind import Given, bind, written
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.syntax import tree
from cnndsl.syntax.tree import Line


class Changes(Record):
    """What the caller sets instead of what the file says: parameters, and the inputs' sizes by name
    (`""` for the only input)."""

    parameters: dict[str, Any]
    inputs: dict[str, tuple[int, ...]]

    @property
    def any(self) -> bool:
        return bool(self.parameters or self.inputs)


class _Step(Record):
    """An item of a chain, looked at once: what its kind is, and its layer if that is always the same."""

    item: tree.Item
    name: str
    layer: Layer | None


class Items(Control):
    """Adds what the items of chains say to the graph."""

    def __init__(self, budget: Budget, changes: Changes, reported: set[tuple[str, str, int, int]]) -> None:
        super().__init__(budget, reported)
        self.changes = changes
        self.checking = True
        self.claim_failed = False
        self.skipped = 0

    # --- layers -------------------------------------------------------------------------------------------------

    def run_chain(self, line: Line, frame: Frame) -> None:
        statement = line.statement
        key = id(statement)
        known = frame.file.steps
        found = known.get(key)
        if found is None:
            found = known[key] = self._look_at(statement, frame.file)
        steps, bases = found
        last = len(steps) - 1
        for index, step in enumerate(steps):
            if step.layer is not None and frame.here is not None:
                alias = step.item.alias
                name = alias.name if alias is not None else None
                frame.here = self.apply(step.layer, step.item, line, (frame.here,), frame, bases[index], name)
                if alias is not None:
                    self.define_tensor(alias.name, frame.here, line.span(alias), frame)
            else:
                body = line.body if index == last and statement.opens else None
                self._item(step, line, frame, bases[index], body)
        if statement.claim is not None:
            self._claim(line, statement.claim, frame)

    def _look_at(self, statement: tree.Chain, file: File) -> tuple[tuple[_Step, ...], tuple[str, ...]]:
        """What can be said of a chain's items once for all times they run."""
        steps = []
        for index, item in enumerate(statement.items):
            name = item.kind.name if isinstance(item.kind, tree.Name) else ""
            opens = statement.opens and index == len(statement.items) - 1
            alone = item.count is None and (item.alias is None or not item.alias.steps)
            plain = name and alone and not opens and name not in file.blocks
            layer = self._static_layer(name, item) if plain and all(map(is_static, item.arguments)) else None
            steps.append(_Step(item, name, layer))
        kinds = tuple(step.name or "layer" for step in steps)
        return tuple(steps), base_names(statement.items, kinds)

    def _static_layer(self, name: str, item: tree.Item) -> Layer | None:
        """The layer of an item without expressions; None if it needs a closer look, mistakes included."""
        kind = find(name)
        if kind is None or kind.fewest_inputs != 1 or kind.most_inputs != 1:
            return None
        given, _ = given_arguments(item.arguments, _NO_LINE, NO_SCOPE, self.budget, None)
        try:
            layer = bind(kind, given)
        except LayerError:
            return None
        return None if layer.tensors() else layer

    def _item(self, step: _Step, line: Line, frame: Frame, base: str, body: list[Line] | None) -> None:
        """One item with all that it may have: a count, a name, arms."""
        item = step.item
        try:
            self.show_tensors(frame)
            count = self._count(item, frame)
            alias = reference_text(item.alias, frame.scope, self.budget) if item.alias is not None else None
            if count > MOST_NODES and step.name not in frame.file.blocks and find(step.name) is not None:
                self.report("TooManyNodes", line.span(item), limit=MOST_NODES)  # without making them first
                raise Stop
            for i in range(count):
                self.budget.spend(1, item)
                given_name = alias if count == 1 or alias is None else f"{alias}[{i}]"
                self._once(step, line, frame, base, given_name, body)
                if given_name is not None and given_name != alias and frame.here is not None:
                    self.define_tensor(given_name, frame.here, line.span(item.alias), frame)
            if alias is not None and frame.here is not None:
                self.define_tensor(alias, frame.here, line.span(item.alias), frame)
        except EvaluationError as error:
            self.report_evaluation(error, line, frame, item)
            self.forget(line, frame, item, step.name, base)
        except Silent:
            self.forget(line, frame, item, step.name, base)

    def _count(self, item: tree.Item, frame: Frame) -> int:
        if item.count is None:
            return 1
        count = evaluate(item.count, frame.scope, self.budget)
        if isinstance(count, float) and count.is_integer():
            count = int(count)
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise EvaluationError("NotACount", item.count, value=written(count))
        return count

    def _once(
        self, step: _Step, line: Line, frame: Frame, base: str, alias: str | None, body: list[Line] | None
    ) -> None:
        """One item, once. Raises EvaluationError or Silent."""
        item = step.item
        if isinstance(item.kind, (tree.From, tree.Reuse)) and item.arguments:
            self._refuse_arguments(item, line, frame)
        if body is not None and not step.name:
            self.report("NotAMerge", line.span(item), frame.calls, name=line.span(item.kind).text)
        if isinstance(item.kind, tree.From):
            name = reference_text(item.kind.reference, frame.scope, self.budget)
            edge = self.tensor_named(name, line.span(item.kind.reference), frame)
            frame.here = edge if edge is not None else self.add_failed(line, frame, item, "from", base)
            return
        if isinstance(item.kind, tree.Reuse):
            self._reuse(item, line, frame, base, alias)
            return
        name = step.name or self._kind_name(item, frame)
        if not step.name:
            base = base.replace("layer", name, 1)
        # A name given to a block means what it meant where it was given.
        file = getattr(name, "frame", frame).file
        if name in file.blocks:
            if body is not None:
                self.report("NotAMerge", line.span(item), frame.calls, name=name)
            self._call_block(file.blocks[name], item, line, frame, alias or base, alias is not None)
            return
        kind = find(name)
        if kind is None:
            if not file.may_define(name):
                known = [*file.blocks, *names()]
                from cnndsl.syntax.faults import LINE_WORDS  # Only where something is wrong.

                keyword = closest(name, LINE_WORDS, cutoff=0.7) if item.start == 0 else None
                known += [keyword] if keyword is not None else []
                span = line.span(item.kind)
                tensor = str(name) in frame.tensors
                fixes = (Fix(f"write `from {name}`", (Edit(span, f"from {name}"),), "likely"),) if tensor else ()
                if not self.is_known_as_missing(str(name), span):
                    self.report("UnknownKind", span, frame.calls, name=name, known=known, is_tensor=tensor, fixes=fixes)
            if line.body:
                frame.lost.update(names_of(line))
            frame.here = self.add_failed(line, frame, item, name, base)
            return
        self._layer(kind, item, line, frame, base, alias, body)

    def _refuse_arguments(self, item: tree.Item, line: Line, frame: Frame) -> None:
        """`from x` and `reuse x` take nothing more. Raises Silent."""
        argument = item.arguments[0]
        span = line.span(argument)
        word = "from" if isinstance(item.kind, tree.From) else "reuse"
        if isinstance(argument, tree.Reference) and not argument.steps and self._is_kind(argument.name, frame):
            self._missing_comma(_NOT_A_WORD, [Given("word", argument.name)], [span], frame)
        else:
            self.report(
                "NotHere", span, frame.calls, what=f"`{span.text}`", why=f"`{word}` takes a name and nothing else"
            )
        raise Silent

    def _kind_name(self, item: tree.Item, frame: Frame) -> str:
        value = evaluate(item.kind, frame.scope, self.budget)
        if not isinstance(value, str):
            raise EvaluationError("NotAName", item.kind, what="a layer's kind", value=written(value))
        return value

    def _layer(
        self, kind: type[Layer], item: tree.Item, line: Line, frame: Frame, base: str, alias: str | None,
        body: list[Line] | None,
    ) -> None:  # fmt: skip
        """A layer of a built-in kind: bind its arguments, find its inputs, add it."""
        merge = kind.fewest_inputs > 1
        if body is not None and not merge:
            self.report("NotAMerge", line.span(item), frame.calls, name=kind.kind)
        given, places = given_arguments(item.arguments, line, frame.scope, self.budget, frame.rest)
        try:
            layer = bind(kind, given)
        except LayerError as error:
            if not self._missing_comma(error, given, places, frame):
                self.report_refusal(error, line, item, frame, places)
            frame.here = self.add_failed(line, frame, item, kind.kind, base, alias)
            return
        inputs = self._inputs(layer, item, line, frame, body if merge else None, given, places)
        if inputs is None:
            frame.here = self.add_failed(line, frame, item, kind.kind, base, alias)
            return
        if merge and len(inputs) == 1 and body is not None:
            # Conditional arms may leave one: then the merge is that arm.
            frame.here = inputs[0]
            return
        frame.here = self.apply(layer, item, line, inputs, frame, base, alias)

    def _missing_comma(self, error: LayerError, given: list[Given], places: list[Span], frame: Frame) -> bool:
        """Whether the word that a layer doesn't know is the next layer on the line; then that is reported."""
        at = error.argument
        if error.problem != "UnknownWord" or not isinstance(at, int) or not self._is_kind(given[at].value, frame):
            return False
        place = places[at]
        edit = Edit(Span(place.source, place.start, place.start), ", ")
        before = place.source.text[: place.start].rstrip(" ")
        if len(before) < place.start:
            edit = Edit(Span(place.source, len(before), len(before)), ",")
        fix = Fix("write a comma", (edit,), "likely")
        self.report("MissingComma", place, word=str(given[at].value), fixes=(fix,))
        return True

    def _is_kind(self, name: str, frame: Frame) -> bool:
        return name in frame.file.blocks or find(name) is not None

    def _has_output(self, edge: Edge, output: int, name: str, span: Span, frame: Frame) -> bool:
        """Whether a node has the extra output that a layer asks for; if not, that is reported."""
        node = self.nodes[edge.node]
        if node.layer is None and node.kind != INPUT:
            return False
        if output > (len(node.layer.extra_outputs) if node.layer is not None else 0):
            self.report("NoIndices", span, frame.calls, name=str(name), kind=node.kind)
            return False
        return True

    def _inputs(
        self,
        layer: Layer,
        item: tree.Item,
        line: Line,
        frame: Frame,
        body: list[Line] | None,
        given: list[Given],
        places: list[Span],
    ) -> tuple[Edge, ...] | None:
        """The tensors a layer takes: the current one or a merge's arms, then those its arguments name."""
        if body is not None:
            arms = self._arms(body, frame)
            if arms is None:
                return None
            if not arms:
                self.report("EmptyMerge", line.span(item), frame.calls)
                return None
            inputs = arms
        else:
            if frame.here is None:
                self.report("NoInput", line.span(item), frame.calls, name=layer.kind)
                frame.here = self.add_unknown_input(line, item)
            inputs = [frame.here]
        for name, output in layer.tensors():
            span = next((place for one, place in zip(given, places, strict=True) if one.value is name), line.span(item))
            home = getattr(name, "frame", frame)
            if str(name) not in home.tensors and self._missing_comma(_NOT_A_WORD, [Given("word", name)], [span], frame):
                return None
            edge = self.tensor_named(name, span, frame)
            if edge is None or not self._has_output(edge, output, name, span, frame):
                return None
            inputs.append(Edge(edge.node, output) if output else edge)
        most = layer.most_inputs
        few = len(inputs) < layer.fewest_inputs and (body is None or len(inputs) > 1)
        if few or (most is not None and len(inputs) > most + len(layer.tensors()) * (layer.fewest_inputs == 1)):
            wanted = f"at least {layer.fewest_inputs} tensors" if most is None else f"{layer.fewest_inputs} tensors"
            wanted += ", the current one among them" if body is None else ""
            values: dict[str, Any] = {"name": layer.kind, "wanted": wanted, "given": len(inputs)}
            if not line.mended:  # Else its arms stand below it, which was said.
                self.report("WrongNumberOfInputs", line.span(item), frame.calls, **values)
            return None
        return tuple(inputs)

    def _arms(self, body: list[Line], frame: Frame) -> list[Edge] | None:
        """Run each arm from the current tensor; their ends. `if` and `for` among them choose arms. None if some lines
        are no arms, which is reported."""
        start = frame.here
        others: list[Line] = []
        ends: list[Edge] = []

        def run(lines: Iterable[Line], inner: Frame) -> None:
            taken: bool | None = None
            for line in lines:
                statement = line.statement
                frame.here = start
                if isinstance(statement, tree.Arm):
                    self.run_lines(line.body, inner)
                    if inner.here is not None:
                        ends.append(inner.here)
                elif isinstance(statement, (tree.If, tree.Else)):
                    taken = self.run_branch(line, inner, taken, run)
                    continue
                elif isinstance(statement, (tree.Repeat, tree.For)):
                    try:
                        self.run_loop(line, inner, run)
                    except EvaluationError as error:
                        self.report_evaluation(error, line, inner)
                elif isinstance(statement, (tree.Let, tree.Function)):
                    self.show_tensors(inner)
                    self.let(line, inner.scope, inner.calls)
                elif statement is None:  # what it would have given is unknown, and so is what the merge gives
                    self.forget(line, inner)
                    if inner.here is not None and self.nodes[inner.here.node].shapes is None:
                        ends.append(inner.here)
                elif not line.mended and line not in others:
                    others.append(line)
                taken = None

        run(body, frame)
        frame.here = start
        if not others:
            return ends
        fixes = _as_arms(others, len(ends), body)
        self.report("ArmExpected", others[0].span(), frame.calls, fixes=fixes)
        return None

    def _reuse(self, item: tree.Item, line: Line, frame: Frame, base: str, alias: str | None) -> None:
        """The same layer or block again, with the same weights; a repeated one as often as it was."""
        name = reference_text(item.kind.reference, frame.scope, self.budget)
        home = getattr(name, "frame", frame)
        repeated = name in home.tensors and f"{name}[0]" in home.tensors
        if not repeated:
            self._reuse_once(name, home, item, line, frame, base, alias)
            return
        i = 0
        while f"{name}[{i}]" in home.tensors:
            self.budget.spend(1, item)
            one = LocalName(f"{name}[{i}]")
            one.frame = home
            again = None if alias is None else f"{alias}[{i}]"
            self._reuse_once(one, home, item, line, frame, base, again)
            if again is not None and frame.here is not None:
                self.define_tensor(again, frame.here, line.span(item.alias), frame)
            i += 1

    def _reuse_once(
        self, name: str, home: Frame, item: tree.Item, line: Line, frame: Frame, base: str, alias: str | None
    ) -> None:
        """One named layer or block again."""
        place = line.span(item.kind.reference)
        call = home.called.get(name)
        if call is not None and frame.here is not None:
            self._reuse_block(call, line.span(item), frame, alias or f"{name}_again", alias is not None)
            return
        edge = self.tensor_named(name, place, frame)
        node = self.nodes[edge.node] if edge is not None else None
        failed = node is not None and node.kind != INPUT and (node.layer is None or node.shapes is None)
        if node is None or failed or frame.here is None:
            frame.here = self.add_failed(line, frame, item, "reuse", base, alias)
            return
        if node.layer is None or not self.weights_of(node):
            weighted = [n for n, (e, _) in frame.tensors.items() if self.weights_of(self.nodes[e.node])]
            self.report("MissingWeights", place, frame.calls, name=name, guess=weighted[-1] if weighted else None)
            frame.here = self.add_failed(line, frame, item, "reuse", base, alias)
            return
        inputs = (frame.here, *node.inputs[1:])
        frame.here = self.apply(node.layer, item, line, inputs, frame, f"{name}_again", alias)
        self.share(frame.here.node, node, frame.calls)

    def _call_block(self, block: Block, item: tree.Item, line: Line, frame: Frame, called: str, named: bool) -> None:
        """Run a block's body on the current tensor, in a frame of its own."""
        name = block.line.statement.name.name
        span = line.span(item)
        self.pay(item, 25)
        given, places = given_arguments(item.arguments, line, frame.scope, self.budget, frame.rest)
        if self._is_name_for_value(block, given, places, frame):
            frame.here = self.add_failed(line, frame, item, name, called)
            return
        given = [_at_home(one, frame) for one in given]
        bound = bind_block(block, given, places, span, self.budget)
        if isinstance(bound, Diagnostic):
            inside = bound.span.source is block.line.source and block.line.start <= bound.span.start < block.line.end
            calls = (*frame.calls, span) if inside else frame.calls
            self.report(type(bound).__name__, bound.span, calls, fixes=bound.fixes, **bound.values)
            frame.here = self.add_failed(line, frame, item, name, called)
            return
        values, rest, written_out = bound
        if frame.here is None:
            self.report("NoInput", span, name=name)
            frame.here = self.add_unknown_input(line, item)
        call = Called(block, dict(values), rest, "", range(0), tuple(values)[:written_out])
        made = self._run_block(call, span, frame, called, named)
        if named:
            frame.called[called] = made

    def _is_name_for_value(self, block: Block, given: list[Given], places: list[Span], frame: Frame) -> bool:
        """Whether a bare word stands where the number that it names is meant; then that is reported."""
        flags = {p.name for p in block.line.statement.parameters}
        for one, place in zip(given, places, strict=True):
            word = one.value
            if one.form not in ("word", "named") or type(word) is not str or word in flags or not frame.scope.has(word):
                continue
            value = frame.scope.find(word)
            if isinstance(value, (int, float, list, tuple, dict)) and not self._is_kind(word, frame):
                start = place.end - len(word)
                edit = Edit(Span(place.source, start, place.end), f"{{{word}}}")
                fix = Fix(f"write `{{{word}}}`, which is {written(value)}", (edit,), "likely")
                self.report("NameForValue", place, frame.calls, word=word, fixes=(fix,))
                return True
        return False

    def _reuse_block(self, call: Called, span: Span, frame: Frame, called: str, named: bool) -> None:
        """Run a called block's body again: each node shares the weights of the one of its name in the first call."""
        first = {self.nodes[i].name[len(call.prefix) :]: self.nodes[i] for i in call.nodes}
        again = self._run_block(call, span, frame, called, named)
        if named:
            frame.called[called] = again
        for index in again.nodes:
            node = self.nodes[index]
            if node.shares is not None and node.shares in again.nodes:
                # A `reuse` within the block: what it repeats shares its weights itself.
                self.nodes[index] = node._replace(shares=self.nodes[node.shares].shares)
            self.share(index, first.get(node.name[len(again.prefix) :]), node.calls)

    def _run_block(self, call: Called, span: Span, frame: Frame, called: str, named: bool) -> Called:
        """Run the body of a called block in a frame of its own, whose nodes are named after the call."""
        start = len(self.nodes)
        prefix = frame.prefix + called if named else self.prefixes.derive(frame.prefix + frame.branch + called, start)
        scope = Scope(call.block.file.scope, dict(call.values))
        inner = Frame(call.block.file, scope, frame.here, prefix + ".", (*frame.calls, span), call.rest)
        assert frame.here is not None
        block = call.block.line.statement.name.name
        made = BlockCall(prefix, block, call.values, start, start, frame.here, None, given=call.given, named=named)
        place = len(self.calls)
        self.calls.append(made)
        inner.lines = call.block.line.body
        self.run_lines(inner.lines, inner)
        self.calls[place] = made._replace(last=len(self.nodes), result=inner.here, choices=tuple(inner.choices))
        frame.here = inner.here
        return call._replace(prefix=prefix, nodes=range(start, len(self.nodes)))

    def _claim(self, line: Line, claim: tree.Claim, frame: Frame) -> None:
        """Compare a claim with the current tensor's shape."""
        if line.mended:
            return
        if not self.checking and self.changes.any:
            self.skipped += 1
        shape = self.nodes[frame.here.node].shapes if frame.here is not None else None
        if not self.checking or shape is None or frame.here is None:
            return
        try:
            wanted = self.claimed(claim, frame)
        except EvaluationError as error:
            self.report_evaluation(error, line, frame, claim)
            return
        except Silent:
            return
        actual = shape[frame.here.output].sizes
        same_length = len(wanted) == len(actual)
        if _fits(wanted, actual):
            self.supposed.pop(frame.here, None)
            return
        supposed = self.supposed.get(frame.here)
        if supposed is not None and _fits(wanted, supposed.sizes):
            return
        if same_length:
            sizes = tuple(a if w is None else w for w, a in zip(wanted, actual, strict=True))
            self.supposed[frame.here] = shape[frame.here.output]._replace(sizes=sizes)
        self.claim_failed = True
        text = "x".join(map(str, actual))
        span = line.span(claim.shape)
        # In a block or a loop, what is right this time may be wrong the next.
        once = not frame.calls and frame.scope is frame.home
        fixes = (Fix(f"claim {text}", (Edit(span, text),), "possible"),) if once else ()
        self.report("ClaimFails", span, frame.calls, claimed=span.text, actual=text, fixes=fixes)

    def claimed(self, claim: tree.Claim, frame: Frame) -> tuple[int | None, ...]:
        """The sizes that a claim says, None for any. Raises EvaluationError, Silent."""
        sides = claim.shape.sides if isinstance(claim.shape, tree.Sides) else (claim.shape,)
        wanted: list[int | None] = []
        for side in sides:
            if isinstance(side, tree.Name):
                if len(side.name) != 1 or not (side.name.isupper() or side.name == "_"):
                    raise EvaluationError("ClaimShape", side)
                known = frame.scope.find(side.name) if frame.scope.has(side.name) else None
                wanted.append(known if type(known) is int else None)
                continue
            value = evaluate(side, frame.scope, self.budget)
            parts = value if isinstance(value, (tuple, list)) else (value,)
            if not all(isinstance(p, (int, float)) for p in parts):
                raise EvaluationError("ClaimShape", side)
            wanted += parts
        return tuple(wanted)


def _as_arms(others: list[Line], arms: int, body: list[Line]) -> tuple[Fix, ...]:
    """The edits that make arms of lines that are none; or, behind an arm, one that lets it go on."""
    what = "make an arm of this line" if len(others) == 1 else "make an arm of each line"
    bars = Fix(what, tuple(Edit(line.span()._replace(end=line.start), "| ") for line in others))
    if len(others) > 1 or others[0].body:
        return (bars,) if not arms or not any(line.body for line in others) else ()
    at = body.index(others[0]) - 1 if others[0] in body else -1
    before = body[at] if at >= 0 and isinstance(body[at].statement, tree.Arm) else None
    if before is None or not before.body or before.body[0].column <= others[0].column:
        return (bars,)
    lead = " " * (before.body[0].column - others[0].column)
    goes_on = Fix("let the arm above go on", (Edit(others[0].span()._replace(end=others[0].start), lead),))
    return (goes_on, bars) if arms > 1 else (bars, goes_on)


_NOT_A_WORD = LayerError("UnknownWord", 0)
"""The refusal of a word that may be the next layer, behind a missing comma."""


def _fits(wanted: tuple[int | None, ...], sizes: tuple[int, ...]) -> bool:
    """Whether a claim holds of these sizes; None in it fits any."""
    return len(wanted) == len(sizes) and all(w is None or w == a for w, a in zip(wanted, sizes, strict=True))


class _NoLine:
    """Stands for the line of arguments whose places nobody asks for."""

    def span(self, node: Any = None) -> Any:
        return None


_NO_LINE: Any = _NoLine()


def _at_home(given: Given, frame: Frame) -> Given:
    """An argument of a block whose name, if it is one, keeps the frame it was first written in."""
    value = given.value
    if not isinstance(value, str) or hasattr(value, "frame"):
        return given
    local = LocalName(value)
    local.frame = frame
    return given._replace(value=local)
