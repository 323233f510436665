"""From the syntax tree to graphs: blocks expanded, shapes inferred, claims checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cnndsl.diagnostics import Diagnostic, closest, problem
from cnndsl.elaborate.arithmetic import Budget, EvaluationError
from cnndsl.elaborate.evaluate import Scope, Silent, evaluate
from cnndsl.elaborate.file import File, NetworkLines, joint_name, own_networks
from cnndsl.elaborate.items import Changes
from cnndsl.elaborate.network import Elaborated, Expander
from cnndsl.elaborate.settings import Expectation, Setting
from cnndsl.elaborate.uses import gather
from cnndsl.files import Library
from cnndsl.record import Record
from cnndsl.source import Source, Span
from cnndsl.syntax import parse_line, tree
from cnndsl.syntax.fault import SyntaxFault
from cnndsl.syntax.tree import Document, Line
from cnndsl.terminal import visible

__all__ = ["Changes", "Elaborated", "Expectation", "Options", "Prepared", "Setting", "elaborate", "prepare"]


SET, INPUT = "--set", "--input"
"""The names of the sources of what is asked for besides the file."""


class Options(Record):
    """What a user asks for besides the file: parameters (`--set`), sizes (`--input`), one network."""

    sets: tuple[tuple[str, str], ...] = ()
    input: str | None = None
    network: str | None = None


def elaborate(
    document: Document,
    options: Options = Options(),  # noqa: B008
    library: Library | None = None,
    expander: Callable[..., Expander] = Expander,
) -> tuple[list[Elaborated], list[Diagnostic]]:
    """The networks of a document, in its order, and what is wrong with them.

    `library` has the files it may use. `expander` makes what expands each network.
    """
    files, chosen, changes, diagnostics = prepare(document, options, library or Library(document.source))
    whole = _whole(document)
    budget = Budget()
    results: list[Elaborated] = []
    reported: set[tuple[str, str, int, int]] = set()
    misclaimed: set[Line | None] = set()
    for network in chosen:
        span = network.header.span() if network.header else whole
        # What a network does not have does not change it, nor what it claims.
        own = {p.name: changes.parameters[p.name] for p in network.parameters if p.name in changes.parameters}
        run = expander(network, budget, changes._replace(parameters=own), span, reported)
        for one in files if not results else ():
            run.file_lets(one)
        result, found = run.run()
        base = network.base.header if network.base is not None else None
        if run.claim_failed or (base is not None and base in misclaimed):
            # What it expects may fail for the same cause.
            misclaimed.add(network.header)
            result = result._replace(expectations=())
        results.append(result)
        diagnostics += found
        if result.skipped:
            by = " and ".join(["--set"] * bool(run.changes.parameters) + ["--input"] * bool(run.changes.inputs))
            claims = f"{result.skipped} claim{'s' if result.skipped > 1 else ''}"
            diagnostics.append(problem("ClaimsNotApplicable", span, claims=claims, name=network.name, by=by))
        if budget.steps < 0:
            break
    if results:
        diagnostics += _unused_inputs(options, changes, results)
    diagnostics.sort(key=lambda d: (d.span.source is not document.source, d.span.start))
    # What was asked for could not be done: figures of something else would mislead.
    refused = any(d.severity == "error" and d.span.source.name in (SET, INPUT) for d in diagnostics)
    return [] if refused else results, diagnostics


class Prepared(Record):
    """What an expansion begins with: the files, a file's own last, the networks to expand, what is set from outside."""

    files: list[File]
    networks: list[NetworkLines]
    changes: Changes
    diagnostics: list[Diagnostic]


def prepare(document: Document, options: Options, library: Library) -> Prepared:
    """The networks asked for, not yet expanded, and what is wrong with the files or the options."""
    files, diagnostics = gather(document, library)
    file = files[-1]
    whole = _whole(document)
    chosen = _choose(file, options, whole, diagnostics)
    if not own_networks(file) and not any(line.statement is None for line in document.lines):
        names = ", ".join(f"`{name}`" for name in sorted(file.own))
        diagnostics.append(problem("OnlyDefinitions", whole, names=names) if names else problem("EmptyFile", whole))
    return Prepared(files, chosen, _changes(chosen, options, document.source.name, diagnostics), diagnostics)


def _whole(document: Document) -> Span:
    """The place of what is wrong with a file as a whole."""
    return Span(document.source, 0, min(len(document.source.text), 1))


def _choose(file: File, options: Options, whole: Span, diagnostics: list[Diagnostic]) -> list[NetworkLines]:
    """The networks asked for, of those that the file itself defines."""
    own = own_networks(file)
    if options.network is None:
        return list(own.values())
    if options.network in own:
        return [own[options.network]]
    for line in file.joint:
        if joint_name(line) == options.network:
            return [own[name.name] for name in line.statement.of if name.name in own]
    known = ", ".join(own) or "none"
    guess = closest(options.network, own)
    headers = [network.header for network in own.values() if network.header is not None]
    span = headers[0].span(headers[0].statement.name) if headers else whole
    diagnostics.append(problem("UnreachableNetwork", span, name=options.network, known=known, guess=guess))
    return []


def _changes(chosen: list[NetworkLines], options: Options, name_of_file: str, diagnostics: list[Diagnostic]) -> Changes:
    """What `--set` and `--input` ask for; texts that can't be read are reported at themselves."""
    known = {p.name for network in chosen for p in network.parameters}
    parameters: dict[str, Any] = {}
    for name, text in options.sets:
        source = Source(SET, f"{name}={text}")
        if name not in known:
            diagnostics.append(
                problem(
                    "UnknownParameter",
                    Span(source, 0, len(name)),
                    owner=f"`{visible(name_of_file)}`",
                    name=name,
                    known=", ".join(sorted(known)) or "none",
                    guess=closest(name, known),
                )
            )
            continue
        value, failure = _outside_value(text)
        if failure is not None:
            span = Span(source, len(name) + 1, len(source.text))
            diagnostics.append(problem("BadSetting", span, message=failure))
        else:
            parameters[name] = value
    return Changes(parameters, _input_changes(options, diagnostics))


def _outside_value(text: str) -> tuple[Any, str | None]:
    """The value of a text from the command line: an expression, or a bare name. The second part says what is wrong."""
    try:
        statement = parse_line(f"let value = {text}")
    except SyntaxFault:
        return None, f"`{text}` is not a value"
    assert isinstance(statement, tree.Let)
    if isinstance(statement.value, tree.Name):
        return statement.value.name, None
    try:
        return evaluate(statement.value, Scope(), Budget()), None
    except EvaluationError as error:
        return None, problem(error.problem, Span(Source("", ""), 0, 0), **error.values).message_text()
    except Silent:
        return None, f"`{text}` has no value"


def _unused_inputs(options: Options, changes: Changes, results: list[Elaborated]) -> list[Diagnostic]:
    """What `--input` says that no network can follow."""
    inputs = [[one.graph.nodes[i] for i in one.graph.inputs] for one in results]
    known = {node.name for nodes in inputs for node in nodes}
    text = options.input or ""
    span = Span(Source(INPUT, text), 0, len(text))
    for name in changes.inputs:
        if name and name not in known:
            return [problem("InputOverride", span, message=f"no input is named `{name}`", label=_listed(known))]
        if not name and all(len(nodes) > 1 for nodes in inputs):
            message = "there are several inputs, so each size needs its name, such as `left=28x28x1,right=28x28x1`"
            return [problem("InputOverride", span, message=message, label=_listed(known))]
    return []


def _listed(names: set[str]) -> str:
    return f"the inputs: {', '.join(sorted(names))}" if names else "there are no inputs"


def _input_changes(options: Options, diagnostics: list[Diagnostic]) -> dict[str, tuple[int, ...]]:
    """`224x224x3` for the only input, or `left=28x28x1,right=28x28x1`."""
    inputs: dict[str, tuple[int, ...]] = {}
    for part in options.input.split(",") if options.input else ():
        name, _, text = part.rpartition("=")
        if name.strip() in inputs:
            span = Span(Source(INPUT, options.input or ""), 0, len(options.input or ""))
            message = f"the size of `{name.strip()}` is given twice" if name else "two sizes are given"
            label = "for several inputs write left=28x28x1,right=28x28x1"
            diagnostics.append(problem("InputOverride", span, message=message, label=label))
            return {}
        sizes = text.strip().split("x")
        if not 1 <= len(sizes) <= 4 or not all(
            s.isascii() and s.isdigit() and len(s) < 19 and int(s) > 0 for s in sizes
        ):
            span = Span(Source(INPUT, options.input or ""), 0, len(options.input or ""))
            message = f"`{text}` is not an input size"
            diagnostics.append(
                problem(
                    "InputOverride", span, message=message, label="write height x width x channels, such as 32x32x1"
                )
            )
            continue
        inputs[name.strip()] = tuple(map(int, sizes))
    return inputs
