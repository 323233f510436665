"""`cnndsl export`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnndsl.cli.options import CONTEXT, color_option, input_option, root_option, set_option
from cnndsl.cli.output import CannotWrite, deliver_file, exit_code, show
from cnndsl.cli.run_argument import part_of, run_of
from cnndsl.cli.training import Failed, Pairs, trained
from cnndsl.diagnostics import Diagnostic, closest
from cnndsl.files import STDIN
from cnndsl.pipeline import Options, check
from cnndsl.record import Record
from cnndsl.runtime.export import FORMATS, of_file
from cnndsl.terminal import visible

if TYPE_CHECKING:
    from cnndsl.graph import Graph
    from cnndsl.runtime.export.subject import Subject

_DEFAULT = "onnx"
_OF_RUNS = ("model.py", "model.safetensors")
"""Files of a run that an export could be meant to be."""


@click.command(context_settings=CONTEXT)
@click.argument("run", metavar="RUN[:NETWORK]")
@click.option(
    "--format", "format", type=click.Choice(list(FORMATS)), help="Without it, by --output's ending; else onnx."
)
@click.option("-o", "--output", metavar="FILE", help="Where to write; without it, here, under the run's name.")
@click.option("--raw", is_flag=True, help="Put the preparation of inputs inside: it takes pixels from 0 to 255.")
@click.option("--untrained", is_flag=True, help="RUN is a spec; export it with weights as training begins with them.")
@set_option
@input_option
@root_option
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@color_option
def export(
    run: str,
    format: str | None,
    output: str | None,
    raw: bool,
    untrained: bool,
    sets: Pairs,
    input_: str | None,
    root: str | None,
    quiet: bool,
    color: str,
) -> int:
    """Write a trained network for other programs.

    \b
    cnndsl export runs/LeNet5-1                       LeNet5_1.onnx, for onnxruntime and others
    cnndsl export runs/LeNet5-1 --raw -o digits.onnx  takes pixels from 0 to 255
    cnndsl export runs/LeNet5-1 -o digits.pt2         for torch.export.load
    cnndsl export runs/LeNet5-1 --format state-dict   LeNet5_1.safetensors and LeNet5_1.py
    cnndsl export runs/LeNet5-1 -o digits.pt          the same with a file for torch.load
    cnndsl export lenet5.cnn --untrained              to try out what comes behind

    Of two networks that trained each other the generator is written, or the one that is named: runs/gan-1:Judge.

    Any number of examples may be given at a time. What was written is run on random examples and compared with the
    network; if it computes something else, that is an error, and nothing is written.
    """
    target = _target(run, format, output)
    row = FORMATS[target.format]
    if raw and (untrained or not row.prepares):
        reason = "an untrained network has none" if untrained else "the source has an example that does it"
        raise click.UsageError(f"--raw puts the preparation of inputs inside; {reason}.")
    if (sets or input_ is not None or root is not None) and not untrained:
        raise click.UsageError("--set, --input and --root are for --untrained: a run has its settings.")
    network: str | None = None
    graph = _spec(run, Options(sets=sets, input=input_, root=root), color) if untrained else None
    if isinstance(graph, int):
        return graph
    if graph is None:
        run, network = part_of(run)
        run_of(run, "; or --untrained, for weights as training begins with them")
        _keep_run(run, target)
    folder = os.path.dirname(target.stem)
    if folder and not os.path.isdir(folder):
        raise CannotWrite(target.path(target.ending), FileNotFoundError(2, "there is no such folder"))
    _need_packages(target.format)

    def write() -> int:
        from cnndsl.runtime.export import subject

        found = subject.trained(Path(run), network, inside=raw) if graph is None else subject.untrained(graph)
        _write(found, target, "with weights as training begins with them" if untrained else f"of {run}", quiet=quiet)
        return 0

    return trained(write, color)


class _Target(Record):
    """What is written where. stem, ending: of the main file's path."""

    format: str
    stem: str
    ending: str

    @property
    def piped(self) -> bool:
        return self.stem == STDIN

    @property
    def endings(self) -> tuple[str, ...]:
        """Of all files that are written."""
        return (self.ending, ".py") if self.format == "state-dict" else (self.ending,)

    def path(self, ending: str) -> str:
        """Where a file is written; source beside weights under a name that Python can import."""
        if self.piped:
            return STDIN
        folder, base = os.path.split(self.stem)
        return os.path.join(folder, (base if ending == self.ending else _identifier(base)) + ending)


def _target(run: str, format: str | None, output: str | None) -> _Target:
    """What is asked for. Raises click.UsageError where ending and format don't agree."""
    if output is None or output == STDIN:
        chosen = format or _DEFAULT
        stem = STDIN if output == STDIN else _identifier(os.path.basename(os.path.abspath(run)).removesuffix(".cnn"))
        if output == STDIN and chosen == "state-dict":
            raise click.UsageError("state-dict writes two files; say where with -o FILE.")
        return _Target(chosen, stem, FORMATS[chosen].endings[0])
    meant = of_file(output)
    stem, ending = os.path.splitext(output)
    if meant is None:
        endings = [ending for row in FORMATS.values() for ending in row.endings]
        near = closest(ending, endings) if ending else None
        hint = f"did you mean '{near}'?" if near else f"there are {', '.join(endings)}."
        raise click.UsageError(f"The ending of '{visible(output)}' says no format: {hint}")
    if format is not None and format != meant:
        wanted = " or ".join(FORMATS[format].endings)
        raise click.UsageError(f"'{visible(output)}' is the name of a {meant} file; --format {format} makes {wanted}.")
    return _Target(meant, stem, ending.lower())


def _identifier(name: str) -> str:
    """A name that Python can import, for the source may be written under it."""
    from cnndsl.codegen.identifiers import identifier

    return identifier(name)


def _keep_run(run: str, target: _Target) -> None:
    """Raises click.UsageError where a file of the run would be overwritten."""
    folder = os.path.realpath(run)
    for ending in target.endings:
        path = os.path.realpath(target.path(ending))
        if os.path.dirname(path) == folder and os.path.basename(path) in _OF_RUNS:
            raise click.UsageError(f"{visible(path)} is the run's own; write beside it, under another name.")


def _need_packages(format: str) -> None:
    """Raises Failed where a package is missing."""
    from cnndsl.runtime.export import missing

    lacking = missing(format)
    if lacking:
        raise Failed(f"--format {format} needs {', '.join(lacking)}", f"pip install '{FORMATS[format].extra}'", 2)


def _spec(file: str, options: Options, color: str) -> Graph | int:
    """The network of a spec; or the exit code, diagnostics shown. Raises click.UsageError."""
    from cnndsl.zoo import locate, read

    place = locate(file)
    source = read(place)
    if isinstance(source, Diagnostic):
        show([source], color)
        return exit_code([source])
    checked = check(source, options._replace(network=place.network))
    errors = [one for one in checked.diagnostics if one.severity == "error"]
    show(errors, color)
    if errors:
        return exit_code(errors)
    names = [one.graph.name for one in checked.networks]
    if not names:
        raise click.UsageError(f"{visible(source.name)} holds no network.")
    if len(names) > 1:
        said = visible(file)
        raise click.UsageError(f"{said} holds {len(names)} networks ({', '.join(names)}): as in {said}:{names[0]}.")
    return checked.networks[0].graph


def _write(subject: Subject, target: _Target, of: str, *, quiet: bool) -> None:
    from cnndsl.numbers import bytes_text
    from cnndsl.runtime.export import export as made_by

    def say(text: str) -> None:
        if not quiet:
            click.echo(text, err=target.piped)

    name = subject.graph.name if target.piped else os.path.basename(target.stem)
    made = made_by(subject, target.format, name, target.ending)
    say(f"{subject.graph.name} {of}")
    for line in made.said:
        say(line)
    for file in made.files:
        path = target.path(file.ending)
        deliver_file(file.content, path)
        if not target.piped:
            say(f"saved {visible(path)}, {bytes_text(len(file.content))}")
