"""`cnndsl new`."""

from __future__ import annotations

import os
import re

import click

from cnndsl.cli.options import CONTEXT
from cnndsl.cli.output import CannotWrite, deliver
from cnndsl.diagnostics import Diagnostic
from cnndsl.record import Record
from cnndsl.resources import folder
from cnndsl.source import Source
from cnndsl.syntax import parse, tree
from cnndsl.syntax.tables import KEYWORDS
from cnndsl.terminal import visible
from cnndsl.zoo import SUFFIX, find, guess, locate, read

TEMPLATES = ("mlp", "cnn", "resnet", "unet", "autoencoder", "gan", "audio")
"""Each is a file of cnndsl/templates, in which `Name` stands for the network's name."""


class Start(Record):
    """What a new file holds, and the network in it that was asked for; None if that is all of it."""

    text: str
    network: str | None = None


@click.command(context_settings=CONTEXT)
@click.argument("name", metavar="NAME")
@click.option("--template", type=click.Choice(TEMPLATES), help="What to begin with; 'cnn' if nothing is said.")
@click.option("--from", "origin", metavar="NETWORK", help="Begin with a copy of a spec that comes with cnndsl.")
def new(name: str, template: str | None, origin: str | None) -> int:
    """Start a spec from a template, or from a network that comes with cnndsl.

    \b
    cnndsl new digits                       digits.cnn, a small network to change
    cnndsl new tumours --template unet
    cnndsl new mine --from resnet18         a copy of its file

    A file that is there is never overwritten. The templates:

    \b
    mlp          dense layers, the smallest start
    cnn          convolutions and pools, then a classifier
    resnet       residual blocks with parameters
    unet         an encoder and a decoder with skips
    autoencoder  an image through a narrow code and back
    gan          a generator and a discriminator
    audio        a 1-D convolutional network for waveforms
    """
    if template is not None and origin is not None:
        raise click.UsageError("Give --template or --from, not both.")
    path = name if name.endswith(SUFFIX) else name + SUFFIX
    stem = os.path.basename(path).removesuffix(SUFFIX)
    if not stem.strip(".") or not path.isprintable():
        raise click.UsageError(f"'{visible(name)}' is no name for a file.")
    start = _copy(origin) if origin is not None else _template(template or "cnn", stem)
    _create(path, start.text)
    deliver([f"wrote {path}\n", *(f"next: cnndsl {step}\n" for step in _next_steps(path, start))], None)
    return 0


def _next_steps(path: str, start: Start) -> list[str]:
    """What to do with the new file: check it, and train it if there is one recipe."""
    from shlex import quote

    from cnndsl.pipeline import Options, check

    checked = check(Source(path, start.text), Options(network=start.network))
    target = quote(f"{path}:{start.network}" if start.network else path)
    trained = sum(one.recipe is not None for one in checked.networks)
    trained += sum(one.recipe is not None for one in checked.pairs)
    return [f"check {target}", *([f"train {target}"] if trained == 1 else [])]


def _create(path: str, text: str) -> None:
    """Raises click.ClickException with exit code 2 if the file is there or can't be made."""
    try:
        with open(path, "x", encoding="utf-8", newline="") as file:
            file.write(text)
    except FileExistsError:
        raise click.UsageError(f"{path} is there already, and stays as it is: choose another name.") from None
    except OSError as error:
        raise CannotWrite(path, error) from error


def _template(name: str, stem: str) -> Start:
    with open(os.path.join(folder("templates"), name + SUFFIX), encoding="utf-8") as file:
        return Start("".join(_named(line, network_name(stem)) for line in file))


def _named(line: str, name: str) -> str:
    """A line of a template with the network's name in it; the comment behind it stays where it is."""
    written, gap, comment = line.partition("  #")
    if "Name" not in written or not gap:
        return line.replace("Name", name)
    return written.rstrip().replace("Name", name).ljust(len(written)) + gap + comment


def network_name(stem: str) -> str:
    """A network's name from a file's: `my-net2` gives MyNet2."""
    words = re.findall(r"[A-Za-z0-9]+", stem)
    name = "".join(word[0].upper() + word[1:] for word in words if word.isascii())
    if not name or name[0].isdigit():
        name = "Net" + name
    return name + "Net" if name in KEYWORDS else name


def _copy(origin: str) -> Start:
    """The file of a network of the zoo. Raises click.UsageError."""
    if find(origin) is None:
        near = guess(origin)
        hint = f" Did you mean {near}?" if near else " 'cnndsl list' shows those there are."
        raise click.UsageError(f"No network that comes with cnndsl is named '{visible(origin)}'.{hint}")
    place = locate(origin)
    source = read(place)
    if isinstance(source, Diagnostic):
        raise click.ClickException(source.message_text())
    alone(source)
    return Start(source.text, place.network)


def alone(source: Source) -> None:
    """Refuse a spec that needs others beside it, which a copy would not find. What ships as `std.…` is found from
    everywhere. Raises click.UsageError."""
    used = [
        line.statement.file.value
        for line in parse(source)[0].lines
        if isinstance(line.statement, tree.Use) and isinstance(line.statement.file, tree.Text)
    ]
    if used:
        names = ", ".join(visible(name) for name in dict.fromkeys(used))
        raise click.UsageError(
            f"{visible(source.name)} uses other files ({names}), which a copy of it alone would lack. "
            f"Copy them all into one folder yourself: 'cnndsl show {visible(source.name)}' prints it."
        )
