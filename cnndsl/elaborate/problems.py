"""What can be wrong with the meaning of a spec: names, arguments, claims, limits."""

from __future__ import annotations

from cnndsl.diagnostics import Diagnostic, closest
from cnndsl.elaborate.foreign_kinds import FOREIGN_KINDS, plain_name

# --- names and structure ----------------------------------------------------------------------------------------


class UnknownKind(Diagnostic):
    """A line names a layer that is neither a kind of the language nor a block of the file.

    Wrong: `maxpool 2`. Right: `pool 2` (max is the default), `pool 2 avg`.
    """

    code = "E201"
    title = "unknown layer kind"
    message = "there is no layer kind or block named `{name}`"
    label = "not a layer"

    def guess(self) -> str | None:
        name = self.values["name"]
        if self.values["is_tensor"] or plain_name(name) in FOREIGN_KINDS:
            return None
        return closest(name, self.values["known"])

    def is_undefined(self) -> bool:
        """Whether it looks like a block whose definition is missing, rather than a name that is misspelt."""
        return (
            not self.values["is_tensor"] and plain_name(self.values["name"]) not in FOREIGN_KINDS and not self.guess()
        )

    def help_text(self) -> str | None:
        if self.values["is_tensor"]:
            return f"`{self.values['name']}` is a tensor, not a layer"
        name = plain_name(self.values["name"])
        if name in FOREIGN_KINDS:
            return f"it is called `{FOREIGN_KINDS[name]}` here"
        guess = self.guess()
        return (
            f"did you mean `{guess}`?"
            if guess
            else f"docs/layers.md lists the kinds; `block {self.values['name']}:` would define one"
        )


class NoNetwork(Diagnostic):
    """Layers stand before any `network` line.

    Right: `network LeNet5`, then `input 32x32x1`, then the layers.
    """

    code = "E202"
    title = "no network"
    message = "this line belongs to no network"
    label = "a `network NAME` line has to come first"


class EmptyFile(Diagnostic):
    """A spec without a network: empty, or only comments."""

    code = "E203"
    title = "no network in the file"
    message = "this file describes no network"
    label = "write `network NAME`, an `input 32x32x1` and the layers"


class OnlyDefinitions(Diagnostic):
    """A file holds blocks or values for others to `use`, and no network of its own. Their bodies are checked where
    they are used."""

    code = "N224"
    severity = "note"
    title = "nothing but definitions"
    message = "this file defines {names} for other files to `use`, and no network"


class NoInput(Diagnostic):
    """A network's first layer comes before its `input`."""

    code = "E204"
    title = "layer before the input"
    message = "`{name}` has no input: this network's `input` line is missing or comes later"
    label = "the first layer"
    help = "write the input's height x width x channels first, such as `input 32x32x1`"


class NoLayers(Diagnostic):
    """A network without a layer."""

    code = "E205"
    title = "network without layers"
    message = "the network `{name}` has no layers"
    label = "nothing follows"


class DefinedTwice(Diagnostic):
    """Two networks, blocks, inputs, parameters or layers of one scope have the same name, or two entries of a
    dictionary the same key."""

    code = "E206"
    title = "name defined twice"
    message = "the {what} `{name}` is defined twice"
    label = "the second one"


class UnknownNetwork(Diagnostic):
    """`network A = B(…)` names a network `B` that the file doesn't define."""

    code = "E207"
    title = "unknown network"
    message = "there is no network `{name}` to make an instance of"
    label = "not a network of this file"
    help = "did you mean `{guess}`?"


class UnknownParameter(Diagnostic):
    """A parameter is set that the network or block doesn't have."""

    code = "E208"
    title = "unknown parameter"
    message = "{owner} has no parameter `{name}`"
    label = "its parameters: {known}"
    help = "did you mean `{guess}`?"


class ParameterWithoutValue(Diagnostic):
    """A network's parameter has no default and is not set."""

    code = "E209"
    title = "parameter without a value"
    message = "the parameter `{name}` of `{owner}` has no value"
    label = "give it a default, `{name}=…`, or set it with `--set {name}=…`"


class UndefinedTensor(Diagnostic):
    """A name is used as a layer's that no layer above has."""

    code = "E210"
    title = "unknown layer name"
    message = "no layer above is named `{name}`"
    label = "not the name of a layer"
    help = "did you mean `{guess}`?"


class NotHere(Diagnostic):
    """A statement that has no meaning where it stands, such as `network` inside a body or `else` without `if`."""

    code = "E211"
    title = "statement in the wrong place"
    message = "{what} can't stand here"
    label = "{why}"


class NotAMerge(Diagnostic):
    """A layer line ends with `:`, but only merges (`add`, `concat`, `mul`, `max`) have arms."""

    code = "E212"
    title = "not a merge"
    message = "`{name}` has no arms, so its line doesn't end with `:`"
    label = "not a merge"


class SizeDiffers(Diagnostic):
    """A capital letter stands for one size in the whole network: every input that has it has that size.

    Wrong: `input HxHx3 = 224x128x3`. Right: `input HxWx3 = 224x128x3`.
    """

    code = "E227"
    title = "one letter, two sizes"
    message = "`{name}` is {first} already, and would be {second} here"
    label = "another letter for another size"


class UsedBefore(Diagnostic):
    """A layer's name is used above the line that gives it.

    Wrong: `add skip` above `conv 3x3x16 as skip`. Right: the other way round.
    """

    code = "E228"
    title = "used before it is made"
    message = "`{name}` is used here, but made further down"
    label = "not made yet"


class NameForValue(Diagnostic):
    """A bare word is a name, never a value: the value that a name stands for is written in braces.

    Wrong: `let c = 64`, `stage c`. Right: `stage {c}`.
    """

    code = "E229"
    title = "a name where its value is meant"
    message = "`{word}` is a name here, not the value of `{word}`"
    label = "a name"


class NotACondition(Diagnostic):
    """A condition is true or false, a comparison or a number. Names and tensors are neither; and the words are `true`
    and `false`.

    Wrong: `network N(small=False)`. Right: `network N(small=false)`.
    """

    code = "E230"
    title = "not a condition"
    message = "{value} is neither true nor false"
    label = "not a condition"


class UseCycle(Diagnostic):
    """Files use each other in a circle. Put what both need into a third file.

    Wrong: `a.cnn` has `use "b.cnn": x`, and `b.cnn` has `use "a.cnn": y`.
    """

    code = "E220"
    title = "files that use each other"
    message = "{name} is used by itself: {path}"
    label = "this closes the circle"


class NotDefinedThere(Diagnostic):
    """`use` asks a file for a name that it does not define. Blocks, networks and the file's own `let`s can be asked
    for, not what that file itself uses.

    Wrong: `use std.residual: botleneck`. Right: `use std.residual: bottleneck`.
    """

    code = "E222"
    title = "not defined there"
    message = "{file} defines no `{name}`"
    label = "it defines {known}"
    help = "did you mean `{guess}`?"


class TooManyFiles(Diagnostic):
    """One spec may use a hundred files, with those that they use."""

    code = "E704"
    title = "too many files"
    message = "more than {limit} files are used"
    label = "this is one more"


class NotTwoNetworks(Diagnostic):
    """`train gan of …` is about two networks of the file: the generator, then the discriminator.

    Wrong: `train gan of Generator:`. Right: `train gan of Generator, Discriminator:`.
    """

    code = "E213"
    title = "no two networks to train"
    message = "a recipe for two networks needs two networks of this file: {why}"
    label = "here"
    help = "{advice}"


class MissingWeights(Diagnostic):
    """`reuse` names a layer that has no weights."""

    code = "E214"
    title = "nothing to reuse"
    message = "`{name}` has no weights to reuse"
    label = "a layer without weights"
    help = "did you mean `{guess}`?"


class LeadsNowhere(Diagnostic):
    """A layer or an input that no result of the network depends on.

    `from x` goes back to an earlier tensor, and what was made in between is lost unless something takes it. Several
    inputs meet in a merge: `from left, …`, then `add right`.
    """

    code = "W222"
    severity = "warning"
    title = "leads nowhere"
    message = "no result depends on the {what} `{name}`"
    label = "computed for nothing"
    help = "remove it, merge it, or make it a result with `output`"


class ChannelsFirst(Diagnostic):
    """An input that looks as if its channels were written first, as PyTorch does.

    Sizes are height x width x channels: `28x28x1`.
    """

    code = "W223"
    severity = "warning"
    title = "channels first?"
    message = "`{sizes}` has {channels} channels: sizes are written height x width x channels"
    label = "channels come last"


class WeightsDiffer(Diagnostic):
    """`reuse` gives a layer an input that its weights were not made for."""

    code = "E221"
    title = "weights don't fit"
    message = "the weights of `{name}` don't fit an input of {given}"
    label = "used again here"


class WrongNumberOfInputs(Diagnostic):
    """A merge gets too few tensors, or a layer several."""

    code = "E215"
    title = "wrong number of inputs"
    message = "`{name}` takes {wanted}, and gets {given}"
    label = "{given} here"


class ArmExpected(Diagnostic):
    """The body of a merge consists of arms, each beginning with `|`; an arm's further lines stand below its first.

    Right:

        add:
            | conv 3x3x8 same, relu
              conv 3x3x8 same
            | identity
    """

    code = "E216"
    title = "an arm is expected"
    message = "the body of a merge consists of arms, each beginning with `|`"
    label = "not an arm"
    help = "lines of one arm stand below each other, behind its `|`"


class EmptyMerge(Diagnostic):
    """None of a merge's arms came into being."""

    code = "E217"
    title = "merge without arms"
    message = "this merge has no arms"
    label = "nothing to merge"


class NotAName(Diagnostic):
    """Braces stand where a layer's kind or a name is expected, and hold something else."""

    code = "E218"
    title = "not a name"
    message = "{what} is expected here, but this is {value}"
    label = "has to be a name"


class UnreachableNetwork(Diagnostic):
    """`FILE:Network` names a network that the file doesn't have."""

    code = "E219"
    title = "unknown network"
    message = "this file has no network `{name}`; it has {known}"
    label = "the first network of the file"
    help = "did you mean `{guess}`?"


class BlockArguments(Diagnostic):
    """A block gets more or other arguments than it has parameters."""

    code = "E231"
    title = "wrong arguments for a block"
    message = "{message}"
    label = "{owner}({parameters})"


class InputOverride(Diagnostic):
    """`--input` gives a size that no input of the network takes."""

    code = "E232"
    title = "input size can't be set"
    message = "{message}"
    label = "{label}"


class BadInputSize(Diagnostic):
    """An input's size: one to four whole numbers of at least 1, channels last."""

    code = "E233"
    title = "not an input size"
    message = "an input has one to four sizes, each a whole number of at least 1; this is {value}"
    label = "height x width x channels, such as 32x32x1"


class FreeSize(Diagnostic):
    """Capital letters stand for sizes that are not fixed; counting and drawing need an example.

    Wrong: `input HxWx3`. Right: `input HxWx3 = 224x224x3`.
    """

    code = "E234"
    title = "a size without a value"
    message = "there is no value for {names} of this input"
    label = "write an example behind it, such as `{written} = 224x224x3`"

    def label_text(self) -> str:
        sides = self.values["written"].split("x")
        example = "x".join("32" if len(side) == 1 and side.isupper() else side for side in sides)
        return f"write an example behind it, such as `= {example}`"


class ExampleDiffers(Diagnostic):
    """The example of an input has the sizes that are fixed, and as many as there are.

    Wrong: `input HxWx3 = 224x224x1`. Right: `input HxWx3 = 224x224x3`.
    """

    code = "E237"
    title = "example of another form"
    message = "this example does not have the form {shape}"
    label = "letters stand for any size, numbers for themselves"


class TwoInputs(Diagnostic):
    """A network with several inputs gives each a name.

    Wrong: `input 28x28x1` twice. Right: `input left 28x28x1` and `input right 28x28x1`.
    """

    code = "E235"
    title = "two inputs without a name"
    message = "this network has a second input without a name"
    label = "the second one"
    help = "name them, such as `input left 28x28x1` and `input right 28x28x1`"


class InstanceOfInstance(Diagnostic):
    """An instance is made of a network that has layers of its own.

    Wrong: `network A = B(depth=3)`, then `network C = A(depth=4)`. Right: `network C = B(depth=4)`.
    """

    code = "E236"
    title = "instance of an instance"
    message = "`{name}` is itself an instance"
    label = "name `{base}`, of which it is made"


# --- shapes and claims ------------------------------------------------------------------------------------------


class HidesKind(Diagnostic):
    """A block has the name of a built-in layer kind, and is meant wherever this file says that name."""

    code = "N223"
    severity = "note"
    title = "a block instead of a built-in kind"
    message = "in this file `{name}` means this block, not the built-in kind"


# --- limits -----------------------------------------------------------------------------------------------------


class TooManyNodes(Diagnostic):
    """A network has more layers than the limit."""

    code = "E710"
    title = "too many layers"
    message = "the network has more than {limit:,} layers"
    label = "the limit is reached here"


class TooManySteps(Diagnostic):
    """Evaluating the file's expressions takes more steps than any real spec."""

    code = "E711"
    title = "too much to compute"
    message = "the expressions of this file take more than {limit:,} steps"
    label = "the limit is reached here"


class TooDeep(Diagnostic):
    """Expressions or function calls are nested deeper than the limit; a function may call itself without end."""

    code = "E712"
    title = "nested too deeply"
    message = "this expression is nested, or calls itself, more than {limit} levels deep"
    label = "too deep"


class ListTooLong(Diagnostic):
    """A list is longer than the limit."""

    code = "E713"
    title = "list too long"
    message = "this list would have more than {limit:,} items"
    label = "too long"


class TensorTooLarge(Diagnostic):
    """A layer's output has more cells along an axis than any memory holds, as after upsampling without end."""

    code = "E715"
    title = "tensor too large"
    message = "the output would be {shape}"
    label = "more than {limit:,} along one axis"


class TextTooLong(Diagnostic):
    """A string is longer than the limit."""

    code = "E716"
    title = "string too long"
    message = "this string would have more than {limit:,} characters"
    label = "too long"


class TooManyCalls(Diagnostic):
    """Blocks call each other, or themselves, deeper than the limit: often a recursion without an end.

    A block that calls itself needs an `if` that ends it: `if depth > 0:`.
    """

    code = "E714"
    title = "blocks within blocks without end"
    help = "a block that calls itself needs an `if` that ends it, such as `if depth > 0:`"

    def message_text(self) -> str:
        if self.values.get("block"):
            return f"`{self.values['block']}` calls itself without end: more than {self.values['limit']} levels deep"
        return f"blocks and other bodies are run more than {self.values['limit']} levels deep inside each other"

    def label_text(self) -> str:
        return "calls itself" if self.values.get("block") else "the limit is reached here"
