"""What can be wrong with what a network sees."""

from __future__ import annotations

from cnndsl.diagnostics import Diagnostic


class ArmsOfOtherStride(Diagnostic):
    """Two arms of a merge have the same size, but not the same stride: their cells drift apart over the map.

    In

        add:
            | conv 3x3x8 /2 pad=1
            | conv 9x9x8

    on a 16x16 map both arms give 8x8, but neighbouring cells of the first are two cells of the input apart, those of
    the second one. The same strides on both sides line them up: `conv 9x9x8 /2 pad=4`.

    Nothing is said of arms that are one cell wide, were upsampled, or come from different inputs.
    """

    code = "W361"
    severity = "warning"
    title = "arms of other strides"
    message = "the arms of `{kind}` don't line up: along {axes} the cells of one are {first} apart, of another {second}"
    label = "their cells drift apart"
    help = "give both arms the same strides, or resize one with `upsample` or `adaptivepool`"


class ArmsApart(Diagnostic):
    """Two arms of a merge look at different places: the same cell of both sees the input a cell or more apart.

    In

        add:
            | conv 3x3x8 pad=[2, 0, 2, 0]
            | identity

    the first arm's window ends at the cell where the second arm looks; with `pad=1` its middle is there.

    Cells are the merged tensor's own. Less than one, as even windows and `same` with a stride bring about, is not
    reported; nor are causal convolutions along a sequence, arms that were upsampled, or inputs of different origin.
    """

    code = "W362"
    severity = "warning"
    title = "arms look at different places"
    message = (
        "the arms of `{kind}` look at different places: along {axes} the middle of what one sees lies {distance} "
        "({cells} of the merged tensor's) further on than another's"
    )
    label = "merged all the same"
    help = (
        "padding shifts the middle: in the arm that looks further back, move {distance} of it from the beginning to "
        "the end, as `pad=1` does in place of `pad=[2, 0, 2, 0]`; or cut the arms with `crop`"
    )


class HiddenMeasure(Diagnostic):
    """An `expect` compares a parameter or a `let` whose name is also that of a measure: within the network the name
    means the value that the spec gives it, so nothing is checked. Give the parameter another name.

    Wrong: `expect depth == 50` in `network ResNet(depth=50)`, which holds whatever is built. Right: `network
    ResNet(layers=50)`, and `expect depth == 50`.
    """

    code = "W506"
    severity = "warning"
    title = "a parameter hides the measure"
    message = "`{name}` is a value of the spec here, not {measure}"
    label = "the spec's own `{name}`"
    help = "to expect the measure, give what the spec calls `{name}` another name"
