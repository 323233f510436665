"""What can be wrong with a layer's arguments, whatever its input."""

from __future__ import annotations

import re

from cnndsl.diagnostics import Diagnostic, closest

FOREIGN_ARGUMENTS = {
    "activation": "an activation is a layer of its own, behind a comma: `, relu`",
    "strides": "the stride is written `/2`",
    "padding": "the padding is written `same`, `valid` or `pad=1`",
    "kernel_size": "the kernel comes first, without a name, then the channels: `conv 3x3x8`",
    "filters": "the output channels come behind the kernel: `conv 3x3x8`",
    "out_channels": "the output channels come behind the kernel: `conv 3x3x8`",
    "in_channels": "the input's channels are inferred; leave it out",
    "in_features": "the input's size is inferred; leave it out",
    "out_features": "the number of units comes first: `dense 10`",
    "units": "the number of units comes first: `dense 10`",
    "use_bias": "a layer without a bias says `nobias`",
    "dilation_rate": "it is called `dilation=`",
    "pool_size": "the window comes first, without a name: `pool 2`",
    "input_shape": "the input has a line of its own: `input 28x28x1`",
    "kernel_regularizer": "it is called `l2=`",
    "kernel_initializer": "it is called `init=`",
    "num_heads": "it is called `heads=`, or stands first: `attention 8`",
    "embed_dim": "the input's channels are inferred; leave it out",
    "input_size": "the input's size is inferred; leave it out",
    "hidden_size": "the number of units comes first: `lstm 256`",
    "num_layers": "it is called `layers=`",
    "nonlinearity": "it is a word of `rnn`: `rnn 64 relu`",
    "return_sequences": "all states are given, or with the word `last` only the last one",
    "batch_first": "a spec never says where the batch is; sequences are length x channels",
    "num_embeddings": "the vocabulary comes first: `embedding 5000x32`",
    "drop_prob": "the share comes first, without a name",
    "rate": "the share comes first, without a name",
}
"""What Keras and PyTorch call things, and how they are said here."""

FOREIGN_WORDS = {
    "average": "avg",
    "mean": "avg",
    "maximum": "max",
    "linear": "bilinear",
    "no_padding": "valid",
    "zero": "valid",
    "half": "same",
    "bidir": "bidirectional",
}
"""Words of other libraries that are spelled otherwise here."""


class UnknownArgument(Diagnostic):
    """`name=value` with a name that the kind does not have.

    Wrong: `conv 3x3x8 strides=2`. Right: `conv 3x3x8 stride=2`, or shorter `conv 3x3x8 /2`.
    """

    code = "E240"
    title = "unknown argument"
    message = "`{kind}` has no argument `{name}`"
    label = "no such argument"

    def guess(self) -> str | None:
        name = self.values["name"]
        return None if name in FOREIGN_ARGUMENTS else closest(name, self.values["known"])

    def help_text(self) -> str | None:
        name, guess = self.values["name"], self.guess()
        if name in FOREIGN_ARGUMENTS:
            return FOREIGN_ARGUMENTS[name]
        if guess:
            return f"did you mean `{guess}=`?"
        return _known(self.values["kind"], self.values["known"])


class UnknownWord(Diagnostic):
    """A bare word that means nothing to the kind.

    Wrong: `pool 2 average`. Right: `pool 2 avg`.
    """

    code = "E241"
    title = "unknown word"
    message = "`{kind}` does not know the word `{word}`"
    label = "not a word of `{kind}`"

    def guess(self) -> str | None:
        word, words, names = self.values["word"], self.values["known"], self.values.get("names", ())
        if word in names:
            return None
        if FOREIGN_WORDS.get(word) in words:
            return FOREIGN_WORDS[word]
        found = closest(word, [*words, *names])
        return found if found in words else None

    def help_text(self) -> str | None:
        word, words, names = self.values["word"], self.values["known"], self.values.get("names", ())
        if word in names:
            return f"`{word}` needs a value: `{word}=…`"
        guess = self.guess() or closest(word, [*words, *names])
        if guess in names and guess not in words:
            return f"did you mean `{guess}=…`?"
        if guess:
            return f"did you mean `{guess}`?"
        if not words:
            return f"`{self.values['kind']}` takes no words"
        return "it knows " + ", ".join(f"`{w}`" for w in words)


class TooManyArguments(Diagnostic):
    """More numbers and sizes than the kind has places for.

    Wrong: `dense 120 84`. Right: `dense 120, dense 84`. An argument that has no place of its own needs its
    name: `conv 3x3x8 groups=2`.
    """

    code = "E242"
    title = "too many arguments"
    message = "`{kind}` has no place for the value `{value}`"
    label = "one too many"
    help = "give it by name (`name=value`), or put a comma before the next layer"


class ArgumentTwice(Diagnostic):
    """An argument is set twice, perhaps in two spellings: `/2` and `stride=2` are the same.

    Wrong: `conv 3x3x8 valid pad=1`. Right: `conv 3x3x8 pad=1`.
    """

    code = "E243"
    title = "argument given twice"
    message = "`{name}` of `{kind}` is given twice"
    label = "given before"
    help = "leave one of them out"


class BadArgument(Diagnostic):
    """An argument has a value of the wrong type, or outside the range that makes sense.

    Wrong: `conv 0x3x8`, `dropout 1.5`, `dense -1`. Right: `conv 1x3x8`, `dropout 0.5`, `dense 10`.
    """

    code = "E244"
    title = "wrong value"
    message = "`{name}` of `{kind}` can't be `{value}`"
    label = "must be {wanted}"

    def message_text(self) -> str:
        # A setting's own value has the setting's name: `batch 0`.
        owner = "" if self.values["name"] == self.values["kind"] else f" of `{self.values['kind']}`"
        return f"`{self.values['name']}`{owner} can't be `{self.values['value']}`"

    def help_text(self) -> str | None:
        fraction = re.fullmatch(r"-?[0-9]+\.[0-9]+", self.values["value"]) is not None
        whole = self.values["wanted"].startswith(("a whole number", "a size"))
        if not (fraction and whole):
            return None
        if "/" in self.span.text:
            return "`//` divides and rounds down, such as `{7 // 2}`"
        return "`round`, `floor` and `ceil` make whole numbers, such as `{round(7 * 1.5)}`"


class MissingArgument(Diagnostic):
    """The kind can't do without an argument that is not there.

    Wrong: `dense`. Right: `dense 10`.
    """

    code = "E245"
    title = "missing argument"
    message = "`{kind}` needs `{name}`: {meaning}"
    label = "`{name}` is missing"
    help = "for example `{example}`"


class NoStride(Diagnostic):
    """`/2` sets the stride of kinds that have one.

    Wrong: `dense 10 /2`. To divide, write an expression: `dense {10 // 2}`.
    """

    code = "E246"
    title = "no stride to set"
    message = "`/{value}` sets a stride, but `{kind}` has none"
    label = "not an argument of `{kind}`"
    help = "to divide a number, put the expression in braces: `{{20 // 2}}`"


class OneArgumentNeeded(Diagnostic):
    """The kind needs one of several arguments.

    Wrong: `upsample`. Right: `upsample 2`, `upsample size=14x14` or `upsample to=c3`.
    """

    code = "E247"
    title = "missing argument"
    label = "one of them is missing"

    def message_text(self) -> str:
        names = ", ".join(f"`{name}`" for name in self.values["names"][:-1])
        return f"`{self.values['kind']}` needs one of {names} and `{self.values['names'][-1]}`"


class Exclusive(Diagnostic):
    """Two arguments that say different things about one matter.

    Wrong: `pool 3 same ceil` (`same` settles the size), `conv 3x3x8 groups=2 connect=[…]`. Right: one of them.
    """

    code = "E248"
    title = "arguments that exclude each other"
    message = "`{kind}` can't have both {first} and {second}"
    label = "not together with {second}"
    help = "leave one of them out"


class WithoutEffect(Diagnostic):
    """An argument that could change nothing here, so something else was meant.

    Wrong: `pool 2 max nopadcount`: a maximum divides by nothing. Right: `pool 2 avg nopadcount`.
    """

    code = "E249"
    title = "argument without effect"
    message = "`{name}` of `{kind}` has no effect without {needs}"
    label = "goes with {needs}"


class NothingLearned(Diagnostic):
    """`init=`, `frozen` and `l2=` are about learned weights, and this layer has none.

    Wrong: `bn noaffine frozen`, `rbf 10 centres=digits l2=0.1`.
    """

    code = "E250"
    title = "nothing is learned here"
    message = "with these arguments `{kind}` learns nothing, so `{name}` means nothing"
    label = "there are no weights that it could be about"


class NothingToFreeze(Diagnostic):
    """`frozen=` names a weight that the layer does not have.

    Wrong: `conv 3x3x8 nobias frozen=bias`. Right: `conv 3x3x8 frozen=bias`.
    """

    code = "E251"
    title = "no such weight"
    message = "this `{kind}` has no learned `{name}`"
    label = "nothing of that name is learned"

    def help_text(self) -> str | None:
        return "it learns " + " and ".join(f"`{name}`" for name in self.values["known"])


class EmptyRange(Diagnostic):
    """A range of channels that ends where it begins, or before.

    Wrong: `slice 32 0`. Right: `slice 0 32`: the channels 0 to 31.
    """

    code = "E252"
    title = "empty range"
    message = "the range from channel {start} up to, not including, {stop} is empty"
    label = "must be more than {start}"


class ConnectTwice(Diagnostic):
    """A row of a connection table names an input channel twice.

    Wrong: `connect=[[0, 1, 1]]`. Right: `connect=[[0, 1]]`.
    """

    code = "E253"
    title = "a connection made twice"
    message = "row {row} of the connection table names input channel {channel} twice (rows count from 0)"
    label = "each row is a set of input channels"


class BrokenKind(Diagnostic):
    """An installed package declares the kind, but its class can't be imported.

    Install the package again, or take it out.
    """

    code = "E254"
    title = "a kind that can't be loaded"
    message = "`{kind}` comes from the installed package {package}, which fails: {reason}"
    label = "declared by {package}"


def _known(kind: str, names: list[str]) -> str:
    """What the kind does have."""
    if not names:
        return f"`{kind}` takes no arguments"
    return "it has " + ", ".join(f"`{name}`" for name in names)
