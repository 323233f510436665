"""The weights by name, for the source of the network, which stands beside them: nothing of this project is needed."""

from __future__ import annotations

import io

import torch

from cnndsl.codegen.identifiers import identifier
from cnndsl.runtime.export import File, Made
from cnndsl.runtime.export.compare import agree, outputs
from cnndsl.runtime.export.source import example, source
from cnndsl.runtime.export.subject import Subject
from cnndsl.runtime.module import build_module


def write(subject: Subject, name: str, ending: str) -> Made:
    """The weights (.safetensors, or .pt for torch.load) and the source (.py), loaded again and compared."""
    tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in subject.module.state_dict().items()}
    if ending == ".pt":
        buffer = io.BytesIO()
        torch.save(tensors, buffer)
        content = buffer.getvalue()
        again = torch.load(io.BytesIO(content), weights_only=True)
    else:
        from safetensors.torch import load, save

        content = save(tensors)
        again = load(content)
    with torch.random.fork_rng(devices=[]):
        module = build_module(subject.graph).eval()
    module.load_state_dict(again)
    said = agree(subject, lambda inputs: outputs(module, inputs), "loading it again")
    module_name, weights = identifier(name), name + ending
    text = source(subject, module_name, weights)
    files = (File(ending, content), File(".py", text.encode()))
    return Made(files, (*subject.ends_said(), said, "", "without cnndsl:", "", *example(subject, module_name, weights)))
