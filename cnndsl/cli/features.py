"""`cnndsl features`."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click

from cnndsl.cli.draw import MissingExtra
from cnndsl.cli.options import CONTEXT, color_option
from cnndsl.cli.output import CannotWrite, deliver_file
from cnndsl.cli.run_argument import run_of
from cnndsl.cli.training import Failed, device_option, need_torch, trained
from cnndsl.diagnostics import closest
from cnndsl.draw.formats import FORMATS, Paper, of_file, renderer
from cnndsl.record import Record
from cnndsl.terminal import visible

if TYPE_CHECKING:
    from pathlib import Path

    from cnndsl.draw.scene import Scene
    from cnndsl.graph import Graph, Node
    from cnndsl.runtime.features.example import Example
    from cnndsl.runtime.predict import Predictor
    from cnndsl.runtime.trained import Trained

_FORMATS = ("svg", "png", "pdf")
_MOST = 40
"""Most layers that are drawn unless others are asked for."""
_UNCHANGED = ("dropout", "droppath", "identity", "flatten")
"""Kinds that give what they are given, in evaluation."""


@click.command(context_settings=CONTEXT)
@click.argument("run", metavar="RUN")
@click.argument("inputs", metavar="[IMAGE]", nargs=-1)
@click.option("--layers", metavar="NAMES", help="Only these, as in c1,c2: layers, or blocks of them.")
@click.option("--maps", "many", metavar="N", type=click.IntRange(min=1), help="Show N maps of each layer; 9.")
@click.option("--kernels", is_flag=True, help="Show weights: of the first convolution, or of --layers.")
@click.option("--saliency", is_flag=True, help="Show which pixels speak for a class: the gradient of its score.")
@click.option("--smooth", metavar="N", type=click.IntRange(min=2), help="With --saliency: mean of N noisy inputs.")
@click.option("--cam", is_flag=True, help="Grad-CAM: where the last convolution, or --layers, finds the class.")
@click.option("--class", "wanted", metavar="NAME", help="With --saliency and --cam: this class, not the likeliest.")
@click.option("-o", "--output", metavar="FILE", help="An .svg, .png or .pdf file; without it, one here.")
@device_option
@color_option
def features(run: str, inputs: tuple[str, ...], color: str, **given: Any) -> int:
    """Draw what a run's network makes of an image on its way, and where it looks.

    \b
    cnndsl features runs/LeNet5-1 seven.png             the maps of each layer
    cnndsl features runs/LeNet5-1 seven.png --layers c1,c3 --maps 16 -o maps.pdf
    cnndsl features runs/LeNet5-1 --kernels             the first convolution's weights
    cnndsl features runs/LeNet5-1 seven.png --saliency --smooth 50
    cnndsl features runs/LeNet5-1 seven.png --cam --class 1

    IMAGE may also be a .npy, .npz or .csv file, of which the first example is taken; a network with two inputs takes
    two images.
    """
    asked = _asked(run, inputs, given)
    folder = run_of(run)
    need_torch()
    return trained(lambda: _draw(folder, inputs, given["device"], asked), color)


class _Asked(Record):
    """What is drawn (`maps`, `kernels`, `saliency`, `cam`), of what, and where it is written."""

    what: str
    layers: tuple[str, ...]
    many: int | None
    smooth: int
    wanted: str | None
    output: str
    format: str


def _asked(run: str, inputs: tuple[str, ...], given: dict[str, Any]) -> _Asked:
    """Raises click.ClickException for what can't be meant, and where a package is missing."""
    modes = [name for name in ("kernels", "saliency", "cam") if given[name]]
    what = modes[0] if modes else "maps"
    if len(modes) > 1:
        raise click.UsageError("Only one of --kernels, --saliency and --cam at a time.")
    if what == "kernels" and inputs:
        raise click.UsageError("--kernels shows weights, which no image changes: leave out the image.")
    if what != "kernels" and not inputs:
        raise click.UsageError("Give an image, or --kernels.")
    if given["wanted"] is not None and what not in ("saliency", "cam"):
        raise click.UsageError("--class is for --saliency and --cam.")
    if given["smooth"] is not None and what != "saliency":
        raise click.UsageError("--smooth is for --saliency.")
    if given["many"] is not None and what in ("saliency", "cam"):
        raise click.UsageError(f"--maps is not for --{what}, which draws one picture.")
    layers = tuple(name.strip() for name in (given["layers"] or "").split(",") if name.strip())
    if what == "saliency" and layers:
        raise click.UsageError("--saliency is about the input, not about layers; --cam is about one.")
    if what == "cam" and len(layers) > 1:
        raise click.UsageError("--cam looks at one layer: give one name with --layers.")
    output = given["output"] or f"{os.path.basename(os.path.abspath(run))}-{what}.svg"
    return _Asked(what, layers, given["many"], given["smooth"] or 0, given["wanted"], output, _format(output))


def _format(output: str) -> str:
    """The format of a file. Raises click.ClickException where there is none, or nothing to make it with."""
    name = of_file(output)
    if name not in _FORMATS:
        raise click.UsageError(f"'{visible(output)}' is no name for a picture: it ends with .svg, .png or .pdf.")
    folder = os.path.dirname(output)
    if folder and not os.path.isdir(folder):
        raise CannotWrite(output, FileNotFoundError(2, "there is no such folder"))
    extra = FORMATS[name].extra
    if extra is not None and find_spec(extra) is None:
        raise MissingExtra(name, extra)
    return name


def _draw(run: Path, inputs: tuple[str, ...], device: str, asked: _Asked) -> int:
    from cnndsl.runtime.features import example as examples
    from cnndsl.runtime.predict import Predictor
    from cnndsl.runtime.trained import load_trained

    network = load_trained(run, device)
    name, answer = f"{network.graph.name} of {run}", ""
    if asked.what == "kernels":
        scene, said = _kernels(network, asked, name)
    else:
        predictor = Predictor(network)
        example = examples.read(predictor, inputs)
        answer = f"{visible(name)}: {_answer(example, predictor)}"
        if asked.what == "maps":
            scene, said = _maps(example, asked, f"{network.graph.name}: {os.path.basename(example.name)}")
        else:
            scene, said = _heat(example, asked)
    if answer:
        click.echo(answer)
    paper = Paper(background=FORMATS[asked.format].background)
    drawn = renderer(asked.format)(scene, paper)
    deliver_file(drawn if isinstance(drawn, bytes) else drawn.encode("utf-8"), asked.output)
    click.echo(f"saved {visible(asked.output)}: {said}")
    return 0


def _answer(example: Example, predictor: Predictor) -> str:
    """What the network answers, in words."""
    found, shown = example.prediction, visible(example.name)
    if found.top:
        best = found.top[0]
        how = f"probability {best.value:.2%}" if predictor.probable else f"score {best.value:.4g}"
        if predictor.kind == "map":
            return f"most places of {shown} are {visible(best.name)}, {best.value:.2%}"
        return f"{shown} is {visible(best.name)}, {how}"
    if found.read is not None:
        return f"{shown} reads {visible(' '.join(found.read)) or 'nothing'}"
    if found.values is not None:
        more = " …" if len(found.values) > 4 else ""
        return f"{shown} gives {', '.join(f'{value:.4g}' for value in found.values[:4])}{more}"
    return f"{shown} gives an image"


# --- what is drawn --------------------------------------------------------------------------------------------------


def _maps(example: Example, asked: _Asked, title: str) -> tuple[Scene, str]:
    from cnndsl.runtime.features import example as examples
    from cnndsl.runtime.features import scenes

    graph = example.predictor.trained.graph
    every = [(node, values) for node, values in examples.layers(example) if node.layer is not None]
    chosen = _named(graph, asked.layers) if asked.layers else _usual(graph)
    layers = [scenes.Layer(node, values) for node, values in every if node.index in chosen]
    scene = scenes.maps(title, layers, example, asked.many or scenes.MAPS)
    count = len([node for node in graph.nodes if node.layer is not None])
    more = "" if asked.layers or len(layers) == count else f" of {count}; others with --layers"
    return scene, f"{len(layers)} layer{'s' * (len(layers) != 1)}{more}"


def _usual(graph: Graph) -> set[int]:
    """The layers that are drawn unless others are asked for: all that change what they are given; of very many those
    that learn, and of these some, evenly."""
    hidden = graph.auxiliary()
    found = [n for n in graph.nodes if n.layer is not None and n.kind not in _UNCHANGED and n.index not in hidden]
    if len(found) > _MOST:
        found = [node for node in found if _learns(graph, node)] or found
    step = -(-len(found) // _MOST)
    return {node.index for node in found[::step]}


def _learns(graph: Graph, node: Node) -> bool:
    shapes = tuple(shape for edge in node.inputs if (shape := graph.shape_of(edge)) is not None)
    return node.layer is not None and bool(node.layer.weights(*shapes))


def _named(graph: Graph, names: tuple[str, ...]) -> set[int]:
    """The layers of these names, and of blocks of these names. Raises Failed."""
    found: set[int] = set()
    for name in names:
        own = {n.index for n in graph.nodes if n.layer is not None and _is(n.name, name)}
        if not own:
            known = [node.name for node in graph.nodes if node.layer is not None]
            near = closest(name, known)
            some = ", ".join(known[:8]) + (", …" if len(known) > 8 else "")
            raise Failed(f"there is no layer `{name}`", f"did you mean `{near}`?" if near else f"there are {some}", 2)
        found |= own
    return found


def _is(name: str, wanted: str) -> bool:
    """Whether a layer has this name, or stands in a block of this name."""
    return name == wanted or name.startswith((f"{wanted}.", f"{wanted}[", f"{wanted}_"))


def _kernels(network: Trained, asked: _Asked, name: str) -> tuple[Scene, str]:
    from cnndsl.codegen import node_codes
    from cnndsl.runtime import nodes
    from cnndsl.runtime.features import scenes

    graph = network.graph
    codes = node_codes(graph)
    chosen = _named(graph, asked.layers) if asked.layers else {n.index for n in graph.nodes if n.layer is not None}
    found = []
    for node in graph.nodes:
        if node.index in chosen and node.index in codes:
            made = [
                (suffix, getattr(part, "weight", None))
                for suffix, part in nodes.parts(network.module, codes[node.index])
            ]
            found += [(node, weight) for _, weight in made if weight is not None and weight.dim() > 1]
    if not asked.layers:
        found = ([one for one in found if "conv" in one[0].kind] or found)[:1]
    if not found:
        what = "these layers have no weights" if asked.layers else "the network has no weights"
        raise Failed(f"{what} that could be drawn", None, 1)
    prepare = network.prepare
    image = (prepare.image[2], *prepare.size) if prepare.image is not None else None
    scene = scenes.kernels(name, found, asked.many or 7 * scenes.MAPS, image)
    return scene, f"weights of {', '.join(visible(node.name) for node, _ in found)}"


def _heat(example: Example, asked: _Asked) -> tuple[Scene, str]:
    from cnndsl.runtime.features import attribution, scenes

    graph = example.predictor.trained.graph
    title = f"{graph.name}: {os.path.basename(example.name)}"
    if asked.what == "saliency":
        found = attribution.saliency(example, asked.wanted, asked.smooth)
        how = f"mean of {asked.smooth} noisy inputs" if asked.smooth else "gradient"
        said = f"saliency for {found.name}"
        return scenes.heat(title, found, example, said), f"{visible(said)}, {how}"
    found = attribution.grad_cam(example, asked.wanted, asked.layers[0] if asked.layers else None)
    said = f"Grad-CAM of {found.layer} for {found.name}"
    return scenes.heat(title, found, example, said), visible(said)
