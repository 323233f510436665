"""Problems of training recipes: E6xx and W6xx."""

from __future__ import annotations

from cnndsl.diagnostics import Diagnostic


class UnknownSetting(Diagnostic):
    """A line of a `train:` block begins with a word that is no training setting.

    Wrong: `optimiser adam`. Right: `optimizer adam`.
    """

    code = "E601"
    title = "unknown training setting"
    message = "there is no training setting named `{name}`"
    label = "not a training setting"
    help = "did you mean `{near}`?"


class UnknownChoice(Diagnostic):
    """A setting names something that it can't be.

    Wrong: `optimizer adma`. Right: `optimizer adam`.
    """

    code = "E602"
    title = "unknown choice of a training setting"
    message = "`{setting}` can't be `{word}`"
    label = "not one of its choices"
    help = "did you mean `{near}`?"


class MissingChoice(Diagnostic):
    """A setting that names something stands alone, or begins with an argument.

    Wrong: `optimizer lr=0.1`. Right: `optimizer sgd lr=0.1`.
    """

    code = "E603"
    title = "a training setting without its choice"
    message = "`{setting}` must be followed by its choice"
    label = "one of: {known}"
    help = "for example `{setting} {first}`"


class SettingTwice(Diagnostic):
    """A recipe gives the same setting in two lines; which one holds?

    Wrong: `epochs 5` and, further down, `epochs 10`. Right: one of them.
    """

    code = "E604"
    title = "a training setting given twice"
    message = "`{name}` is already set above"
    label = "the second `{name}`"
    help = "remove one of the two lines"


class NeedsArgument(Diagnostic):
    """An argument makes sense only together with another one.

    Wrong: `optimizer sgd nesterov`. Right: `optimizer sgd momentum=0.9 nesterov`.
    """

    code = "E605"
    title = "arguments that don't go together"
    message = "`{name}` needs {needs}"
    label = "in this setting"


class ClassesMismatch(Diagnostic):
    """The last layer gives one output for each class; the data has another number of classes.

    Wrong: `dense 84` at the end, with `data digits`. Right: `dense 10`.
    """

    code = "E606"
    title = "as many outputs as classes are needed"
    message = "`{data}` has {classes} classes, but the network ends with {outputs}"
    label = "{outputs}"
    help = "the last layer needs {classes} outputs, such as `dense {classes}`"


class InputMismatch(Diagnostic):
    """The data's examples can't be made to fit the network's input.

    Wrong: `input 32x32x4` with `data digits`. Right: `input 32x32x1`; images are resized or padded to fit.
    """

    code = "E607"
    title = "the data does not fit the input"
    message = "`{data}` gives {image}, which can't be fitted to an input of {input}"
    label = "{input}"
    help = "write an input {wanted}, or other data"


class InputTooSmallToPad(Diagnostic):
    """Images can't be padded to an input that is smaller than they are.

    Wrong: `input 24x24x1` with `data mnist pad`. Right: `data mnist resize`.
    """

    code = "E608"
    title = "an input smaller than the images"
    message = "`{data}` has images of {image}, which can't be padded to an input of {input}"
    label = "nothing can be padded here"
    help = "write `resize` instead of `pad`"


class InputTooLargeToCrop(Diagnostic):
    """Nothing can be cut from images that are smaller than the input.

    Wrong: `input 64x64x3` with `data cifar10 crop`. Right: `data cifar10 resize`, or `pad`.
    """

    code = "E650"
    title = "an input larger than the images"
    message = "`{data}` has images of {image}, from which an input of {input} can't be cropped"
    label = "nothing can be cut off here"
    help = "write `resize` or `pad` instead of `crop`"


class AugmentationMismatch(Diagnostic):
    """An augmentation can't be made on such an input, or its targets can't be changed along with it.

    Wrong: `augment affine rotate=10` for rows of a table; `augment mixup` with `loss ctc`. Right: `augment noise 0.1`.
    """

    code = "E651"
    title = "an augmentation that does not fit"
    message = "`augment {name}` {why}"
    label = "can't be done here"


class MirroredWriting(Diagnostic):
    """Letters and digits are not themselves in a mirror, so a network learns less from what is mirrored.

    Wrong: `augment flip` on `mnist`. Right: `augment affine rotate=10 shift=0.1`.
    """

    code = "W650"
    severity = "warning"
    title = "mirrored writing"
    message = "`augment flip` mirrors the writing of `{data}`: a mirrored 2 is no 2"
    label = "mirrors digits"
    help = "write `crop 2`, or `affine rotate=10 shift=0.1`"


class NotOnePrediction(Diagnostic):
    """A loss on classes needs one vector of outputs for each example, not a map of them.

    Wrong: a network that ends in `conv 3x3x10` at 5x5x10. Right: `globalpool avg` after it, or a `dense 10`.
    """

    code = "E609"
    title = "one prediction for each example is needed"
    message = "the network ends with {shape}, but `loss {loss}` on `{data}` needs one value for each class"
    label = "{shape}"
    help = (
        "end with `globalpool avg` or a `dense` layer; for a class at each place, train on data with masks, such as "
        '`data folder "…" masks="masks"`'
    )


class NotAMap(Diagnostic):
    """Data with masks has a class for each place, which a network that gives one prediction does not tell.

    Wrong: `dense 3` at the end, with `data shapes`. Right: `conv 1x1x3` on maps as large as the input.
    """

    code = "E617"
    title = "a prediction for each place is needed"
    message = "`{data}` has a class for each place, but the network ends with {shape}"
    label = "{shape}"
    help = "end with a map, such as `conv 1x1x{outputs}` on maps as large as the input; or choose data with classes"


class SeveralEnds(Diagnostic):
    """Data sources give one input and one target; the network has several inputs or outputs.

    Right: one `input` and one output, or a training loop of your own around `cnndsl.load`.
    """

    code = "E610"
    title = "several inputs or outputs"
    message = "the network has {count} {ends}, but `{data}` gives one for each example"
    label = "{count} {ends}"


class NothingToTrain(Diagnostic):
    """No layer of the network has weights that training could change.

    Wrong: a network of pools and activations, or one whose layers are all `frozen`.
    """

    code = "E611"
    title = "nothing to train"
    message = "`{name}` has no weights that training could change"
    label = "in this network"


class RaggedRows(Diagnostic):
    """The rows of a table have different lengths.

    Wrong: `data table rows=[[0, 0, 0], [0, 1]]`. Right: `data table rows=[[0, 0, 0], [0, 1, 0]]`.
    """

    code = "E612"
    title = "rows of different lengths"
    message = "row {row} has {given} values, but the first has {first}"
    label = "in these rows"


class TableMismatch(Diagnostic):
    """A table's columns don't fit the network: its first columns are the input, its last the targets.

    Wrong: `input 3` with rows of two inputs and one target. Right: `input 2`.
    """

    code = "E613"
    title = "a table that does not fit the network"
    message = "the table has {columns} columns of {side}, but the network takes {network}"
    label = "{columns} columns of {side}"
    help = "`targets=` says how many of the last columns are targets"


class NotAClass(Diagnostic):
    """A loss on classes takes the last column of a table as a class: a whole number from 0.

    Wrong: `loss cross_entropy` with a last column of 0.5. Right: whole numbers below the number of outputs,
    or a loss on values such as `mse`.
    """

    code = "E614"
    title = "a value that is no class"
    message = "the last value of row {row} is {value:g}, which is no class: a whole number from 0 to {highest}"
    label = "in these rows"
    help = "for values that are not classes, write `loss mse`"


class MetricMismatch(Diagnostic):
    """A metric can't be computed from the data's targets or with so few classes.

    Wrong: `metrics accuracy` on a table of real values. Right: `metrics mae`.
    """

    code = "E615"
    title = "a metric that does not fit"
    message = "`{metric}` {why}"
    label = "can't be computed here"


class NoData(Diagnostic):
    """A recipe names no data, and the digits, which need no download, don't fit the network.

    Right: a line such as `data mnist`, or `data synthetic` to try the network out.
    """

    code = "E616"
    title = "no data to train on"
    message = "the recipe names no data, and the built-in digits don't fit: {why}"
    label = "no `data` here"
    help = "add a line such as `data mnist`, or `data synthetic` to try the network out"


class SoftmaxBeforeLoss(Diagnostic):
    """Cross-entropy contains the softmax; a network that ends in one computes it twice and learns badly.

    Wrong: `dense 10, softmax` with `loss cross_entropy`. Right: `dense 10`.
    """

    code = "W601"
    severity = "warning"
    title = "a softmax before cross-entropy"
    message = "the network ends in `{kind}`, but `loss {loss}` applies a softmax itself"
    label = "applied twice"
    help = "remove `{kind}`: the largest output stays the same class"


class DistancesExpected(Diagnostic):
    """The loss takes the outputs as distances: the smallest is the predicted class.

    Wrong: `dense 10` with `loss distance`. Right: an `rbf` layer at the end, or `loss cross_entropy`.
    """

    code = "W602"
    severity = "warning"
    title = "outputs that are no distances"
    message = "`loss {loss}` predicts the class with the smallest output, but `{kind}` gives no distances"
    label = "not distances"
    help = "end with `rbf`, or write `loss cross_entropy`"


class DistancesAsScores(Diagnostic):
    """The last layer gives distances, small for the right class; the loss takes large outputs as likely.

    Wrong: `rbf 10` with `loss cross_entropy`. Right: `loss map_distance`.
    """

    code = "W603"
    severity = "warning"
    title = "distances taken as scores"
    message = "`{kind}` gives distances, small for the right class, but `loss {loss}` wants them large"
    label = "gives distances"
    help = "write `loss map_distance`, LeNet-5's own"
