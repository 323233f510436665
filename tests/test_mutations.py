"""Specs of the zoo with one thing broken: never a crash, never a hang, and an error where it is broken, or before."""

from __future__ import annotations

import pytest
from mutations import ROOT, examine, main, mutations

# These hold so many large networks that they would take most of the time; the slow test breaks them, too.
LARGE = {"resnet_cifar", "preresnet_cifar", "densenet_cifar", "efficientnet", "efficientnet_v2", "regnet", "densenet"}
FILES = sorted(path for path in (ROOT / "specs").glob("*.cnn") if path.stem not in LARGE)


@pytest.mark.parametrize("seed", range(15))
def test_a_broken_spec(seed: int) -> None:
    for mutation in mutations(FILES, 20, seed):
        try:
            examine(mutation)
        except Exception as error:
            raise AssertionError(f"{mutation.file}:{mutation.line} {mutation.what}:\n{mutation.text}") from error


@pytest.mark.slow
def test_thousands_of_broken_specs() -> None:
    assert main(5_000, 0) == 0
