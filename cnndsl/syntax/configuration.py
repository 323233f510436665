"""Configurations of other tools in place of a spec: Darknet's sections, which are translated, Caffe's, YAML, JSON."""

from __future__ import annotations

import re
from typing import Any

from cnndsl.record import Record

_SECTIONS = (
    r"net|network|convolutional|conv|maxpool|avgpool|connected|shortcut|route|softmax|dropout|upsample|yolo|region"
)
_FORMATS = (
    ("Darknet", re.compile(rf"(?m)^\[(?:{_SECTIONS})\][ \t]*$")),
    ("Caffe", re.compile(r"(?m)^[ \t]*layers?[ \t]*\{")),
    ("YAML", re.compile(r"(?m)^[ \t]*- \[-?[0-9]+, *[0-9]+, *\w+, *\[")),
    ("JSON", re.compile(r"\A\s*\{\s*\"")),
)
_first = re.compile(r"(?m)^[ \t\ufeff]*(?P<line>[^#;\s][^\n]*)")
_network = re.compile(r"(?m)^network[ \t]+\w")


class Configuration(Record):
    """tool: whose format it is in. start, end: its first line. text: it as a spec; empty where it is not understood."""

    tool: str
    start: int
    end: int
    text: str


def configuration(text: str) -> Configuration | None:
    """What a text is, if it is no spec but the configuration of another tool."""
    if _network.search(text):
        return None
    for tool, pattern in _FORMATS:
        if pattern.search(text):
            first = _first.search(text)
            assert first is not None
            start, line = first.start("line"), first["line"].rstrip()
            return Configuration(tool, start, start + len(line), _darknet(text) if tool == "Darknet" else "")
    return None


class _Unknown(Exception):  # noqa: N818
    """Something of a configuration is not understood."""


_ACTIVATIONS = {
    "linear": "", "leaky": "leaky 0.1", "relu": "relu", "mish": "mish", "swish": "silu", "logistic": "sigmoid",
    "tanh": "tanh", "elu": "elu", "selu": "selu", "gelu": "gelu", "relu6": "relu6",
}  # fmt: skip


def _darknet(text: str) -> str:
    try:
        return _spec(_sections(text))
    except (_Unknown, KeyError, ValueError, IndexError):
        return ""


def _sections(text: str) -> list[tuple[str, dict[str, str]]]:
    found: list[tuple[str, dict[str, str]]] = []
    for whole in text.splitlines():
        line = re.split(r"[#;]", whole)[0].strip()
        if line.startswith("["):
            found.append((line.strip("[]"), {}))
        elif line:
            key, _, value = line.partition("=")
            found[-1][1][key.strip()] = value.strip()
    return found


def _spec(sections: list[tuple[str, dict[str, str]]]) -> str:
    kind, net = sections[0]
    if kind not in ("net", "network") or len(sections) < 2:
        raise _Unknown
    layers = [_layer(kind, values) for kind, values in sections[1:]]
    taken: set[int] = set()
    lines = []
    for index, (kind, values) in enumerate(sections[1:]):
        if kind == "shortcut":
            taken.add(source := _source(values["from"], index))
            layers[index] = [f"add l{source}", *layers[index]]
        elif kind == "route":
            first, *others = [_source(one, index) for one in values["layers"].split(",")]
            taken.update((first, *others))
            layers[index] = [f"from l{first}"] + ([" ".join(["concat", *(f"l{n}" for n in others)])] if others else [])
    for index, items in enumerate(layers):
        if not items or (index in taken and items[-1].startswith("from ")):
            raise _Unknown
        lines.append(", ".join(items) + (f" as l{index}" if index in taken else ""))
    size = "x".join(str(int(net[key])) for key in ("height", "width", "channels"))
    return "\n".join(["network Net", f"input {size}", *lines]) + "\n"


def _source(number: str, index: int) -> int:
    """The layer that a number, which may count back from layer `index`, means."""
    source = int(number) if int(number) >= 0 else index + int(number)
    if not 0 <= source < index:
        raise _Unknown
    return source


def _layer(kind: str, values: dict[str, str]) -> list[str]:
    """The items of one section, without what names other layers."""

    def number(key: str, default: int) -> int:
        return int(values.get(key, default))

    activation = _ACTIVATIONS[values.get("activation", "linear" if kind in ("shortcut", "route") else "logistic")]
    if kind in ("convolutional", "conv"):
        kernel, stride, groups = number("size", 1), number("stride", 1), number("groups", 1)
        pad = kernel // 2 if number("pad", 0) else number("padding", 0)
        normal = bool(number("batch_normalize", 0))
        words: list[Any] = [f"conv {kernel}x{kernel}x{number('filters', 1)}"]
        words += [f"/{stride}"] * (stride > 1) + [f"pad={pad}"] * (pad > 0) + [f"groups={groups}"] * (groups > 1)
        words += ["nobias"] * normal
        return [" ".join(words), *["bn"] * normal, *[activation] * bool(activation)]
    if kind == "maxpool":
        stride = number("stride", 1)
        size = number("size", stride)
        return [f"pool {size}" + f" /{stride}" * (stride != size) + " same"]  # Darknet pads to ⌈n/s⌉
    if kind == "connected":
        return [f"dense {number('output', 1)}", *[activation] * bool(activation)]
    if kind in ("shortcut", "route"):
        return [activation] * bool(activation)
    plain = {
        "avgpool": "globalpool avg",
        "softmax": "softmax",
        "dropout": f"dropout {values.get('probability', '0.5')}",
        "upsample": f"upsample {values.get('stride', '2')}",
    }
    if kind == "cost":
        raise _Unknown
    return [plain[kind]]
