"""`cnndsl check --fix`: what is changed in a file, said and written."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from cnndsl.cli.output import CannotWrite
from cnndsl.diagnostics import Diagnostic
from cnndsl.files import STDIN, rewrite
from cnndsl.terminal import Look, is_terminal, look_of, visible, write
from cnndsl.zoo import Place, read

if TYPE_CHECKING:
    from cnndsl.pipeline import Options
    from cnndsl.repair.fixing import Fixer, Made

CHOICES = ("safe", "ask")


class CheckCommand(click.Command):
    """A command whose `--fix` may stand alone: the word behind it is a file, never its value."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        return super().parse_args(ctx, ["--fix=safe" if a == "--fix" and i < end else a for i, a in enumerate(args)])


def refuse(places: Sequence[Place], how: str) -> None:
    """Raises click.UsageError where nothing can be fixed: no file to write into, nobody to ask."""
    for place in places:
        if place.path == STDIN:
            raise click.UsageError("--fix writes into the file, and standard input is none.")
        if place.path != place.name:
            name = place.name.rpartition("/")[2].removesuffix(".cnn")
            raise click.UsageError(
                f"{visible(place.name)} comes with cnndsl and is left as it is; "
                f"'cnndsl new mine --from {name}' copies it into a file of yours."
            )
    if how == "ask" and not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        raise click.UsageError(
            "--fix=ask asks before every change, and this is no terminal; --fix makes the safe ones."
        )


def fix_files(places: Sequence[Place], options: Options, how: str, color: str) -> None:
    """Fix each file that can be read, and say on standard error what was changed. Raises click.ClickException."""
    from cnndsl.repair.fixing import Fixer

    look = look_of(sys.stderr, color)
    for place in dict.fromkeys(Place(p.path, None, p.name) for p in places):
        source = read(place)
        if isinstance(source, Diagnostic):
            continue  # the check says why
        networks = {p.network for p in places if p.path == place.path}
        network = networks.pop() if len(networks) == 1 else None
        fixer = Fixer(source, options._replace(network=network))
        if how == "ask":
            _ask(fixer, look)
        else:
            fixer.make_safe()
        if fixer.made:
            _write(place.path, source.text, fixer)
        write(sys.stderr, _said(place, fixer, look, how))


def _write(path: str, before: str, fixer: Fixer) -> None:
    """Write the fixed text, unless the file has changed since it was read."""
    now = read(Place(path, None, path))
    if isinstance(now, Diagnostic) or now.text != before:
        raise click.ClickException(
            f"{visible(path)} has changed meanwhile and is left as it is: run the command again."
        )
    try:
        rewrite(path, fixer.checked.source.text)
    except OSError as error:
        raise CannotWrite(path, error) from error


def _said(place: Place, fixer: Fixer, look: Look, how: str) -> str:
    """What was changed in a file, each change with the lines before and after it."""
    made = fixer.made
    if not made:
        others = sum(1 for _ in fixer.offers())
        more = f"; --fix=ask shows {others:,} that may be meant" if others and how == "safe" else ""
        return f"{visible(place.path)}: nothing changed{more}\n"
    head = f"{visible(place.path)}: {len(made):,} fix{'es' * (len(made) != 1)} made\n"
    return head + ("" if how == "ask" else "".join(_change(one, look) for one in made)) + "\n"


def _change(one: Made, look: Look) -> str:
    from cnndsl.diagnostics.render import render_fix

    place = one.diagnostic.span.source.position(one.diagnostic.span.start)[0]
    said = f"{one.diagnostic.code} in line {place}: {visible(one.diagnostic.message_text())}\n"
    return said + render_fix(one.fix, one.diagnostic, look)


def _ask(fixer: Fixer, look: Look) -> None:
    """Show each problem that has a fix, and ask for each of its fixes."""
    from cnndsl.diagnostics.render import render, render_fix

    refused: set[tuple[str, str, str]] = set()
    shown: object = None
    while True:
        for diagnostic, fix in fixer.offers():
            name = (diagnostic.code, diagnostic.message_text(), fix.title)
            if name in refused:
                continue
            if diagnostic is not shown:
                write(sys.stderr, "\n" + render(diagnostic, look, fixes=False))
                shown = diagnostic
            write(sys.stderr, render_fix(fix, diagnostic, look))
            answer = _answer()
            if answer == "q":
                return
            if answer == "y" and fixer.make(diagnostic, fix):
                break
            if answer == "y":
                write(sys.stderr, "That would not mend it, so it is left as it is.\n")
            refused.add(name)
        else:
            return


def _answer() -> str:
    """`y`, `n` or `q`; the end of the input is `q`."""
    while True:
        write(sys.stderr, "Change this? [y/n/q] ")
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            return "q"
        word = line.strip().lower()
        if word in ("y", "yes", "n", "no", "q", "quit"):
            return word[0]
        write(sys.stderr, "y: change it; n: leave it and go on; q: leave this and all others\n")
