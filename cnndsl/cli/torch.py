"""`cnndsl check --torch`: is PyTorch of the same opinion?"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from cnndsl.cli.output import deliver
from cnndsl.terminal import BOLD, GREEN, RED, Look, look_of, visible

if TYPE_CHECKING:
    from cnndsl.pipeline import Checked
    from cnndsl.runtime.compare import Comparison

INSTALL = "pip install 'cnndsl[train]'"


class NoTorch(click.ClickException):
    """PyTorch is not installed."""

    exit_code = 2


def need_torch() -> None:
    """Raises NoTorch, with the command that installs it."""
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise NoTorch(f"--torch needs PyTorch, which is not installed.\nhelp: {INSTALL}")


def compare_all(checked: Iterable[Checked], color: str) -> bool:
    """Compare every network without errors with its module, and print the verdicts. Whether all agree."""
    from cnndsl.runtime.compare import compare

    look = look_of(sys.stdout, color)
    agree = True
    for one in checked:
        for network in one.networks:
            if network.analysis.totals is None or not network.graph.complete:
                continue
            found = compare(network.graph, network.analysis)
            agree = agree and not found.differences
            deliver([line + "\n" for line in verdict(found, look)], None)
    return agree


def verdict(found: Comparison, look: Look) -> list[str]:
    """What the comparison of a network says."""
    if found.differences:
        number = len(found.differences)
        head = look.paint(
            f"PyTorch differs from {visible(found.name)} in {number:,} point{'s' * (number != 1)}", RED, BOLD
        )
        rows = [(visible(d.layer or "the network"), d.what, d.predicted, visible(d.torch)) for d in found.differences]
        return [head, *(f"  {layer}: {what}: predicted {ours}, PyTorch {theirs}" for layer, what, ours, theirs in rows)]
    unseen = f" ({found.unseen:,} of the MACs are not seen by its counter)" if found.unseen else ""
    return [
        f"{look.paint('PyTorch agrees', GREEN, BOLD)} with {visible(found.name)}: {found.shapes:,} shapes, "
        f"{found.params:,} parameters, {found.macs:,} MACs{unseen}"
    ]
