"""Items in the words of PyTorch, Keras and Darknet: `conv2d 3 64 7 stride=2`, `conv 3x3x8 padding=same`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

from cnndsl.elaborate.foreign_kinds import FOREIGN_KINDS, plain_name
from cnndsl.files import shipped_names
from cnndsl.layers import find
from cnndsl.resources import folder
from cnndsl.syntax import tree
from cnndsl.syntax.foreign import Unknown, items_of
from cnndsl.syntax.tree import Line

_RENAMED = {
    "dilation_rate": "dilation",
    "num_layers": "layers",
    "padding_idx": "padding",
    "learning_rate": "lr",
    "weight_decay_rate": "weight_decay",
    "label_smoothing_rate": "smoothing",
}
_LEFT_OUT = (
    "in_channels", "in_features", "in_planes", "num_features", "embed_dim", "input_size", "input_shape", "input_dim",
    "inplace", "batch_first", "data_format",
)  # fmt: skip
"""What a spec knows by itself, or never says."""
_FIRST = (
    "units", "out_features", "hidden_size", "num_units", "pool_size", "rate", "drop_prob", "num_heads", "num_groups",
    "negative_slope", "alpha", "scale_factor", "upscale_factor", "output_size", "block_size",
)  # fmt: skip
"""What stands first, without a name."""
_CHANNELS = ("filters", "out_channels", "channels", "num_filters", "out_planes")
_KERNELS = ("kernel_size", "kernel", "size", "ksize")
_SHORT = {"s": "stride", "p": "pad", "k": "kernel", "g": "groups", "d": "dilation", "c": "channels"}
_size = re.compile(r"[0-9]+(x[0-9]+)+")
_short = re.compile(r"([spkgdc])([0-9]+)")
"""What papers write in tables: `k3 s2 p1`."""
_NAMED_KINDS = {
    "conv1d": "Conv1d", "conv2d": "Conv2d", "conv3d": "Conv3d", "convtranspose2d": "ConvTranspose2d",
    "maxpool": "MaxPool2d", "maxpool1d": "MaxPool1d", "maxpool2d": "MaxPool2d", "avgpool": "AvgPool2d",
    "avgpool2d": "AvgPool2d", "batchnorm": "BatchNorm2d", "batchnorm2d": "BatchNorm2d", "fc": "Linear",
    "fullyconnected": "Linear", "conv": "Conv2d", "pool": "MaxPool2d", "dense": "Linear",
}  # fmt: skip


def rewritten(line: Line, item: tree.Item) -> Iterator[str]:
    """Texts that an item may have been meant as, whole items with what has to follow them, the likeliest first."""
    for one in (_as_call(line, item), *_in_words(line, item)):
        if one is not None:
            yield one


def _tail(line: Line, item: tree.Item) -> str:
    """What stands behind an item's arguments: its count and its name."""
    last = max([item.kind.end, *(argument.end for argument in item.arguments)])
    return line.text[last : item.end]


def _as_call(line: Line, item: tree.Item) -> str | None:
    """The item read as a call of PyTorch with its arguments in order: `maxpool 3 2 1`."""
    called = _NAMED_KINDS.get(plain_name(getattr(item.kind, "name", "")))
    numbers = [a.value for a in item.arguments if isinstance(a, tree.Number)]
    named: dict[str | None, Any] = {}
    named.update((a.name, getattr(a.value, "value", None)) for a in item.arguments if isinstance(a, tree.Named))
    if called is None or len(numbers) + len(named) != len(item.arguments) or not numbers or None in named.values():
        return None
    if called.startswith("Conv") and len(numbers) < 3 and not {"kernel_size", *_CHANNELS} & set(named):
        return None
    try:
        made = items_of(called, [*numbers], named.copy())
    except (Unknown, TypeError, ValueError, KeyError):
        return None
    return None if made is None else _joined(made, _tail(line, item))


def _joined(made: list[str], tail: str) -> str:
    return ", ".join([made[0] + tail, *made[1:]])


class _Words:
    """What an item says, word by word, as it is rewritten."""

    def __init__(self) -> None:
        self.before: list[str] = []
        self.words: list[str] = []
        self.behind: list[str] = []
        self.alias = ""
        self.kernel: tuple[int, str] | None = None
        self.channels: tuple[int, str] | None = None

    def named(self, name: str, value: str) -> None:
        """Take `name=value`, whatever library it is from."""
        text = value.strip('"')
        if name in _LEFT_OUT:
            return
        if name in _CHANNELS:
            self.channels = (len(self.words), text)
        elif name in _KERNELS:
            self.kernel = (len(self.words), text)
        elif name in ("stride", "strides"):
            self.words.append(f"/{text}")
        elif name in ("pad", "padding"):
            self.words.append(text if text in ("same", "valid") else f"pad={text}")
        elif name == "activation":
            self.behind += [] if text in ("none", "linear", "null") else [text]
        elif name in ("bias", "use_bias"):
            self.words += [] if text == "true" else ["nobias"]
        elif name == "return_sequences":
            self.words += [] if text == "true" else ["last"]
        elif name == "name":
            self.alias = f" as {text}"
        elif name in ("mode", "interpolation"):
            self.words.append(text)
        elif name in _FIRST:
            self.words.insert(0, text)
        else:
            self.words.append(f"{_RENAMED.get(name, name)}={value}")


def _in_words(line: Line, item: tree.Item) -> Iterator[str]:
    """The item with each of its words as a spec has it."""
    written = line.span(item.kind).text
    own = written.lower() if find(written) is None and find(written.lower()) is not None else written
    kind, *more = FOREIGN_KINDS.get(plain_name(getattr(item.kind, "name", "")), own).split()
    said = _Words()
    arguments = list(item.arguments)
    while arguments:
        one = arguments.pop(0)
        text = line.span(one).text
        if isinstance(one, tree.Named):
            said.named(one.name, line.span(one.value).text)
        elif isinstance(one, tree.Reference) and arguments and _takes_value(one.name, arguments[0]):
            said.named(one.name, line.span(arguments.pop(0)).text)
        elif isinstance(one, tree.Reference) and (short := _short.fullmatch(one.name)) is not None:
            said.named(_SHORT[short[1]], short[2])
        else:
            said.words.append(text)
    if more and not any(word[0].isdigit() or word[0] == "{" for word in said.words):
        said.words.insert(0, more[0])  # the size in the example of a kind
    said.words += [word for word in more[1:] if word not in said.words]
    for words in _sized(said):
        yield _joined([" ".join([kind, *words]) + said.alias, *said.behind], _tail(line, item))


def _takes_value(word: str, following: Any) -> bool:
    """Whether two words are an argument and its value: `stride 2`, `padding same`."""
    if isinstance(following, (tree.Number, tree.Sides, tree.Brace)):
        return word in ("stride", "strides", "pad", "padding", "groups", "dilation", *_CHANNELS, *_KERNELS, *_FIRST)
    return word in ("pad", "padding") and getattr(following, "name", "") in ("same", "valid")


def _sized(said: _Words) -> Iterator[list[str]]:
    """The words with kernel and channels as one size, for as many axes as it may be about."""
    if said.kernel is None and said.channels is None:
        numbers = [word for word in said.words if word.isdigit()]
        sizes_ = [word for word in said.words if _size.fullmatch(word)]
        if len(numbers) == len(sizes_) == 1:  # `Conv2D 32 3x3`, channels and kernel apart.
            others = [word for word in said.words if word not in (*numbers, *sizes_)]
            yield [f"{sizes_[0]}x{numbers[0]}", *others]
        yield said.words
        return
    sizes = [index for index, word in enumerate(said.words) if word[0].isdigit()]
    words = list(said.words)
    first = words.pop(sizes[0]) if sizes else None
    kernel = said.kernel[1] if said.kernel is not None else None
    channels = said.channels[1] if said.channels is not None else None
    if first is not None and kernel is None:
        kernel = first
    elif first is not None and channels is None:
        channels = first
    if kernel is None:
        yield [channels or "", *words]
        return
    for rank in (2, 1, 3) if "x" not in kernel else (0,):
        sides = "x".join([kernel] * rank) if rank else kernel
        yield [f"{sides}x{channels}" if channels is not None else sides, *words]


# --- words outside their item ---------------------------------------------------------------------------------------


def is_argument(name: str) -> bool:
    """Whether a word is what some library calls an argument of a layer."""
    return name in (
        "stride",
        "strides",
        "pad",
        "padding",
        "groups",
        "dilation",
        "activation",
        "bias",
        *_KERNELS,
        *_CHANNELS,
    )


def said(name: str, value: str) -> str:
    """An argument as a spec has it: `/2` for a stride of 2."""
    words = _Words()
    words.named(name, value)
    return " ".join([*words.words, *words.behind]) or f"{name}={value}"


_BLOCKS = {
    "resblock": "basic", "residualblock": "basic", "basicblock": "basic", "resnetblock": "basic",
    "convbnrelu": "cbr", "convbn": "cbr", "convblock": "cbr", "mbconv": "inverted_residual",
    "invertedresidual": "inverted_residual", "se": "squeeze_excite", "seblock": "squeeze_excite",
    "squeezeexcite": "squeeze_excite", "squeezeexcitation": "squeeze_excite", "transformer": "encoder",
    "transformerblock": "encoder", "transformerencoder": "encoder", "encoderblock": "encoder",
    "denseblock": "dense_block", "transitionlayer": "transition", "doubleconv": "double", "separableconv": "separable",
    "sepconv": "separable", "separableconv2d": "separable", "bottleneckblock": "bottleneck",
}  # fmt: skip
_block = re.compile(r"(?m)^block (\w+)\(")


def shipped_block(name: str) -> tuple[str, str] | None:
    """The file in `std` and the block that is called so, or so elsewhere."""
    wanted = _BLOCKS.get(plain_name(name), name)
    for file in shipped_names():
        with open(os.path.join(folder("specs"), "std", f"{file}.cnn"), encoding="utf-8") as text:
            if wanted in _block.findall(text.read()):
                return file, wanted
    return None
