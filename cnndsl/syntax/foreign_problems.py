"""What is written as other languages and libraries have it."""

from __future__ import annotations

from cnndsl.diagnostics import Diagnostic


class Parentheses(Diagnostic):
    """Arguments follow a layer's name with spaces between, without parentheses.

    Wrong: `conv(3, 3, 8)`. Right: `conv 3x3x8`.
    """

    code = "E140"
    title = "parentheses around arguments"
    message = "arguments follow `{name}` with spaces between, without parentheses"
    label = "no parenthesis here"

    def help_text(self) -> str | None:
        return None if self.fixes else "for example `conv 3x3x8 /2, relu`"


class ForeignCall(Diagnostic):
    """A layer is written as a call, as in PyTorch or Keras.

    Wrong: `nn.Conv2d(1, 32, 3, padding=1)`. Right: `conv 3x3x32 pad=1`: kernel and output channels as one size; how
    many channels come in is known.
    """

    code = "E152"
    title = "a layer written as a call"
    label = "Python, not a layer of a spec"

    def message_text(self) -> str:
        return f"a layer is not written as a call: `{self.values['name']}(…)`"

    def help_text(self) -> str | None:
        if self.values["plain"]:
            return None  # the fix says it
        return "arguments follow the name of a layer with spaces between: `conv 3x3x8 /2`"


class NameInSize(Diagnostic):
    """A name within a size is an expression, and stands in braces.

    Wrong: `conv 3x3xwidth`. Right: `conv 3x3x{width}`.
    """

    code = "E153"
    title = "a name in a size without braces"
    message = "`{name}` in a size stands in braces: `{plain}`"
    label = "the value of a name is written `{{{name}}}`"


class Percentage(Diagnostic):
    """Shares are numbers from 0 to 1.

    Wrong: `dropout 50%`. Right: `dropout 0.5`.
    """

    code = "E154"
    title = "a percentage"
    message = "there is no percent sign: this is `{plain}`"
    label = "a share is written as a number from 0 to 1"


class ArrowBetweenLayers(Diagnostic):
    """Layers stand on lines of their own, or have commas between them; `->` claims the shape of what is before it.

    Wrong: `conv 3x3x8 -> relu`. Right: `conv 3x3x8, relu -> 26x26x8`.
    """

    code = "E155"
    title = "an arrow between layers"
    message = "`->` is followed by the shape that comes out, such as `-> 14x14x6`, not by a layer"
    label = "to go on with `{text}`, begin a new line (between layers a comma does, too)"


class AssignedInput(Diagnostic):
    """The size of an input follows its word, without a sign between.

    Wrong: `input = 28x28x1`. Right: `input 28x28x1`.
    """

    code = "E156"
    title = "an equals sign behind `input`"
    message = "the size follows `input` without `=`"
    label = "nothing is needed here"


class CurlyBody(Diagnostic):
    """A body begins behind `:` and is indented; no braces stand around it.

    Wrong: `block unit(c) {`. Right: `block unit(c):`.
    """

    code = "E157"
    title = "a body in braces"
    message = "a body begins with `:` and is indented, without braces"
    label = "write `:` here"


class AssignmentHere(Diagnostic):
    """`name = value` on a line of its own.

    A value gets a name with `let`; a layer with `as`, behind it; a training setting has no `=`.
    """

    code = "E141"
    title = "`=` behind the first word"
    message = "a line does not begin with `{name} =`"
    label = "no `=` here"

    def help_text(self) -> str | None:
        name = self.values["name"]
        said = f"a value gets a name with `let {name} = …`, a layer with `as {name}` behind it; a setting is `{name} …`"
        return None if self.fixes else said


class CommaBetweenArguments(Diagnostic):
    """A comma ends a layer, as a new line does; its arguments have spaces between.

    Wrong: `conv 3x3x8 stride=2, pad=1`. Right: `conv 3x3x8 stride=2 pad=1`.
    """

    code = "E142"
    title = "comma between arguments"
    message = "a comma ends the layer before it, so `{name}=` belongs to none"
    label = "arguments have spaces between them"


class GroupedNumber(Diagnostic):
    """Digits are grouped with `_`: `61_706`."""

    code = "E143"
    title = "a comma in a number"
    message = "digits are grouped with `_`, as in `61_706`"
    label = "this is meant as one number"


class ElseIf(Diagnostic):
    """A further condition is `elif`, one word.

    Wrong: `else if depth > 50:`. Right: `elif depth > 50:`.
    """

    code = "E148"
    title = "`else if` instead of `elif`"
    message = "a further condition is written `elif`"
    label = "one word"


class StrayEnd(Diagnostic):
    """Bodies end where the indentation goes back, without a word such as `end`."""

    code = "E149"
    title = "a line that says `end`"
    message = "a body ends where its indentation does, so there is no `{word}`"
    label = "leave this line out"

    def note_texts(self) -> tuple[str, ...]:
        lines = self.values["lines"]
        more = (f"note: {lines} lines of this file are such",) if lines > 1 else ()
        return (*super().note_texts(), *more)


class ForeignComment(Diagnostic):
    """A comment begins with `#`; `//` divides whole numbers, and that only inside expressions."""

    code = "E126"
    title = "a comment with `//`"
    message = "a comment begins with `#`, not with `//`"
    label = "not the beginning of a comment"


class WrongQuotes(Diagnostic):
    """Strings stand in straight double quotes: `"weight"`."""

    code = "E127"
    title = "wrong quotes"
    message = 'a string stands in straight double quotes: `"…"`'
    label = "other quotes"


class ListDash(Diagnostic):
    """Layers are written one below the other, without a dash or a number before them.

    Wrong: `- conv 3x3x8`. Right: `conv 3x3x8`.
    """

    code = "E158"
    title = "a dash before a layer"
    message = "a layer stands on its line without a dash before it"
    label = "leave it out"


class PythonLine(Diagnostic):
    """A line of Python, such as an `import` or a `def`, in a spec: a spec only says which layers there are.

    Wrong: `import torch` above a network. Right: nothing; `cnndsl compile` makes a PyTorch module of a spec.
    """

    code = "E159"
    title = "a line of Python"
    label = "Python, not a spec"
    help = "a spec lists the layers, one below the other; nothing is imported, called or returned"

    def message_text(self) -> str:
        count = self.values["count"]
        return "a spec has no lines of Python" + (f"; here are {count}" if count > 1 else "")


class PythonProgram(Diagnostic):
    """A Python program instead of a spec.

    Wrong: `model.add(Conv2D(32, 3, activation="relu", input_shape=(28, 28, 1)))`. Right: `network Model`, then `input
    28x28x1`, then `conv 3x3x32, relu`. What a fix writes are the layers in the order in which the program applies them.
    """

    code = "E160"
    title = "a Python program"
    message = "this is a Python program, not a spec"
    label = "Python begins here"

    def help_text(self) -> str | None:
        example = "`network Net`, `input 28x28x1`, `conv 3x3x32, relu`, …"
        return None if self.fixes else f"a spec lists the layers, one below the other: {example}"


class ForeignConfiguration(Diagnostic):
    """A configuration of Darknet, Caffe or another tool instead of a spec.

    Wrong: `[convolutional]`, then `filters=16`, then `size=3`. Right: `network Net`, then `input 32x32x3`, then `conv
    3x3x16`. Darknet's are translated, as long as they hold nothing but what has a counterpart.
    """

    code = "E164"
    title = "a configuration of another tool"
    message = "this is a configuration in the format of {tool}, not a spec"
    label = "it begins here"

    def help_text(self) -> str | None:
        example = "`network Net`, `input 28x28x1`, `conv 3x3x32, relu`, …"
        return None if self.fixes else f"a spec lists the layers, one below the other: {example}"


class Semicolon(Diagnostic):
    """A line ends where it ends, and layers on one line have commas between them.

    Wrong: `conv 3x3x8; relu;`. Right: `conv 3x3x8, relu`.
    """

    code = "E161"
    title = "a semicolon"
    message = "there are no semicolons: a line ends by itself, and layers on one line have commas between them"
    label = "not a sign of the language"


class ColonBehindName(Diagnostic):
    """What a layer, an input or a setting is given follows its name with a space between, without a colon.

    Wrong: `conv: 3x3x8`, `epochs: 10`. Right: `conv 3x3x8`, `epochs 10`.
    """

    code = "E162"
    title = "a colon behind a name"
    message = "arguments follow a name with spaces between, without a colon"
    label = "leave it out"


class BareParameters(Diagnostic):
    """The parameters of a block or a network stand in parentheses behind its name.

    Wrong: `block unit c, stride=1:`. Right: `block unit(c, stride=1):`.
    """

    code = "E163"
    title = "parameters without parentheses"
    message = "parameters stand in parentheses: `{plain}`"
    label = "not in parentheses"
