"""`cnndsl draw`."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click

from cnndsl.cli.options import CONTEXT, input_option, root_option, set_option
from cnndsl.cli.output import deliver, deliver_file, exit_code, keep_inputs, show
from cnndsl.diagnostics import Diagnostic, closest
from cnndsl.draw.formats import FORMATS, MODES, PAGE, Format, Paper, of_file, renderer
from cnndsl.draw.styles import GRAPH, STYLES, TEXT, NotLaidOut
from cnndsl.draw.theme import STANDARD, Theme, ThemeError, color_of, read_theme
from cnndsl.draw.wanted import COLORS, DIRECTIONS, ENGINES, POINTS, SHOWN, Wanted
from cnndsl.files import STDIN
from cnndsl.record import Record
from cnndsl.terminal import Look, is_terminal, look_of, visible
from cnndsl.zoo import locate, read

if TYPE_CHECKING:
    from cnndsl.draw.page.model import Spec
    from cnndsl.draw.picture import Subject, View
    from cnndsl.pipeline import Checked, Options
    from cnndsl.zoo import Place

NARROWEST, WIDEST = 36.0, 14_400.0
"""Widths of a page that can be asked for, in points: half an inch, and what PDF knows at most."""
COARSEST, FINEST = 10.0, 2400.0
"""Pixels to an inch that can be asked for."""
NAME = "{name}"
"""In the name of a file: that of the network."""


class Asked(Record):
    """What the options ask for: the picture's style and what of the network it shows, the format and what it is drawn
    on. output: where it goes, None for standard output."""

    wanted: Wanted
    view: View
    style: str | None
    format: str
    paper: Paper
    output: str | None


class Named(Record):
    """What is to be drawn, and the spec that it is from."""

    spec: Spec
    subject: Subject

    @property
    def name(self) -> str:
        return self.subject.graph.name


# --- options --------------------------------------------------------------------------------------------------------


def _width(context: click.Context, option: click.Parameter, value: str | None) -> float | None:
    """`3.25in`, in points. Raises click.BadParameter."""
    if value is None:
        return None
    text = value.strip().lower()
    unit = next((unit for unit in POINTS if text.endswith(unit)), None)
    number = _number(text.removesuffix(unit)) if unit else None
    if unit is None or number is None:
        units = ", ".join(POINTS)
        raise click.BadParameter(f"'{visible(value)}' is no length, such as 3.25in; units: {units}.", context, option)
    points = number * POINTS[unit]
    if not NARROWEST <= points <= WIDEST:
        raise click.BadParameter(f"{visible(value)} is no width for a picture: 0.5in to 200in.", context, option)
    return points


def _number(text: str) -> float | None:
    """A number with or without decimals, and nothing else that Python would take for one."""
    plain = text.strip()
    digits = plain.replace(".", "", 1)
    return float(plain) if digits.isascii() and digits.isdigit() and len(plain) < 20 else None


def _shown(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...] | None:
    """`--show params,macs`, as names. Raises click.BadParameter."""
    words = [word for value in values for word in value.replace(",", " ").split()]
    for word in words:
        if word not in (*SHOWN, "none"):
            near = closest(word, SHOWN)
            hint = f"did you mean '{near}'?" if near else f"there are {', '.join(SHOWN)}; or none."
            raise click.BadParameter(f"'{visible(word)}' can't be shown: {hint}", context, option)
    return tuple(dict.fromkeys(word for word in words if word != "none")) if words else None


def _theme(context: click.Context, option: click.Parameter, value: str | None) -> Theme:
    """A theme's file. Raises click.BadParameter."""
    if value is None:
        return STANDARD
    try:
        with open(value, encoding="utf-8-sig") as file:
            return read_theme(file.read())
    except ThemeError as error:
        raise click.BadParameter(f"{visible(value)}: {visible(str(error))}", context, option) from None
    except UnicodeDecodeError:
        raise click.BadParameter(f"{visible(value)} is no text in UTF-8.", context, option) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise click.BadParameter(f"can't read {visible(value)}: {reason}.", context, option) from None


def _background(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """`none`, `page` or a colour. Raises click.BadParameter."""
    if value is None or value in ("none", PAGE):
        return value
    color = color_of(value)
    if color is None:
        raise click.BadParameter(
            f"'{visible(value)}' is no colour, such as '#f4f4f4'; or say 'page' for the theme's, or 'none'.",
            context,
            option,
        )
    return color


@click.command(context_settings=CONTEXT)
@click.argument("files", metavar="FILE[:NETWORK]...", nargs=-1, required=True, type=click.Path())
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(),
    help="Write the picture into a file; its ending says the format. With {name} in it, one for each network.",
)
@click.option("--format", type=click.Choice(list(FORMATS)), help="The format, whatever the file's ending.")
@click.option("--style", type=click.Choice(STYLES), help="The style. Without it: what suits the network.")
@click.option("--width", metavar="LENGTH", callback=_width, help="How wide the page is, as in 3.25in, 8cm or 234pt.")
@click.option("--depth", metavar="N", type=click.IntRange(min=0), help="How many levels of blocks are looked into.")
@click.option("--unfold", metavar="NAME", multiple=True, help="Look into this block, whatever the depth. Repeatable.")
@click.option("--fold", metavar="NAME", multiple=True, help="Draw this block as one box. Repeatable.")
@click.option("--only", metavar="NAME", help="Draw what is in this block, and nothing else.")
@click.option(
    "--show",
    metavar="WHAT,...",
    multiple=True,
    callback=_shown,
    help=f"What labels say: {', '.join(SHOWN)}, or none. Without it: shape.",
)
@click.option("--color", type=click.Choice(COLORS), default="kind", help="What colours tell. Without it: the kind.")
@click.option("--direction", type=click.Choice(DIRECTIONS), help="Where a graph runs.")
@click.option("--title", metavar="TEXT", help="A line above the picture.")
@click.option("--legend/--no-legend", default=False, help="Say below what the colours mean.")
@click.option("--labels/--no-labels", default=True, help="Whether layers are labelled.")
@click.option("--theme", metavar="FILE", callback=_theme, help="Other colours and fonts: see docs/drawing.md.")
@click.option(
    "--mode",
    type=click.Choice(MODES),
    default="auto",
    help="Light or dark; 'auto' is as the reader's system is, where the format can.",
)
@click.option("--background", metavar="COLOR", callback=_background, help="'none', 'page' (the theme's), or '#rrggbb'.")
@click.option("--dpi", type=click.FloatRange(COARSEST, FINEST), help="Of PNG: pixels to an inch. Without it: 300.")
@click.option("--engine", type=click.Choice(ENGINES), help="What lays a graph out: 'dot' is Graphviz.")
@click.option("--watch", is_flag=True, help="Show it in a browser, drawn again at each save, until Ctrl-C.")
@click.option("--port", metavar="N", type=click.IntRange(0, 65535), help="With --watch: the port on this machine.")
@click.option("--open", "open_browser", is_flag=True, help="With --watch: open the browser.")
@click.option(
    "--rev",
    "revisions",
    metavar="REV",
    multiple=True,
    help="With one file: draw what changed since this git revision; given twice, between two.",
)
@click.option("--no-preamble", is_flag=True, help="Of TikZ: the picture alone, for \\input into a document.")
@set_option
@input_option
@root_option
def draw(
    files: tuple[str, ...],
    output: str | None,
    sets: tuple[tuple[str, str], ...],
    input_: str | None,
    root: str | None,
    revisions: tuple[str, ...],
    watch: bool,
    port: int | None,
    open_browser: bool,
    **settings: Any,
) -> int:
    """Draw networks: for a paper, a README, a browser.

    \b
    cnndsl draw lenet5.cnn -o lenet5.svg               the style and size that suit the network
    cnndsl draw resnet50 -o resnet50.pdf --width 6.75in
    cnndsl draw unet -o unet.png --mode dark
    cnndsl draw nets.cnn:Small > small.svg
    cnndsl draw nets.cnn -o 'figures/{name}.svg'       every network of the file
    cnndsl draw resnet18 --style graph --depth 2 --show shape,params -o graph.svg
    cnndsl draw resnet18 -o resnet18.html              a page to explore: it folds, finds, tells numbers
    cnndsl draw lenet5.cnn --watch --open              the same page, drawn again at each save
    cnndsl draw resnet50                               in the terminal
    cnndsl draw old.cnn new.cnn -o changes.svg         two networks as one: what was added, removed, changed
    cnndsl draw net.cnn --rev HEAD~1 -o changes.svg    a file as it was in git, and as it is now

    A spec with errors is drawn as far as it is known, with each error at its layer; the exit code is 1 then. It is 2 if
    there is nothing to draw, or it can't be written.
    """
    if watch:
        settings["format"] = _watched(files, output, revisions, settings)
    elif port is not None or open_browser:
        raise click.UsageError("--port and --open are for --watch.")
    asked = _asked(output, settings)
    from cnndsl.pipeline import Options

    gc.disable()  # as in check
    options = Options(sets=sets, input=input_, root=root)
    if watch:
        return _serve(locate(files[0]), options, asked, port, open_browser=open_browser)
    two = bool(revisions) or (len(files) == 2 and NAME not in (output or ""))
    made, diagnostics = _compared(files, revisions, options, asked) if two else _alone(files, options, asked)
    if made:
        _write(made, asked)
    show(diagnostics, "auto", below=made != [] and asked.output is None)
    return exit_code(diagnostics) if made else 2


def _asked(output: str | None, given: dict[str, Any]) -> Asked:
    """The options, put in order. Raises click.UsageError for those that don't go together."""
    from cnndsl.draw.picture import View

    output = None if output == STDIN else output
    if given["format"] is None and given["style"] is None and output is None and is_terminal(sys.stdout):
        given["style"] = TEXT
    if given["style"] == TEXT and (given["format"] is not None or (output is not None and of_file(output))):
        wrong = "--format" if output is None else f"'{visible(output)}'"
        raise click.UsageError(
            f"--style text is text and none of the formats: leave out {wrong}, or write a .txt file."
        )
    chosen = given["format"] or _format_of(output, given["style"])
    row = FORMATS[chosen]
    if row.extra is not None and find_spec(row.extra) is None:
        raise MissingExtra(chosen, row.extra)
    if row.binary and output is None and is_terminal(sys.stdout):
        raise click.UsageError(f"{chosen.upper()} is nothing for a terminal: give -o FILE{row.endings[0]}.")
    if given["dpi"] is not None and chosen != "png":
        raise click.UsageError(f"--dpi is for PNG; {chosen.upper()} has no pixels.")
    if given["no_preamble"] and chosen != "tikz":
        raise click.UsageError("--no-preamble is for --format tikz.")
    style = _style(given, row)
    if given["engine"] == "dot":
        _need_dot()
    background = row.background if given["background"] is None else given["background"]
    paper = Paper(
        theme=given["theme"],
        mode=given["mode"],
        background=None if background == "none" else background,
        dpi=given["dpi"] or Paper().dpi,
        preamble=not given["no_preamble"],
    )
    wanted = Wanted(
        **{name: given[name] for name in ("width", "color", "title", "legend", "labels")},
        **{name: given[name] for name in ("direction", "engine", "show") if given[name] is not None},
    )
    view = View(**{name: given[name] for name in ("depth", "unfold", "fold", "only")})
    return Asked(wanted, view, style, chosen, paper, output)


def _style(given: dict[str, Any], row: Format) -> str | None:
    """The style: what is asked for, or what other options and the format mean; None for what suits the network.
    Raises click.UsageError for options that the style has no use for."""
    style: str | None = given["style"] or row.style
    for option, does in (("engine", "lays out"), ("direction", "turns")):
        if given[option] is None:
            continue
        if style not in (None, GRAPH):
            raise click.UsageError(f"--{option} {does} graphs: it needs --style graph, not {style}.")
        style = GRAPH
    return style


def _watched(files: tuple[str, ...], output: str | None, revisions: tuple[str, ...], settings: dict[str, Any]) -> str:
    """The format of what is watched. Raises click.UsageError where the options say something else."""
    if output is not None or settings["format"] not in (None, "html"):
        raise click.UsageError("--watch serves a page and writes nothing: leave out -o and --format.")
    if len(files) > 1 or STDIN in files or revisions:
        raise click.UsageError("--watch needs one file: it is drawn again when that changes.")
    own = {"style": None, "width": None, "engine": None, "labels": True}
    given = next((name for name, usual in own.items() if settings[name] != usual), None)
    if given is not None:
        option = "--no-labels" if given == "labels" else f"--{given}"
        raise click.UsageError(f"--watch serves a page, which lays itself out: leave out {option}.")
    return "html"


def _serve(place: Place, options: Options, asked: Asked, port: int | None, *, open_browser: bool) -> int:
    """Serve the page of a spec. Raises click.UsageError for names that it lacks, and for a port that is taken."""
    from cnndsl.cli.live import Watched, serve
    from cnndsl.draw.fold import NoSuchItem

    try:
        return serve(Watched(place, options, asked.wanted, asked.paper, asked.view), port, open_browser=open_browser)
    except NoSuchItem as error:
        raise click.UsageError(_unknown(visible(place.name), error.name, error.known, asked)) from None


def _format_of(output: str | None, style: str | None) -> str:
    """The format that a file's ending means; SVG where there is no file. Raises click.UsageError."""
    if output is None or style == TEXT:
        return next(iter(FORMATS))
    chosen = of_file(output)
    if chosen is None:
        endings = [ending for row in FORMATS.values() for ending in row.endings]
        ending = os.path.splitext(output)[1]
        near = closest(ending, endings) if ending else None
        hint = f"did you mean '{near}'?" if near else f"there are {', '.join(endings)}; or say --format."
        raise click.UsageError(f"The ending of '{visible(output)}' says no format: {hint}")
    return chosen


class MissingExtra(click.ClickException):
    """The light install, which lacks a package that a format needs."""

    exit_code = 2

    def __init__(self, format: str, package: str) -> None:
        super().__init__(f"{format.upper()} needs the package {package}\nhelp: pip install 'cnndsl[draw]'")


def _need_dot() -> None:
    """Raises click.ClickException where Graphviz is missing."""
    from shutil import which

    if find_spec("graphviz") is None:
        raise MissingExtra("--engine dot", "graphviz")
    if which("dot") is None:
        raise click.UsageError(
            "--engine dot needs the program 'dot' of Graphviz, which is not there; --engine own needs nothing."
        )


# --- networks -------------------------------------------------------------------------------------------------------


def _alone(files: tuple[str, ...], options: Options, asked: Asked) -> tuple[list[Named], list[Diagnostic]]:
    """The networks of files, each by itself, and what is wrong. Raises click.UsageError."""
    from cnndsl.pipeline import check

    places = [locate(file) for file in files]
    keep_inputs(asked.output, [place.path for place in places])
    if sum(place.path == STDIN for place in places) > 1:
        raise click.UsageError("Standard input ('-') can be read only once.")
    found: list[Named] = []
    diagnostics: list[Diagnostic] = []
    empty = ""
    for place in places:
        source = read(place)
        if isinstance(source, Diagnostic):
            diagnostics.append(source)
            continue
        checked = check(source, options._replace(network=place.network))
        found += _drawable(checked)
        diagnostics += [d for d in checked.diagnostics if d.severity == "error"]
        empty = empty or source.name
    if not found and not diagnostics:
        raise click.UsageError(f"{visible(empty)} holds no network to draw.")
    return found, diagnostics


def _drawable(checked: Checked) -> list[Named]:
    """The networks of a file in which there is something to draw."""
    from cnndsl.draw.faults import faults
    from cnndsl.draw.page.model import Spec
    from cnndsl.draw.picture import Subject

    spec = Spec(checked.source, checked.diagnostics)
    return [
        Named(spec, Subject(one.graph, one.analysis, faults(one.graph, checked.diagnostics)))
        for one in checked.networks
        if len(one.graph.nodes) > 1
    ]


def _compared(
    files: tuple[str, ...], revisions: tuple[str, ...], options: Options, asked: Asked
) -> tuple[list[Named], list[Diagnostic]]:
    """The networks of two specs that belong together, each pair as one, and what is wrong. Raises click.UsageError."""
    from cnndsl.cli.sides import check_both, sides, together, two_specs
    from cnndsl.compare.changes import compare
    from cnndsl.draw.difference import united
    from cnndsl.draw.faults import faults
    from cnndsl.draw.page.model import Spec
    from cnndsl.draw.picture import Subject

    both = two_specs(files[0], files[1] if len(files) > 1 else None, revisions)
    specs = [one._replace(sets=options.sets, input=options.input) for one in both]
    keep_inputs(asked.output, [one.place.path for one in specs if one.revision is None])
    (first, second), diagnostics = check_both(specs, options.root)
    errors = [d for d in diagnostics if d.severity == "error"]
    if first is None or second is None:
        return [], errors
    pairs, mine, other = together(sides(first), sides(second))
    if not pairs and not errors:
        names = ", ".join([visible(side.graph.name) for side in (*mine, *other)][:8]) or "there are none"
        raise click.UsageError(f"No two networks belong together ({names}): name them, as in FILE:NETWORK.")
    found = [united(compare(*pair)) for pair in pairs]
    spec = Spec(second.source, second.diagnostics)
    return [
        Named(spec, Subject(one.graph, one.analysis, faults(one.graph, second.diagnostics), one.changes))
        for one in found
    ], errors


def _write(found: list[Named], asked: Asked) -> None:
    """Draw them all, then write them: nothing is written if one can't be drawn."""
    if asked.output is None or NAME not in asked.output:
        if asked.style == TEXT:
            deliver(["\n".join(_in_text(one, asked, titled=len(found) > 1) for one in found)], asked.output)
            return
        if len(found) > 1:
            raise click.UsageError(_choose(found))
        deliver_file(_drawn(found[0], asked), asked.output)
        return
    pictures: dict[str, bytes] = {}
    for one in found:
        path = asked.output.replace(NAME, one.name)
        if path in pictures:
            raise click.UsageError(f"Two networks are named {visible(one.name)}: draw one at a time.")
        keep_inputs(path, [one.spec.source.name for one in found])
        pictures[path] = _in_text(one, asked).encode() if asked.style == TEXT else _drawn(one, asked)
    for path, content in pictures.items():
        deliver_file(content, path)


def _choose(found: list[Named]) -> str:
    """That one of several networks has to be chosen."""
    names = list(dict.fromkeys(visible(one.name) for one in found))
    known = ", ".join(names[:8]) + ", …" * (len(names) > 8)
    where = visible(found[0].spec.source.name)
    return (
        f"There are {len(found)} networks ({known}): draw one, as in {where}:{names[0]}, "
        f"or all of them with -o '{NAME}.svg'."
    )


def _drawn(one: Named, asked: Asked) -> bytes:
    """One network in the format that was asked for. Raises click.UsageError for names that it lacks."""
    from cnndsl.draw.fold import NoSuchItem
    from cnndsl.draw.picture import picture

    spec = one.spec if FORMATS[asked.format].explores else None
    try:
        scene = picture(one.subject, asked.wanted, asked.view, asked.style, spec)
    except NoSuchItem as error:
        raise click.UsageError(_unknown(one.name, error.name, error.known, asked)) from None
    except NotLaidOut as error:
        raise click.UsageError(f"--engine dot: {visible(str(error))}.") from None
    for note in scene.notes:
        click.echo(f"{visible(one.name)}: {note}", err=True)
    content = renderer(asked.format)(scene, asked.paper)
    return content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace")


def _in_text(one: Named, asked: Asked, *, titled: bool = False) -> str:
    """One network for a terminal. Raises click.UsageError for names that it lacks."""
    from cnndsl.draw.fold import NoSuchItem
    from cnndsl.draw.picture import seen
    from cnndsl.draw.styles.text import text

    wanted = asked.wanted
    if titled and wanted.title is None:
        wanted = wanted._replace(title=one.name)
    try:
        network, wanted = seen(one.subject, wanted, asked.view)
    except NoSuchItem as error:
        raise click.UsageError(_unknown(one.name, error.name, error.known, asked)) from None
    look = look_of(sys.stdout) if asked.output is None else Look(unicode=True)
    return text(network, wanted, look, one.subject.faults.loose)


def _unknown(network: str, name: str, known: Iterable[str], asked: Asked) -> str:
    """That a network has nothing of that name, and what may have been meant."""
    names = list(known)
    near = closest(name, names)
    what = "block" if name == asked.view.only else "layer or block"
    said = f"{visible(network)} has no {what} '{visible(name)}'"
    if near:
        return f"{said}. Did you mean '{visible(near)}'?"
    few = ", ".join(map(visible, names[:8])) + ", …" * (len(names) > 8)
    return f"{said}: there {'is' if len(names) == 1 else 'are'} {few}." if names else f"{said}: it has no blocks."
