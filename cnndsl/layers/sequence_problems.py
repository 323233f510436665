"""What can be wrong between a layer and a sequence, of tokens or of vectors."""

from __future__ import annotations

from cnndsl.diagnostics import Diagnostic
from cnndsl.layers.shape_problems import divisors


class TokensNotNumbers(Diagnostic):
    """The input is a sequence of integers that stand for words or symbols; most layers need numbers.

    Wrong: `input 59 tokens, conv 3x100`. Right: `input 59 tokens, embedding 18765x300, conv 3x100`.
    """

    code = "E324"
    title = "tokens where numbers are needed"
    cause = "shape"
    message = "`{kind}` computes with numbers, but its input is a sequence of {input} tokens"
    label = "the input is {input} tokens"
    help = "turn tokens into vectors first: `embedding VOCABULARYxCHANNELS`"


class NumbersNotTokens(Diagnostic):
    """`embedding` looks up integers, and the input is a tensor of numbers.

    Wrong: `input 28x28x1, embedding 10x4`. Right: `input 59 tokens, embedding 18765x300`.
    """

    code = "E325"
    title = "numbers where tokens are needed"
    cause = "shape"
    message = "`{kind}` looks up integers, but its input `{input}` holds other numbers"
    label = "the input is {input}"
    help = "declare the input as `input LENGTH tokens`"


class PaddingToken(Diagnostic):
    """The padding token is not one of the vocabulary; tokens count from 0.

    Wrong: `embedding 100x16 padding=100`. Right: `padding=99` or less.
    """

    code = "E326"
    title = "no such token"
    message = "token {padding} is not in a vocabulary of {vocabulary}, numbered from 0"
    label = "must be less than {vocabulary}"


class NeedsSequence(Diagnostic):
    """The kind works on a sequence, length x channels, and the input is a map or a vector.

    Wrong: `conv 16x16x768 /16, attention 12`. Right: `conv 16x16x768 /16, tokens, attention 12`.
    """

    code = "E333"
    title = "not a sequence"
    cause = "shape"

    def message_text(self) -> str:
        x = self.values["input"]
        what = "the vector" if not x.rank else "the map"
        return f"`{self.values['kind']}` works on a sequence (length x channels), but its input is {what} `{x}`"

    label = "the input is {input}"

    def help_text(self) -> str | None:
        x = self.values["input"]
        if x.rank:
            length = 1
            for size in x.spatial:
                length *= size
            return f"`tokens` makes a sequence of its positions, row by row: {length}x{x.channels}"
        return f"take out what made it a vector, or make it a sequence of one with `reshape 1x{x.channels}`"


class HeadsDoNotDivide(Diagnostic):
    """Attention cuts the channels into heads of equal size, so their number must divide that of the channels.

    Wrong: `attention 10` on 768 channels. Right: `attention 12`: heads of 64 channels.
    """

    code = "E334"
    title = "heads do not divide the channels"
    cause = "channels"
    message = "{heads} heads do not divide the {channels} channels evenly"
    label = "{heads} heads of equal size can't be made"

    def help_text(self) -> str | None:
        working = divisors(self.values["channels"], self.values["heads"])
        return "these work: " + ", ".join(map(str, working)) if len(working) > 1 else "only 1 works"


class PositionBeyondSequence(Diagnostic):
    """`token` takes a position that the sequence does not have; they count from 0, or from the end: -1 is the last.

    Wrong: `token 197` of a sequence of 197. Right: `token 196`, or `token -1`.
    """

    code = "E335"
    title = "no such position"
    cause = "length"
    message = "there is no position {position} in a sequence of {length}"
    label = "must be from 0 to {last}, or from -{length} to -1 to count from the end"
