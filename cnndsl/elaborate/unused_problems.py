"""Warnings about names that a file defines and never reads."""

from __future__ import annotations

from cnndsl.diagnostics import Diagnostic


class UnusedParameter(Diagnostic):
    """A parameter of a block or network that none of its lines reads: whatever it is set to changes nothing.

    Inside `{}` and `[]` a name is the parameter; elsewhere it is a word, so `dense width` does not read `width`. A name
    that begins with `_` is meant to be left unread.

    Wrong: `block cbr(c, act=relu):` with `conv 3x3x{c}, relu`. Right: `conv 3x3x{c}, {act}`.
    """

    code = "W224"
    severity = "warning"
    title = "unused parameter"
    message = "nothing reads the parameter `{name}` of {owner}"
    label = "changes nothing"
    help = "read it as `{{{name}}}`, remove it, or name it `_{name}` if that is meant"


class UnusedLet(Diagnostic):
    """A `let` that nothing reads. A name that begins with `_` is meant to be left unread, as in `let _, b = pair`.

    Wrong: `let width = 64` with `conv 3x3x32`. Right: `conv 3x3x{width}`, or no `let`.
    """

    code = "W225"
    severity = "warning"
    title = "unused value"
    message = "nothing reads `{name}`"
    label = "never read"
    help = "remove it, or name it `_{name}` if that is meant"


class UncalledBlock(Diagnostic):
    """A block that no network of the file calls, directly or through other blocks. In a file without networks, which
    others `use`, no block is called, and none is reported. A name that begins with `_` is meant to be left.

    Wrong: `block stem:` and a network with `conv 7x7x64` in its place. Right: `stem` as a line of the network.
    """

    code = "W226"
    severity = "warning"
    title = "block without calls"
    message = "no network calls the block `{name}`"
    label = "never called"
    help = "call it, remove it, or name it `_{name}` if that is meant"
