"""Which changes are tried for which problem, in the order in which equal ones are offered."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cnndsl.diagnostics import Diagnostic
from cnndsl.repair import arguments, claims, merges, windows
from cnndsl.repair.candidate import Candidate
from cnndsl.repair.spec import Spec
from cnndsl.repair.spot import Spot

Rule = Callable[[Diagnostic, Spot, Spec], Iterator[Candidate]]

RULES: dict[str, Rule] = {
    "WindowTooLarge": lambda problem, spot, spec: windows.too_large(spot, spec),
    "ArmsDiffer": lambda problem, spot, spec: merges.differ(spot, spec),
    "ArmsOfOtherRank": arguments.other_rank,
    "WrongRank": arguments.rank,
    "NeedsPositions": arguments.positions,
    "NeedsImage": arguments.image,
    "NeedsSequence": arguments.sequence,
    "WrongNumberOfAxes": arguments.axes,
    "WrongNumberOfSides": arguments.axes,
    "PadTooLarge": arguments.padding,
    "GroupsDoNotDivide": arguments.groups,
    "HeadsDoNotDivide": arguments.heads,
    "FactorDoesNotDivide": arguments.factor,
    "ModeOfOtherRank": arguments.mode,
    "UnpoolShape": arguments.unpool_shape,
    "UnpoolSize": arguments.unpool_size,
    "WeightsDiffer": arguments.weights,
    "ClassesMismatch": arguments.classes,
    "InputMismatch": arguments.image_size,
    "SoftmaxBeforeLoss": arguments.softmax,
    "ElementsDiffer": arguments.elements,
    "NotAnOrder": arguments.order,
    "NumbersNotTokens": arguments.tokens,
    "NothingLeft": arguments.one_number,
    "OutpadTooLarge": arguments.one_number,
    "NothingToCrop": arguments.one_number,
    "CropTooLarge": arguments.one_number,
    "PadBeyondMap": arguments.one_number,
    "RangeBeyondChannels": arguments.one_number,
    "PaddingToken": arguments.one_number,
    "OnePosition": arguments.one_number,
    "PositionBeyondSequence": arguments.one_number,
    "ClaimFails": claims.claimed,
    "ExpectFails": claims.expected,
}
"""By the name of the problem's class."""


def candidates(problem: Diagnostic, spot: Spot, spec: Spec) -> Iterator[Candidate]:
    """What may mend a problem."""
    rule = RULES.get(type(problem).__name__)
    if rule is not None:
        yield from rule(problem, spot, spec)
