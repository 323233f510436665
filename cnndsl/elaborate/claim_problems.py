"""What can be wrong with what a spec claims of itself: `-> 14x14x6`, `expect params == 61_706`."""

from __future__ import annotations

from cnndsl.diagnostics import Diagnostic


class ClaimFails(Diagnostic):
    """A claim `-> 14x14x6` differs from what the layers before it give."""

    code = "E501"
    title = "claim does not hold"
    message = "the claim says {claimed}, but this is {actual}"
    label = "{actual} here"


class ExpectFails(Diagnostic):
    """An `expect` line is not true of the network."""

    code = "E502"
    title = "expectation not met"
    message = "expected {wanted}, but {actual}"
    label = "does not hold"


class ClaimShape(Diagnostic):
    """A claim is a size: whole numbers, `_` for any."""

    code = "E503"
    title = "not a size"
    message = "a claim is a size such as 14x14x6, with `_` where any size may stand"
    label = "not a size"


class NothingExpected(Diagnostic):
    """An `expect` line that compares nothing, and so holds whatever the network is.

    Wrong: `expect 61706`. Right: `expect params == 61_706`.
    """

    code = "E505"
    title = "nothing is expected"
    message = "`{text}` compares nothing"
    label = "write what it should be"
    help = "for example `expect params == 61_706` or `expect macs < 5M`"


class ClaimsNotApplicable(Diagnostic):
    """Claims and expectations hold for the declared input and default parameters; others were asked for."""

    code = "N504"
    severity = "note"
    title = "claims don't apply"
    message = "{claims} of `{name}` not checked: they hold for the sizes and parameters in the file"
    label = "changed by {by}"
