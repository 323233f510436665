"""Recurrent layers."""

from __future__ import annotations

from typing import Any

from cnndsl.layers.arguments import Argument, Choice, Count, Flag, Number
from cnndsl.layers.base import WHOLE, Example, Inferred, LayerError, Operation, Window
from cnndsl.layers.code import SELF, Code, Slice, Subscript, X, call
from cnndsl.layers.several import Named, SeveralWeights
from cnndsl.shape import Shape


class _Recurrent(SeveralWeights):
    """What recurrent layers share. `gates` weighted sums of the input and of the state make each unit of a step."""

    family = "attention and sequence"
    arguments: tuple[Argument, ...] = (
        Argument("units", Count(), positional=True, unit="units", help="length of the state, for each direction"),
        Argument("layers", Count(), default=1, help="how many are stacked, each on the states of the one below"),
        Argument("bidirectional", Flag(), default=False, help="a second one runs from the end; twice the channels"),
        Argument("last", Flag(), default=False, help="gives the last state instead of all: a vector"),
        Argument(
            "dropout", Number(0, 1, below=True), default=0.0, help="share of states zeroed between stacked layers"
        ),
        Argument("bias", Flag(), default=True, words={"nobias": False}, help="adds two learned biases to each sum"),
        *SeveralWeights.common,
    )
    module = ""
    gates = 1

    units: int
    layers: int
    bidirectional: bool
    last: bool
    dropout: float

    def check(self) -> None:
        super().check()
        if self.dropout and self.layers == 1:
            raise LayerError("WithoutEffect", "dropout", kind=self.kind, name="dropout", needs="`layers=2` or more")

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    def infer(self, *inputs: Shape) -> Inferred:
        length, _ = self.take_sequence(inputs[0]).sizes
        channels = self.units * self.directions
        return Inferred((Shape((channels,) if self.last else (length, channels)),))

    def _inputs(self, x: Shape) -> list[int]:
        """How many channels each stacked layer takes."""
        return [x.channels, *[self.units * self.directions] * (self.layers - 1)]

    def named(self, *inputs: Shape) -> tuple[Named, ...]:
        found = []
        rows = self.gates * self.units
        for layer, channels in enumerate(self._inputs(inputs[0])):
            for end in ("", "_reverse")[: self.directions]:
                found.append(Named(f"weight_ih_l{layer}{end}", (rows, channels)))
                found.append(Named(f"weight_hh_l{layer}{end}", (rows, self.units)))
                if self.bias:
                    found += [Named(f"bias_{name}_l{layer}{end}", (rows,)) for name in ("ih", "hh")]
        return tuple(found)

    def operations(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> tuple[Operation, ...]:
        (x,) = inputs
        length, units = x.sizes[0], self.units
        rows = self.gates * units
        made: list[Operation] = []
        for layer, channels in enumerate(self._inputs(x)):
            if layer and self.dropout:
                made.append(Operation("dropout", length * channels, length * channels))
            weights = rows * (channels + units)
            biases = 2 * rows * length if self.bias else 0
            one = Operation(self.kind, length * channels, length * units, length, weights, links=biases)
            made += [one] * self.directions
        return tuple(made)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return (WHOLE,)

    def follows(self, *inputs: Shape) -> tuple[int | None, ...]:
        return () if self.last else (0,)

    def _options(self) -> dict[str, Any]:
        """The module's keyword arguments that differ from PyTorch's defaults."""
        options: dict[str, Any] = {}
        if self.layers != 1:
            options["num_layers"] = self.layers
        if not self.bias:
            options["bias"] = False
        options["batch_first"] = True
        if self.dropout:
            options["dropout"] = self.dropout
        if self.bidirectional:
            options["bidirectional"] = True
        return options

    def code(self, inputs: tuple[Shape, ...], outputs: tuple[Shape, ...]) -> Code:
        module = call(f"nn.{self.module}", inputs[0].channels, self.units, **self._options())
        result = call(SELF, X)
        forward: Any = Subscript(result, (0,))
        if self.last:
            states = self._states(Subscript(result, (1,)))
            forward = Subscript(states, (-1,))
            if self.bidirectional:
                forward = call(".flatten", call(".transpose", Subscript(states, (Slice(-2),)), 0, 1), 1)
        return self.made(forward, module, inputs, layout="last")

    def _states(self, value: Any) -> Any:
        """The last states of all layers and directions, from what the module gives besides its output."""
        return value


class RNN(_Recurrent):
    """Recurrent layer: the state at every position is a weighted sum of what stands there and of the state before,
    through tanh or, with the word, `relu` (Elman 1990).

    A sequence LxC becomes LxH, the states of `units` H, or with `bidirectional` Lx2H.

    PyTorch: `nn.RNN` with `batch_first=True`; its weights are named as there, `weight_ih_l0` and so on.

    Surprises: there are two biases for each sum, as cuDNN has them. `last` with `bidirectional` gives where each
    direction ends, as Keras does: the second one's state at the first position. Saved memory is an estimate: it
    depends on the library that PyTorch calls.
    """

    kind = "rnn"
    module = "RNN"
    arguments = (
        *_Recurrent.arguments[:2],
        Argument("activation", Choice("tanh", "relu"), default="tanh", help="what the sum goes through"),
        *_Recurrent.arguments[2:],
    )
    examples = (
        Example("rnn 16", "12x8"),
        Example("rnn 5 relu nobias", "7x3"),
        Example("rnn 4 bidirectional last", "6x3"),
        Example("rnn 4 last init=orthogonal", "6x3"),
        Example("rnn 4 layers=2 dropout=0.2", "6x3"),
    )

    activation: str

    def _options(self) -> dict[str, Any]:
        options = super()._options()
        return options if self.activation == "tanh" else {"nonlinearity": "relu", **options}


class LSTM(_Recurrent):
    """Long short-term memory: a recurrent layer whose state is kept, written and shown through learned gates
    (Hochreiter & Schmidhuber 1997).

    A sequence LxC becomes LxH, the states of `units` H, or with `bidirectional` Lx2H. `layers=2` stacks two;
    `* 2` does too, each with a name of its own.

    PyTorch: `nn.LSTM` with `batch_first=True`; its weights are named as there, `weight_ih_l0` and so on.

    Surprises: there are two biases for each gate, as cuDNN has them, where Keras has one; Keras also starts the
    forget gate's bias at 1. `last` with `bidirectional` gives where each direction ends, as Keras does: the second
    one's state at the first position. Saved memory is an estimate: it depends on the library that PyTorch calls.
    """

    kind = "lstm"
    module = "LSTM"
    gates = 4
    examples = (
        Example("lstm 256 bidirectional", "24x512"),
        Example("lstm 16", "12x8"),
        Example("lstm 5 layers=2 bidirectional nobias", "7x3"),
        Example("lstm 4 last", "6x3"),
        Example("lstm 4 layers=2 dropout=0.2 bidirectional last", "6x3"),
        Example("lstm 4 init=glorot frozen=bias l2=1e-4", "6x3"),
        Example("lstm 4 bidirectional init=normal frozen", "6x3"),
    )

    def _states(self, value: Any) -> Any:
        return Subscript(value, (0,))


class GRU(_Recurrent):
    """Gated recurrent unit: a recurrent layer with two gates, one that forgets and one that mixes (Cho et al. 2014).

    A sequence LxC becomes LxH, the states of `units` H, or with `bidirectional` Lx2H.

    PyTorch: `nn.GRU` with `batch_first=True`; its weights are named as there, `weight_ih_l0` and so on.

    Surprises: the forgetting gate acts behind the state's weights, as in cuDNN and Keras' default, not before them as
    in the paper; there are two biases for each gate. `last` with `bidirectional` gives where each direction ends.
    Saved memory is an estimate: it depends on the library that PyTorch calls.
    """

    kind = "gru"
    module = "GRU"
    gates = 3
    examples = (
        Example("gru 16", "12x8"),
        Example("gru 5 layers=3 nobias", "7x3"),
        Example("gru 4 bidirectional last", "6x3"),
        Example("gru 4 layers=2 dropout=0.5 frozen=weight", "6x3"),
        Example("gru 4 init=trunc_normal", "6x3"),
    )
