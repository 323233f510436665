"""The networks that come with cnndsl, found by their names.

`cnndsl check resnet50` needs no path: a name that is no file is looked up among the networks and files of `specs/`, in
an index made at build time. Capitals, `-` and `_` make no difference there: ResNet-50 is resnet50.
"""

from __future__ import annotations

import os

from cnndsl.diagnostics import Diagnostic, closest, problem
from cnndsl.files import STDIN, read_source, shipped_names
from cnndsl.record import Record
from cnndsl.resources import folder
from cnndsl.source import Source

SUFFIX = ".cnn"
_GUESSES = 4


class Entry(Record):
    """One network of the zoo.

    file: its spec's name without `.cnn`. input: as the spec writes it, several with commas. params, macs: as `check`
    counts them. rf: the receptive field of the last feature map, along each axis: what follows it is global. paper:
    where it comes from.
    """

    name: str
    file: str
    input: str
    params: int
    macs: int
    rf: tuple[int, ...]
    paper: str


class Place(Record):
    """Where a spec is: its path, the network in it that was picked (None for all), and the name it is shown by."""

    path: str
    network: str | None
    name: str


def entries() -> list[Entry]:
    """Every network of the zoo but those that stand there as an instance too, by file and then by size."""
    from cnndsl.zoo.index import NETWORKS

    return [Entry(name, *values) for name, values in NETWORKS.items()]


def locate(text: str) -> Place:
    """The spec that `FILE`, `FILE:NETWORK` or a name of the zoo means. A file of that very name wins, and one with
    `.cnn` behind it, too. `std.residual` is the shipped file of that name; `specs/lenet5.cnn`, as output calls the
    zoo's files, is one of them wherever there is no such file. What is none of these stays as it is, and can't be read.
    """
    path, colon, network = text.rpartition(":")
    if not (colon and path and network.isidentifier()) or os.path.lexists(text):
        path, network = text, ""
    if _is_path(path):
        parent, base = os.path.split(path)
        shipped = os.path.join(folder("specs"), base)
        ours = parent == "specs" and not os.path.lexists(path) and os.path.isfile(shipped)
        return Place(shipped if ours else path, network or None, path)
    found = find(path)
    if path.startswith("std.") and path[4:] in shipped_names():
        return Place(os.path.join(folder("specs"), "std", path[4:] + SUFFIX), network or None, path)
    if found is None:
        return Place(path, network or None, path)
    if os.path.isfile(path + SUFFIX):
        return Place(path + SUFFIX, network or None, path + SUFFIX)
    file, alone = found
    name = file + SUFFIX
    return Place(os.path.join(folder("specs"), name), network or alone, f"specs/{name}")


def _is_path(text: str) -> bool:
    """Whether a text is no name of the zoo: a path, or a file that is there."""
    return text == STDIN or os.path.basename(text) != text or text.endswith(SUFFIX) or os.path.lexists(text)


def find(name: str) -> tuple[str, str | None] | None:
    """The file that a name of the zoo means, without its suffix, and the network in it; None for the whole file.

    A network of exactly this name comes first, then a file, then a network in another spelling, if only one has it:
    `resnet-18` is clear, but `regnety16gf` may be regnet_y_16gf or regnet_y_1_6gf.
    """
    from cnndsl.zoo.index import BASES, NETWORKS

    homes = {**BASES, **{network: values[0] for network, values in NETWORKS.items()}}
    exact = name.replace("-", "_")
    if exact in homes:
        return homes[exact], exact
    for file in files():
        if key(file) == key(name):
            return file, None
    same = [network for network in homes if network.lower() == exact.lower()]
    spelled = same or [network for network in homes if key(network) == key(name)]
    if len({network.lower() for network in spelled}) != 1:
        return None
    return homes[spelled[-1]], spelled[-1]


def guess(name: str) -> str | None:
    """What may have been meant by a name that the zoo does not have: those that begin so, `resnet20_cifar_a or
    resnet20_cifar_b` for resnet20, files before networks; else the one that is spelled most like it."""
    from cnndsl.zoo.index import BASES, NETWORKS

    for names in (files(), NETWORKS):
        longer = [one for one in names if _begins(key(one), key(name))]
        if longer:
            more = ", …" if len(longer) > _GUESSES else ""
            return ", ".join(longer[:_GUESSES]) + more if more or len(longer) == 1 else " or ".join(longer)
    return closest(name.replace("-", "_"), [*BASES, *files(), *NETWORKS])


def _begins(name: str, start: str) -> bool:
    """Whether a name begins so, and not in the middle of a number."""
    return len(start) > 2 and name.startswith(start) and not (start[-1].isdigit() and name[len(start) :][:1].isdigit())


def key(name: str) -> str:
    """What is equal in every spelling of a name: ResNet-18, resnet_18, resnet18."""
    return name.lower().replace("-", "").replace("_", "")


def files() -> tuple[str, ...]:
    """The specs of the zoo, without their suffix."""
    from cnndsl.zoo.index import BASES, NETWORKS

    return tuple(dict.fromkeys([*(values[0] for values in NETWORKS.values()), *BASES.values()]))


def read(place: Place) -> Source | Diagnostic:
    """The text of a spec, under the name that is shown; or why it can't be read."""
    source = read_source(place.path)
    if isinstance(source, Diagnostic):
        return _unknown(source, place) if not _is_path(place.path) else _misplaced(source, place)
    return source if place.name == place.path else Source(place.name, source.text)


def _misplaced(missing: Diagnostic, place: Place) -> Diagnostic:
    """That there is no such file; a spec of the zoo has that name, perhaps."""
    stem = os.path.basename(place.path).removesuffix(SUFFIX)
    if missing.code != "E001" or missing.values["suggestion"] or find(stem) is None:
        return missing
    suggestion = f"{stem}, which comes with cnndsl and needs no path"
    return problem("MissingFile", missing.span, name=missing.values["name"], suggestion=suggestion)


def _unknown(missing: Diagnostic, place: Place) -> Diagnostic:
    """That there is no such file: what may have been meant is a spec nearby, a name of the zoo, or another file."""
    nearby = missing.values["suggestion"]
    if nearby is not None and nearby.endswith(SUFFIX):
        return missing
    note = "it is no network of the zoo either: `cnndsl list` shows those"
    near = guess(place.path) or nearby
    return problem("MissingFile", missing.span, name=missing.values["name"], suggestion=near, notes=(note,))
