"""What can be wrong with the text of a spec."""

from __future__ import annotations

from cnndsl.diagnostics import Diagnostic


class UnexpectedText(Diagnostic):
    """A word or sign stands where the language has no use for it.

    Wrong: `conv 3x3x64 = 2`. Arguments are sizes, numbers, words, `/2` for the stride, and `name=value`.
    """

    code = "E101"
    title = "unexpected text"
    message = "`{text}` can't stand here"
    label = "expected {expected}"


class LineEndsEarly(Diagnostic):
    """A line stops where something has to follow, such as the value after `let x =`."""

    code = "E102"
    title = "the line ends early"
    message = "the line ends after `{before}`, but something has to follow"
    label = "expected {expected}"


class StrayCharacter(Diagnostic):
    """A character that no spec uses outside strings and comments."""

    code = "E103"
    title = "stray character"
    message = "the character {character} has no meaning in a spec"
    label = "not a sign of the language"
    help = "{meant}"


class LookAlike(Diagnostic):
    """A character that looks like one of the language's, as word processors and PDFs produce: `×`, `–`, `“`."""

    code = "E104"
    title = "a character that only looks right"
    message = "{character} is not a sign of the language, though it looks like one"
    label = "this comes from typeset text"


class SpacedSize(Diagnostic):
    """A size is one word: `3x3x64`, not `3 x 3 x 64` and not `3×3×64`."""

    code = "E105"
    title = "a size with spaces or ×"
    message = "a size is written without spaces, with the letter x: `{plain}`"
    label = "this is meant as one size"


class UnclosedString(Diagnostic):
    """A string begins with `"` and must end with `"` on the same line."""

    code = "E106"
    title = "unclosed string"
    message = "this string has no end"
    label = 'begins here; close it with `"` on this line'


class UnclosedBracket(Diagnostic):
    """An opened `(`, `[` or `{` is not closed before the next statement."""

    code = "E107"
    title = "unclosed bracket"
    message = "`{opener}` is never closed"
    label = "opened here; `{closer}` is missing"


class ClosedTwice(Diagnostic):
    """A closing bracket without one that it closes."""

    code = "E108"
    title = "closing bracket without an opening one"
    message = "`{bracket}` closes nothing"
    label = "no bracket is open here"


class BadNumber(Diagnostic):
    """A number runs into letters, or a size ends with `x`.

    Numbers are `64`, `61_706`, `0.5`, `1e-3`, or with K, M, G, T behind (powers of a thousand): `4.1G`.
    """

    code = "E109"
    title = "not a number"
    message = "`{text}` is neither a number nor a size"
    label = "numbers look like 64, 0.5, 1e-3, 61_706 or 4.1G; sizes like 3x3x64"


class NumberTooLong(Diagnostic):
    """A number has more digits than any size, count or rate needs."""

    code = "E110"
    title = "number too long"
    message = "this number has {digits} characters; at most {limit} are read"
    label = "too long"


class NumberTooLarge(Diagnostic):
    """A number is larger than a floating-point number can be."""

    code = "E111"
    title = "number too large"
    message = "this number is too large"
    label = "more than 1.8e308"


class MissingColon(Diagnostic):
    """`block`, `train`, `repeat`, `for`, `if`, `elif` and `else` open a body, and end with `:`."""

    code = "E112"
    title = "missing colon"
    message = "`{word}` opens a body, so its line ends with `:`"
    label = "add `:` here"


class TrailingComma(Diagnostic):
    """A comma at the end of a line; the end of the line separates items by itself."""

    code = "E113"
    title = "comma at the end of a line"
    message = "nothing follows this comma"
    label = "the end of the line separates layers by itself"


class NothingBetweenCommas(Diagnostic):
    """Two commas with nothing between them."""

    code = "E114"
    title = "nothing between two commas"
    message = "there is no layer between these commas"
    label = "remove one of them"


class SingleEquals(Diagnostic):
    """Comparing is `==`; `=` gives a value to a name."""

    code = "E115"
    title = "`=` in a comparison"
    message = "a comparison is written `==`"
    label = "`=` gives a value to a name"


class DoubleEquals(Diagnostic):
    """Giving a value is `=`; `==` compares."""

    code = "E116"
    title = "`==` where a value is given"
    message = "a value is given with `=`"
    label = "`==` compares"


class ReservedWord(Diagnostic):
    """A keyword of the language used as a name. Keywords are reserved everywhere."""

    code = "E117"
    title = "a keyword as a name"
    message = "`{word}` is a keyword of the language and can't be a name"
    label = "a name is expected here"


class ListWithoutName(Diagnostic):
    """A list is given by name: `pad=[0, 1, 0, 1]`, `connect=[…]`."""

    code = "E118"
    title = "a list without a name"
    message = "a list is only allowed after `=`, as in `pad=[0, 1, 0, 1]`"
    label = "which argument is this?"


class NameBeforeArguments(Diagnostic):
    """A layer's name comes last, behind its arguments.

    Wrong: `conv as a 3x3x4`. Right: `conv 3x3x4 as a`.
    """

    code = "E147"
    title = "a layer's name before its arguments"
    message = "`as {name}` comes last, behind the layer's arguments"
    label = "more of the layer follows"


class ArmsTooFarLeft(Diagnostic):
    """The arms of a merge stand further in than the merge's own name, also where it is in an arm itself.

    Right:

        add:
            | identity
            | add:
                  | conv 3x3x8 same
                  | conv 5x5x8 same
    """

    code = "E150"
    title = "arms that are not indented under their merge"
    message = "the arms of this `{word}` have to stand further in than its own line"
    label = "its line begins in column {column}, so its arms begin in column {further} or further in"
    help = "for example{example}"


class StrayBar(Diagnostic):
    """`|` begins an arm of a merge, at the start of a line."""

    code = "E119"
    title = "`|` within a line"
    message = "`|` begins an arm, so it is the first sign of its line"
    label = "not at the start of the line"


class TwoSizes(Diagnostic):
    """An input has one size: `input 224x224x3`."""

    code = "E120"
    title = "two sizes for one input"
    message = "an input has one size, height x width x channels"
    label = "a second one"


class InputWithoutSize(Diagnostic):
    """An input needs its size: `input 32x32x1`."""

    code = "E121"
    title = "input without a size"
    message = "this input has no size"
    label = "write height x width x channels, such as `input 32x32x1`"


class SmallSides(Diagnostic):
    """A side of an input that is left open is a capital letter.

    Wrong: `input hxwx3`. Right: `input HxWx3 = 224x224x3`.
    """

    code = "E146"
    title = "a small letter for an open side"
    message = "a side that is left open is a capital letter, so `{text}` is no size"
    label = "this is read as a name"
    help = "behind it stands an example of the size: `{example}`"


class BodyOnSameLine(Diagnostic):
    """What a line with `:` at its end opens stands on the lines below it, indented.

    Wrong: `if se: squeeze 4`. Right: `if se:`, and `squeeze 4` on the next line, further in.
    """

    code = "E122"
    title = "body on the line of its header"
    message = "nothing can stand behind the `:` of `{word}`"
    label = "write this on the next line, indented"


class InputAlias(Diagnostic):
    """An input's name stands before its size: `input left 28x28x1`."""

    code = "E123"
    title = "an input's name behind its size"
    message = "an input's name stands before its size, such as `input image 32x32x3`"
    label = "not behind it"


class MissingComma(Diagnostic):
    """Two layers stand on a line without a comma between them.

    Wrong: `conv 3x3x64 relu`. Right: `conv 3x3x64, relu`; or each on a line of its own.
    """

    code = "E124"
    title = "missing comma"
    message = "a comma is missing before `{word}`"
    label = "the next layer begins here"


class NumberAsKind(Diagnostic):
    """A comma ends a layer, so it can't stand between the numbers of one.

    Wrong: `conv 3, 3, 64`. Right: `conv 3x3x64`.
    """

    code = "E125"
    title = "a number where a layer begins"
    message = "a comma ends a layer, so a layer's name has to follow, not {text}"
    label = "sizes are written with x, such as 3x3x64; numbers of one layer with spaces between"


class MisspeltKeyword(Diagnostic):
    """A line begins with a word that is almost a keyword of the language.

    Wrong: `blok unit(c):`. Right: `block unit(c):`.
    """

    code = "E128"
    title = "misspelt keyword"
    message = "`{word}` is not a keyword of the language"
    label = "did you mean `{keyword}`?"


class BracesInExpression(Diagnostic):
    """After `if`, `for`, `repeat`, `let` and `expect` everything is an expression, so there are no braces.

    Wrong: `repeat {n}:`. Right: `repeat n:`.
    """

    code = "E129"
    title = "braces around an expression"
    message = "what follows `{word}` is an expression by itself, without braces"
    label = "leave the braces out"


class BadName(Diagnostic):
    """A name consists of letters, digits and `_`.

    Wrong: `network LeNet-5`. Right: `network LeNet_5`, or `network LeNet5`.
    """

    code = "E145"
    title = "not a name"
    message = "`{text}` is not a name: a letter or `_` comes first, then letters, digits and `_`"
    label = "meant as one name"


class TabIndentation(Diagnostic):
    """Indentation is made with spaces: a tab looks different in every editor."""

    code = "E130"
    title = "a tab in the indentation"
    message = "indentation is made with spaces, not tabs"
    label = "a tab"

    def note_texts(self) -> tuple[str, ...]:
        lines = self.values["lines"]
        more = (f"note: {lines} lines of this file are indented with tabs",) if lines > 1 else ()
        return (*super().note_texts(), *more)


class UnexpectedIndent(Diagnostic):
    """A line is indented though the line above opens no body (it has no `:` at its end)."""

    code = "E131"
    title = "unexpected indentation"
    message = "this line is indented, but the line above opens no body"
    label = "should begin in column {column}"

    def label_text(self) -> str:
        return f"should begin in column {self.values['columns'] + 1}"


class UnevenIndent(Diagnostic):
    """A line goes back to a column where no line around it began."""

    code = "E132"
    title = "uneven indentation"
    message = "this line is indented by {given}, between the levels around it ({possible})"
    label = "belongs to no level"


class EmptyBody(Diagnostic):
    """A line ends with `:` and nothing is indented under it, or nothing stands behind a `|`.

    Wrong: `repeat 3:` and `relu` below its first letter. Right: `relu` four spaces further right. An arm that gives
    what its merge was given is `| identity`.
    """

    code = "E133"
    title = "empty body"

    def message_text(self) -> str:
        if self.values["word"] == "|":
            return "this arm has no layers"
        return f"nothing stands under this `{self.values['word']}`"

    def label_text(self) -> str:
        return "nothing behind it" if self.values["word"] == "|" else "no line below is indented further"

    def help_text(self) -> str | None:
        if self.values["word"] == "|":
            return "`| identity` gives what the merge was given"
        return None if self.fixes else "indent the lines that belong to it, or remove it"


class LineTooLong(Diagnostic):
    """A logical line has more words and signs than any real one."""

    code = "E701"
    title = "line too long"
    message = "this line has more than {limit:,} words and signs"
    label = "too long"


class TooDeeplyIndented(Diagnostic):
    """Bodies are nested deeper than the limit."""

    code = "E702"
    title = "nested too deeply"
    message = "bodies are nested more than {limit} levels deep"
    label = "too deep"


class BracketsTooDeep(Diagnostic):
    """Brackets, signs or conditions are nested in each other deeper than anyone would write."""

    code = "E703"
    title = "brackets nested too deeply"
    message = "this expression has too many brackets or signs inside each other"
    label = "too deep from here on"
