"""Radial basis functions, and the bitmaps that LeNet-5's output compares with."""

from __future__ import annotations

from cnndsl.layers.arguments import Argument, Choice, Count
from cnndsl.layers.base import FROZEN, L2, Condition, Example, Inferred, Operation, Setup, Weight, WeightedLayer, Window
from cnndsl.layers.code import SELF, Call, Code, Support, X, call
from cnndsl.shape import Shape

# Ten digits, 7 cells wide and 12 high, side by side; `#` is +1, `.` is -1.
DIGITS = """
.#####. ...##.. .#####. .#####. ....##. ####### ..####. ####### .#####. .#####.
##...## ..###.. ##...## ##...## ...###. ##..... .##.... ......# ##...## ##...##
##...## .####.. .....## .....## ..####. ##..... ##..... .....## ##...## ##...##
##...## ...##.. .....## .....## ..#.##. ##..... ##..... .....## ##...## ##...##
##...## ...##.. ....##. .....## .##.##. ######. ##.###. ....##. .##.##. ##...##
##...## ...##.. ...##.. ..####. .#..##. .....## ###..## ....##. ..###.. .######
##...## ...##.. ..##... .....## ##..##. .....## ##...## ...##.. .##.##. .....##
##...## ...##.. .##.... .....## ####### .....## ##...## ...##.. ##...## .....##
##...## ...##.. ##..... .....## ....##. .....## ##...## ..##... ##...## .....##
##...## ...##.. ##..... ##...## ....##. ##...## ##...## ..##... ##...## ....##.
##...## ...##.. ##..... ##...## ....##. ##...## ##...## .##.... ##...## ...##..
.#####. .###### ####### .#####. ....##. .#####. .#####. .##.... .#####. .###...
"""


class RBF(WeightedLayer):
    """Radial basis functions: each output is the squared distance of the input from a centre.

    y[i] = sum over j of (x[j] - centre[i][j])² (LeCun et al. 1998, section II.B): the smallest output is the
    best match. The input is flattened as `dense` does. The centres are learned and start as random +1 and -1,
    unless `centres=digits` fixes them to bitmaps of the ten digits, 7 cells wide and 12 high, row by row: LeNet-5's
    output layer, which has 84 inputs for that reason.

    PyTorch has no such module; the written file holds a small one. The centres are its parameter, or with
    `digits` its buffer, `centres`.

    Surprises: there is no exponential, and the class is the output that is smallest: a cross-entropy loss
    needs the negative (`scale -1`).
    """

    kind = "rbf"
    family = "dense"
    arguments = (
        Argument("units", Count(), positional=True, unit="units", help="number of centres"),
        Argument(
            "centres",
            Choice("learned", "digits"),
            default="learned",
            help="`learned`, or the fixed 7x12 bitmaps of the ten `digits`",
            bare=False,
        ),
        FROZEN,
        L2,
    )
    examples = (
        Example("rbf 10 centres=digits", "84"),
        Example("rbf 5", "12"),
        Example("rbf 3 frozen", "2x3x2"),
    )

    units: int
    centres: str

    def learned(self) -> tuple[str, ...]:
        return () if self.centres == "digits" else ("centres",)

    def infer(self, *inputs: Shape) -> Inferred:
        x = self.take(inputs[0])
        conditions: tuple[Condition, ...] = ()
        if self.centres == "digits":
            values = {"units": self.units, "inputs": x.elements}
            conditions = (
                Condition(self.units, "==", 10, "CentresDiffer", "units", values),
                Condition(x.elements, "==", 84, "CentresDiffer", "centres", values),
            )
        return Inferred((Shape((self.units,)),), conditions)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        shape = (self.units, inputs[0].elements)
        return (Weight("centres", shape, "buffer") if self.centres == "digits" else self.parameter("centres", shape),)

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        (x,) = inputs
        n = x.elements
        rbf = Operation("rbf", n, self.units, 1, n * self.units)
        return (Operation("flatten", n, n), rbf) if x.rank else (rbf,)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return tuple(Window(n, n) for n in inputs[0].spatial)

    def follows(self, *inputs: Shape) -> tuple[int | None, ...]:
        return ()

    def initial(self, *inputs: Shape) -> Setup:
        return Setup()

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        (x,) = inputs
        tensor = call(".flatten", X, 1) if x.rank else X
        if self.centres == "digits":
            return self.made(Call(SELF, (tensor,)), call("FixedRBF", call("digits")), inputs, (_FIXED_RBF, _DIGITS))
        return self.made(Call(SELF, (tensor,)), call("RBF", x.elements, self.units), inputs, (_RBF,))


_RBF = Support(
    "RBF",
    '''class RBF(nn.Module):
    """Squared distances to learned centres (LeCun et al. 1998)."""

    def __init__(self, in_features, out_features):
        super().__init__()
        self.centres = nn.Parameter(torch.randint(2, (out_features, in_features)) * 2.0 - 1)

    def forward(self, x):
        return (x.unsqueeze(1) - self.centres).square().sum(2)
''',
)

_FIXED_RBF = Support(
    "FixedRBF",
    '''class FixedRBF(nn.Module):
    """Squared distances to fixed centres (LeCun et al. 1998)."""

    def __init__(self, centres):
        super().__init__()
        self.register_buffer("centres", centres)

    def forward(self, x):
        return (x.unsqueeze(1) - self.centres).square().sum(2)
''',
)

_DIGITS = Support(
    "digits",
    f'''DIGITS = """{DIGITS}"""


def digits():
    """The ten digits as bitmaps of 12 rows and 7 columns: one row of 84 numbers each, +1 for `#` and -1 for `.`."""
    rows = [line.split() for line in DIGITS.split("\\n") if line]
    bitmaps = ["".join(row[digit] for row in rows) for digit in range(10)]
    return torch.tensor([[1.0 if cell == "#" else -1.0 for cell in bitmap] for bitmap in bitmaps])
''',
)
