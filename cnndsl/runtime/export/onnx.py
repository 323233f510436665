"""ONNX: the network for onnxruntime and others, its ends named as in the spec, any number of examples at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

import cnndsl
from cnndsl.numbers import bytes_text
from cnndsl.runtime.errors import ExportError
from cnndsl.runtime.export import File, Made
from cnndsl.runtime.export.compare import agree
from cnndsl.runtime.export.program import program_of, quiet, refusal
from cnndsl.runtime.export.subject import Subject

_MOST = 2 * 1024**3 - 1024**2
"""Bytes of weights: a file of ONNX is one message of Protocol Buffers, which holds at most 2 GiB."""
_OPSET = 20
_WHAT = "written as ONNX"


def write(subject: Subject, name: str, ending: str) -> Made:
    """An .onnx file, run by onnxruntime and compared. Raises ExportError."""
    import onnxruntime

    weights = sum(t.numel() * t.element_size() for t in subject.module.state_dict().values())
    if weights > _MOST:
        raise ExportError(
            f"{subject.graph.name} has {bytes_text(weights)} of weights, and a file of ONNX holds at most 2 GiB",
            "--format torch-export",
        )
    with quiet():
        try:
            model = _model(subject.whole(), subject.examples(2))
        except Exception as error:  # exporters raise many kinds
            raise refusal(subject, _WHAT, error, _model) from None
        _name(model, subject)
        content = _serialized(model)
        try:
            session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        except Exception as error:  # its own kinds, of no common class
            raise refusal(subject, f"run by onnxruntime {onnxruntime.__version__}", error, _runs) from None

    def run(inputs: tuple[Tensor, ...]) -> list[Tensor]:
        given = {name: tensor.numpy() for name, tensor in zip(subject.inputs, inputs, strict=True)}
        return [torch.as_tensor(one) for one in session.run(list(subject.outputs), given)]

    said = agree(subject, run, f"onnxruntime {onnxruntime.__version__}")
    return Made((File(ending, content),), (*subject.ends_said(), said))


def _model(module: nn.Module, inputs: Sequence[Tensor]) -> Any:
    """The onnx_ir.Model of a module; raises what torch.onnx raises."""
    made = torch.onnx.export(program_of(module, inputs), dynamo=True, verbose=False, opset_version=_OPSET)
    assert made is not None
    return made.model


def _runs(module: nn.Module, inputs: Sequence[Tensor]) -> None:
    """Raises what onnxruntime raises if it can't load the module."""
    import onnxruntime

    onnxruntime.InferenceSession(_serialized(_model(module, inputs)), providers=["CPUExecutionProvider"])


def _serialized(model: Any) -> bytes:
    import onnx_ir

    content: bytes = onnx_ir.to_proto(model).SerializeToString()
    return content


def _name(model: Any, subject: Subject) -> None:
    """Names as the spec has them; who made it; and nothing of the machine that it was made on."""
    graph = model.graph
    for value in list(graph.initializers.values()):
        value.name = value.name.removeprefix("network.")
    ends = [*zip(graph.inputs, subject.inputs, strict=True), *zip(graph.outputs, subject.outputs, strict=True)]
    names = {name for _, name in ends}
    values = [*graph.inputs, *graph.initializers.values()]
    for node in graph.all_nodes():
        node.metadata_props.clear()
        values += node.outputs
    taken = {value.name for value in values} | names
    for value in values:
        value.metadata_props.clear()
        if value.name in names:
            number = 2
            while f"{value.name}_{number}" in taken:
                number += 1
            taken.add(f"{value.name}_{number}")
            value.name = f"{value.name}_{number}"
    for value, name in ends:
        value.name = name
    _name_batch(values, str(graph.inputs[0].shape[0]))
    graph.name = subject.graph.name
    model.producer_name, model.producer_version = "cnndsl", cnndsl.__version__
    model.metadata_props.update(subject.about())


def _name_batch(values: Sequence[Any], given: str) -> None:
    """Call the number of examples `batch` wherever it stands alone as a size; the exporter numbers what has no name."""
    import onnx_ir

    for value in values:
        sizes = list(value.shape or ())
        if any(str(size) == given for size in sizes):
            value.shape = onnx_ir.Shape(["batch" if str(size) == given else size for size in sizes])
