"""Attention within the windows of a map."""

from __future__ import annotations

from typing import Any

from cnndsl.layers.arguments import Argument, Count, Flag, Number, Sizes
from cnndsl.layers.base import WHOLE, Condition, Example, Inferred, LayerError, Operation, Setup, Weight, Window, axes
from cnndsl.layers.code import SELF, Code, Support, X, call
from cnndsl.layers.several import Named, SeveralWeights
from cnndsl.shape import Shape, Size, product

HIDDEN = 512
"""Units of the small network that gives Swin v2's biases."""


class WindowAttention(SeveralWeights):
    """Window attention: multi-head attention among the cells of one window of a map, with a learned bias for each
    distance between two cells (Liu et al. 2021, Swin).

    The windows divide the map; where they don't divide it evenly, cells of zeros are added at the end and taken off
    again. `shift=3` moves them by three cells, so that what was parted meets: rows and columns go around, and cells
    that only meet because of that don't see each other. Along an axis with a single window nothing is shifted. With
    `grid` a window's cells lie as far apart as windows of that size would, all over the map (Tu et al. 2022, MaxViT).
    `cosine` compares by angle with a learned scale for each head, gives keys no bias, and has a small network of
    512 units give the biases (Liu et al. 2022, Swin v2).

    The weights of the means are softmax(scale * queries * keys + bias); scale is (channels / heads)^-0.5 unless it is
    given.

    PyTorch has no such module; the written file holds one, whose parameters are called as those of torchvision's
    `ShiftedWindowAttention` and `ShiftedWindowAttentionV2`.

    Surprises: norms and residual connections are layers of their own. `frozen=bias` leaves the table of biases alone,
    too. MACs are those of the two linear maps and of both products, on the added cells as well; the small network of
    `cosine` counts once for each example.
    """

    kind = "windowattention"
    family = "attention and sequence"
    arguments = (
        Argument("heads", Count(), positional=True, unit="heads", help="how many parts the channels are cut into"),
        Argument("size", Sizes(most=2), positional=True, unit="cells", help="sides of a window"),
        Argument(
            "shift", Sizes(0, most=2), default=(0,), unit="cells", help="how far down and right the windows stand"
        ),
        Argument("grid", Flag(), default=False, help="a window's cells lie all over the map, evenly"),
        Argument("cosine", Flag(), default=False, help="compares by angle, as Swin v2 does"),
        Argument("scale", Number(), default=None, help="factor of queries times keys"),
        Argument("bias", Flag(), default=True, words={"nobias": False}, help="adds learned biases to the linear maps"),
        *SeveralWeights.common,
    )
    examples = (
        Example("windowattention 3 7", "56x56x96"),
        Example("windowattention 2 3 shift=1", "7x9x8"),
        Example("windowattention 2 4x2 shift=2x1 nobias", "8x6x4"),
        Example("windowattention 2 3 shift=1", "3x9x4"),
        Example("windowattention 1 3", "3x3x4"),
        Example("windowattention 1 2 shift=1", "4x4x3"),
        Example("windowattention 2 2 grid scale=0.25", "6x8x4"),
        Example("windowattention 2 3 grid", "7x8x4"),
        Example("windowattention 2 3 shift=1 cosine", "6x7x4"),
        Example("windowattention 1 2 cosine nobias frozen=weight", "4x4x2"),
        Example("windowattention 2 2 init=trunc_normal std=0.02 frozen=bias l2=1e-4", "4x6x4"),
        Example("windowattention 2 2 cosine init=orthogonal frozen", "4x4x4"),
    )

    heads: int
    size: tuple[int, ...]
    shift: tuple[int, ...]
    grid: bool
    cosine: bool
    scale: float | None

    def learned(self) -> tuple[str, ...]:
        return ("weight", "bias")  # the table of biases is there in any case

    def check(self) -> None:
        super().check()
        size, shift = axes(self.size, 2, "size"), axes(self.shift, 2, "shift")
        if any(moved >= side for moved, side in zip(shift, size, strict=True)):
            wanted = "less than the sides of a window"
            raise LayerError(
                "BadArgument", "shift", kind=self.kind, name="shift", value=_said(self.shift), wanted=wanted
            )
        others = {"grid": self.grid, "scale": self.scale is not None}
        against = {"shift": (any(shift), ["grid"]), "cosine": (self.cosine, ["grid", "scale"])}
        for first, (given, excluded) in against.items():
            for second in excluded:
                if given and others[second]:
                    raise LayerError("Exclusive", first, kind=self.kind, first=first, second=second)

    def infer(self, *inputs: Shape) -> Inferred:
        x = self.take(inputs[0])
        if x.rank != 2:
            raise LayerError("NeedsImage", None, kind=self.kind, input=x)
        values = {"heads": self.heads, "channels": x.channels}
        return Inferred((x,), (Condition(x.channels, "%", self.heads, "HeadsDoNotDivide", "heads", values),))

    def named(self, *inputs: Shape) -> tuple[Named, ...]:
        c = inputs[0].channels
        rows, columns = axes(self.size, 2, "size")
        maps = [Named("qkv.weight", (3 * c, c)), Named("proj.weight", (c, c))]
        if self.bias:
            maps[1:1] = [Named("qkv.bias", (3 * c,))]
            maps += [Named("proj.bias", (c,))]
        if not self.cosine:
            return (Named("relative_position_bias_table", ((2 * rows - 1) * (2 * columns - 1), self.heads)), *maps)
        return (
            Named("logit_scale", (self.heads, 1, 1)),
            Named("cpb_mlp.0.weight", (HIDDEN, 2)),
            Named("cpb_mlp.0.bias", (HIDDEN,)),
            Named("cpb_mlp.2.weight", (self.heads, HIDDEN)),
            *maps,
        )

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        rows, columns = axes(self.size, 2, "size")
        first, *others = super().weights(*inputs)
        buffers = [Weight("relative_position_index", ((rows * columns) ** 2,), "buffer")]
        if self.cosine:
            buffers[:0] = [Weight("relative_coords_table", (1, 2 * rows - 1, 2 * columns - 1, 2), "buffer")]
        return (first, *buffers, *others)

    def initial(self, *inputs: Shape) -> Setup:
        first = super().initial(*inputs)
        # The scale of `cosine` starts at 10, whatever weights start with.
        return first._replace(calls=tuple(one for one in first.calls if "logit_scale" not in str(one)))

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        (x,), c = inputs, inputs[0].channels
        size, shift = axes(self.size, 2, "size"), axes(self.shift, 2, "shift")
        windows = [-(-n // side) for n, side in zip(x.spatial, size, strict=True)]
        cells = size[0] * size[1]
        tokens = windows[0] * windows[1] * cells
        moved = any(by and int(number) > 1 for by, number in zip(shift, windows, strict=True))
        alone = tuple(map(int, x.spatial)) == size
        attend = "shifted_window_attention" if moved else "window_attention"
        return (
            *self._position_biases(size),
            Operation("reshape" if alone else "windows", x.elements, tokens * c, source=0),
            self._linear(tokens, c, 3 * c),
            Operation(
                f"cosine_{attend}" if self.cosine else attend,
                3 * tokens * c,
                tokens * c,
                positions=self.heads * tokens,
                window=cells,
                links=tokens * cells,
                learned=self.learns("weight"),
            ),
            self._linear(tokens, c, c),
            Operation("reshape" if alone else "windows", tokens * c, x.elements),
        )

    def _linear(self, tokens: Size, channels: int, outputs: int) -> Operation:
        weights = channels * outputs
        learned = self.learns("weight")
        return Operation(
            "linear", tokens * channels, tokens * outputs, tokens, weights, bool(self.bias), learned=learned
        )

    def _position_biases(self, size: tuple[int, ...]) -> tuple[Operation, ...]:
        """The small network of `cosine`, once for each distance."""
        if not self.cosine:
            return ()
        distances = (2 * size[0] - 1) * (2 * size[1] - 1)
        return (
            Operation(
                "position_biases",
                2 * distances,
                self.heads * distances,
                distances,
                (2 + self.heads) * HIDDEN,
                window=product(size),
                links=distances * HIDDEN,
                learned=self.frozen != "all",
            ),
        )

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        if (
            self.grid
        ):  # from the first to the last of its cells it is the whole map but for less than a window's distance
            return (WHOLE, WHOLE)
        return tuple(
            Window(side, side, then=Window(upscale=side, slack=side - 1)) for side in axes(self.size, 2, "size")
        )

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        size, shift = axes(self.size, 2, "size"), axes(self.shift, 2, "shift")
        options: dict[str, Any] = {}
        if any(shift):
            options["shift"] = shift
        if self.scale is not None:
            options["scale"] = self.scale
        if not self.bias:
            options["bias"] = False
        support = (_WINDOWS, *([_GRID] if self.grid else [_COSINE] if self.cosine else []))
        module = call(support[-1].name, inputs[0].channels, self.heads, size, **options)
        return self.made(call(SELF, X), module, inputs, support, layout="last")


def _said(sides: tuple[int, ...]) -> str:
    return "x".join(map(str, sides))


_WINDOWS = Support(
    "WindowAttention",
    '''class WindowAttention(nn.Module):
    """Attention within the windows of a map (N, H, W, C), with a learned bias for each distance between two cells."""

    def __init__(self, channels, heads, window, shift=(0, 0), scale=None, bias=True):
        super().__init__()
        rows, columns = window
        self.heads, self.window, self.shift = heads, window, shift
        self.scale = (channels // heads) ** -0.5 if scale is None else scale
        self.make_biases(2 * rows - 1, 2 * columns - 1)
        cells = torch.cartesian_prod(torch.arange(rows), torch.arange(columns))
        apart = cells[:, None] - cells + torch.tensor([rows - 1, columns - 1])
        index = apart[..., 0] * (2 * columns - 1) + apart[..., 1]
        self.register_buffer("relative_position_index", index.flatten())
        self.qkv = nn.Linear(channels, 3 * channels, bias)
        self.proj = nn.Linear(channels, channels, bias)

    def make_biases(self, rows, columns):
        self.relative_position_bias_table = nn.Parameter(torch.empty(rows * columns, self.heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def biases(self):
        """What is added for each head and each pair of a window's cells."""
        cells = self.window[0] * self.window[1]
        biases = self.relative_position_bias_table[self.relative_position_index]
        return biases.view(cells, cells, -1).permute(2, 0, 1)

    def scores(self, q, k):
        return (self.scale * q) @ k.transpose(-2, -1) + self.biases()

    def project(self, x):
        """Queries, keys and values."""
        return self.qkv(x)

    def cut(self, x):
        """Windows down, windows across, and the cells of each."""
        x = x.unflatten(2, (-1, self.window[1])).unflatten(1, (-1, self.window[0]))
        return x.transpose(2, 3).flatten(3, 4)

    def join(self, x):
        return x.unflatten(3, self.window).transpose(2, 3).flatten(3, 4).flatten(1, 2)

    def forward(self, x):
        height, width = x.shape[1:3]
        lacking = -height % self.window[0], -width % self.window[1]
        if any(lacking):
            x = F.pad(x, (0, 0, 0, lacking[1], 0, lacking[0]))
        rows, columns = x.shape[1:3]
        down = self.shift[0] if rows > self.window[0] else 0
        right = self.shift[1] if columns > self.window[1] else 0
        if down or right:
            x = x.roll((-down, -right), (1, 2))
        projected = self.project(self.cut(x)).unflatten(-1, (3, self.heads, -1))
        q, k, v = projected.transpose(3, 5).unbind(4)
        scores = self.scores(q, k)
        if down or right:
            # What went around stands beside cells that it was far from.
            below = torch.arange(rows, device=x.device) >= rows - down
            behind = torch.arange(columns, device=x.device) >= columns - right
            part = self.cut((2 * below[:, None] + behind)[None, :, :, None]).transpose(3, 4)
            scores = scores.masked_fill(part.unsqueeze(-1) != part.unsqueeze(-2), float("-inf"))
        x = self.join(self.proj((scores.softmax(-1) @ v).transpose(3, 4).flatten(4)))
        if down or right:
            x = x.roll((down, right), (1, 2))
        return x[:, :height, :width].contiguous()
''',
)

_GRID = Support(
    "GridAttention",
    '''class GridAttention(WindowAttention):
    """Window attention in which a window's cells lie evenly all over the map."""

    def cut(self, x):
        x = x.unflatten(2, (self.window[1], -1)).unflatten(1, (self.window[0], -1))
        return x.permute(0, 2, 4, 1, 3, 5).flatten(3, 4)

    def join(self, x):
        return x.unflatten(3, self.window).permute(0, 3, 1, 4, 2, 5).flatten(3, 4).flatten(1, 2)
''',
)

_COSINE = Support(
    "CosineWindowAttention",
    '''class CosineWindowAttention(WindowAttention):
    """Window attention that compares by angle, with biases from a small network (Swin v2)."""

    def make_biases(self, rows, columns):
        self.logit_scale = nn.Parameter(torch.full((self.heads, 1, 1), math.log(10)))
        offsets = [torch.linspace(-8, 8, n) if n > 1 else torch.zeros(1) for n in (rows, columns)]
        offsets = torch.cartesian_prod(*offsets).view(1, rows, columns, 2)
        offsets = offsets.sign() * (offsets.abs() + 1).log2() / 3
        self.register_buffer("relative_coords_table", offsets)
        last = nn.Linear(512, self.heads, bias=False)
        self.cpb_mlp = nn.Sequential(nn.Linear(2, 512), nn.ReLU(), last)

    def biases(self):
        cells = self.window[0] * self.window[1]
        table = self.cpb_mlp(self.relative_coords_table).flatten(0, 2)
        biases = table[self.relative_position_index].view(cells, cells, -1)
        return 16 * biases.permute(2, 0, 1).sigmoid()

    def scores(self, q, k):
        angles = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)
        return angles * self.logit_scale.clamp(max=math.log(100)).exp() + self.biases()

    def project(self, x):
        """Queries, keys and values; keys have no bias."""
        if self.qkv.bias is None:
            return self.qkv(x)
        q, k, v = self.qkv.bias.chunk(3)
        return F.linear(x, self.qkv.weight, torch.cat([q, torch.zeros_like(k), v]))
''',
)
