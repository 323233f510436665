"""Problems of what is trained how: E628 to E648, N649 and W610."""

from __future__ import annotations

from cnndsl.diagnostics import Diagnostic


class UnknownPart(Diagnostic):
    """A setting is about a part that is not there.

    Wrong: `loss aux2 cross_entropy` where the only outputs are `aux1` and `out`. Right: `loss aux1 cross_entropy`.
    """

    code = "E640"
    title = "a setting for a part that is not there"
    message = "`{setting}` is about `{part}`, which is none of the {parts}"
    label = "none of the {parts}"
    help = "did you mean `{near}`?"


class MissingLoss(Diagnostic):
    """An output that nothing is asked of: a recipe for a network with several outputs has a loss for each.

    Wrong: `output age` and `output name`, with the line `loss cross_entropy`. Right: `loss age mse` besides. Outputs
    for training only have the main loss with a weight of 0.3, if nothing else is said.
    """

    code = "E641"
    title = "an output without a loss"
    message = "nothing is asked of the output `{output}`, which has {shape}"
    label = "no loss is about this"
    help = "add a line such as `loss {output} mse`, or compute it in training only: `output {output} training`"


class CodesNotGiven(Diagnostic):
    """The loss of a variational autoencoder needs what `gaussian` samples from.

    Wrong: `loss vae` for a network without `gaussian`, or one whose mean and log-variance are no outputs. Right:
    `output mu` and `output logvar` after `gaussian mu logvar`.
    """

    code = "E642"
    title = "a code that is no output"
    message = "`loss vae` needs {what}"
    label = "{here}"
    help = "{advice}"


class NotASequence(Diagnostic):
    """`loss ctc` needs a row of places with outputs for each class, and data whose targets are sequences.

    Wrong: `dense 37` at the end. Right: `linear 37` on a row of places, such as `tokens` gives.
    """

    code = "E643"
    title = "no sequences for ctc"
    message = "`loss ctc` {why}"
    label = "here"


class NeedsTwoCodes(Diagnostic):
    """The contrastive loss compares what a network makes of two inputs.

    Wrong: `loss contrastive` with one output. Right: `output left_code` and `output right_code`.
    """

    code = "E644"
    title = "one code where two are compared"
    message = "`loss {loss}` compares two outputs, but the network has {count}"
    label = "the only output"
    help = "have two inputs, send both through the same layers with `reuse`, and make both codes outputs"


class NeedsValidation(Diagnostic):
    """What watches the validation set needs one.

    Wrong: `early_stopping 5` with `validation 0`. Right: `validation 0.1`.
    """

    code = "E645"
    title = "no validation set to watch"
    message = "`{setting}` watches the validation set, but none is kept apart"
    label = "watches the validation set"
    help = "write `validation 0.1`"


class TwoMeans(Diagnostic):
    """`ema` and `lookahead` each say which weights are measured and left: a mean of them, or slow ones.

    Right: one of both lines.
    """

    code = "E636"
    title = "two kinds of weights to be left"
    message = "`ema` and `lookahead` each leave weights of their own"
    label = "these"
    help = "remove one of both lines"


class UnknownMetric(Diagnostic):
    """Early stopping watches the loss or one of the recipe's metrics.

    Wrong: `early_stopping 5 on=accuracy` with `metrics mae`. Right: `metrics accuracy` besides.
    """

    code = "E646"
    title = "a metric that is not measured"
    message = "`early_stopping` watches `{name}`, which is not measured"
    label = "not measured"
    help = "it may watch {known}"


class NoPerceptron(Diagnostic):
    """Rosenblatt's rule is for one layer of units with a threshold.

    Wrong: `optimizer perceptron` for two dense layers. Right: `dense 1, step`, or `optimizer sgd`.
    """

    code = "E647"
    title = "no perceptron"
    message = "`optimizer perceptron` is a rule for one layer that ends in `step`, but {why}"
    label = "here"
    help = "write `optimizer sgd`"


class NeedsImages(Diagnostic):
    """Several views of an example are views of an image, and their predictions are averaged.

    Wrong: `tta mirror` for a network that takes 900x1, or gives a map. Right: an input such as 32x32x3 and one vector
    of outputs.
    """

    code = "E648"
    title = "no images to see several times"
    message = "`tta` averages what a network makes of several views of an image, but {why}"
    label = "not here"


class NotTheInput(Diagnostic):
    """A loss compares the output with the network's own input, which has another shape.

    Wrong: `loss reconstruction` for a network from 28x28x1 to 10. Right: one from 28x28x1 to 28x28x1.
    """

    code = "E629"
    title = "an output that is not like the input"
    message = "`loss {loss}` compares the output with the input, but {output} is not {input}"
    label = "{output}"
    help = "end with {input}: `reshape {input}` if the number of values is right"


class NotForPairs(Diagnostic):
    """A network with two inputs is given pairs of examples, and told whether both are of one class.

    Wrong: inputs of different shapes; a loss about the classes themselves. Right: two inputs of one shape, and one
    output with `loss bce`, or two codes with `loss contrastive`.
    """

    code = "E628"
    title = "no network for pairs"
    message = "a network with two inputs is given pairs of examples, alike or not, but {why}"
    label = "here"
    help = "{advice}"


class NotForCurvature(Diagnostic):
    """`optimizer sdlm` estimates how the loss is curved along each weight, for layers that add up weights times inputs:
    convolutions, dense layers, subsampling.

    Wrong: batch norm in a network trained by it. Right: `optimizer sgd`.
    """

    code = "E633"
    title = "no network for the diagonal Levenberg-Marquardt optimizer"
    message = "`optimizer sdlm` does not know how the loss is curved: {why}"
    label = "here"
    help = "write another optimizer, such as `optimizer sgd lr=0.01 momentum=0.9`"


class NothingFrozen(Diagnostic):
    """`freeze` names layers and blocks, as `check` lists them, or parameters of theirs, which are to stay as they are.

    Wrong: the name of a layer without weights, or all layers. Right: `freeze c1 stage1`, `freeze stage1 epochs=2`,
    `freeze c1.bias after=3`.
    """

    code = "E634"
    title = "nothing that could be frozen"
    message = "{why}"
    label = "the layers that don't learn"
    help = "did you mean `{near}`?"


class RateOfNothing(Diagnostic):
    """`rate` gives layers, blocks or parameters, as `check` lists them, another learning rate.

    Wrong: a name that is not there, or of something that doesn't learn. Right: `rate head 10`, `rate norms.bias 64`.
    """

    code = "E635"
    title = "a rate for nothing that learns"
    message = "{why}"
    label = "nothing that learns"
    help = "did you mean `{near}`?"


class RecipeNotApplicable(Diagnostic):
    """A recipe is for the network as it is declared: with other parameters or another input its data need not fit.

    Training asks for data that do: `cnndsl train --set classes=100 --set-train data=cifar100`.
    """

    code = "N649"
    severity = "note"
    title = "a recipe that doesn't apply"
    message = "the recipe of `{name}` is not checked: it is for the sizes and parameters in the file"
    label = "{why}"


class NothingToDrop(Diagnostic):
    """`droppath` sets the shares of layers that drop paths; the network has none.

    Right: `droppath 0.1` at the end of a branch, in the network.
    """

    code = "W610"
    severity = "warning"
    title = "nothing to drop"
    message = "`droppath` sets the share of `droppath` layers, but the network has none"
    label = "without effect"
    help = "end the branches of `add` with `droppath 0.1`"


class NotAdversaries(Diagnostic):
    """In `train gan of Generator, Discriminator:` the first network makes what the second one judges: the first one's
    output is the second one's input and has the data's size, and the second gives one value.

    Wrong: a generator that ends with 64x64x3 beside a discriminator of 32x32x3.
    """

    code = "E630"
    title = "networks that can't be trained against each other"
    message = "{why}"
    label = "here"
    help = "{advice}"


class NotForTwo(Diagnostic):
    """A recipe for two networks has no use for this setting: neither measures itself by targets.

    Right: look at the samples of each epoch, which the run's folder holds.
    """

    code = "E631"
    title = "a setting of one network"
    message = "{what} is for recipes of one network"
    label = "of no use here"
    help = "remove the line"


class LossOfTwo(Diagnostic):
    """The losses `non_saturating`, `hinge` and `least_squares` are those of two networks that are trained against each
    other.

    Right: `train gan of Generator, Discriminator:`, outside of both networks.
    """

    code = "E632"
    title = "a loss of two networks"
    message = "`loss {loss}` is for two networks that are trained against each other"
    label = "one network alone has no such loss"
    help = "write it into a recipe `train gan of Generator, Discriminator:`"
