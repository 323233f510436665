"""Settings from outside the spec: `--set-train name=value`, read as a line of a `train:` block is."""

from __future__ import annotations

from collections.abc import Sequence

from cnndsl.diagnostics import Diagnostic
from cnndsl.elaborate import elaborate
from cnndsl.elaborate.settings import Setting
from cnndsl.recipe.chains import joined
from cnndsl.source import Source, Span
from cnndsl.syntax import parse

_BEFORE = "network n\ninput 1\ndense 1\ntrain:\n    "


def parse_settings(sets: Sequence[tuple[str, str]]) -> tuple[list[Setting], list[Diagnostic]]:
    """The settings of texts such as `("optimizer", "sgd lr=0.1")`, and what can't be read of them.

    Their spans lie in sources of their own, named `--set-train`.
    """
    settings: list[Setting] = []
    diagnostics: list[Diagnostic] = []
    for name, text in sets:
        text = f"{{{text}}}" if text in ("true", "false") else text  # as a command line says it
        line = f"{name} {text}".replace("\n", " ").replace("\r", " ")
        alone = Source("--set-train", line)
        document, faults = parse(Source("--set-train", _BEFORE + line + "\n"))
        elaborated, found = elaborate(document)
        for diagnostic in [*faults, *found]:
            diagnostic.span = _moved(diagnostic.span, alone)
            diagnostic.labels = tuple(label._replace(span=_moved(label.span, alone)) for label in diagnostic.labels)
            diagnostic.fixes = ()
            diagnostics.append(diagnostic)
        settings += (_moved_setting(setting, alone) for one in elaborated for setting in one.settings)
    return settings, diagnostics


def override(settings: Sequence[Setting], others: Sequence[Setting]) -> list[Setting]:
    """The settings, those that `others` name replaced by them."""
    named = {other.name for other in joined(others)}
    return [*(setting for setting in joined(settings) if setting.name not in named), *joined(others)]


def _moved_setting(setting: Setting, source: Source) -> Setting:
    return setting._replace(
        span=_moved(setting.span, source),
        spans=tuple(_moved(span, source) for span in setting.spans),
        name_span=_moved(setting.name_span, source),
    )


def _moved(span: Span, source: Source) -> Span:
    """The same place in the line alone."""
    length = len(source.text)
    start, end = (min(max(0, offset - len(_BEFORE)), length) for offset in (span.start, span.end))
    return Span(source, start, end)
