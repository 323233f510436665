"""Which input sizes fit: 1 to 2048 along both axes of ResNet-152, in process; and checking one size after the other."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.installed import ROOT
from benchmarks.measure import Row, in_turns, median, processor_time
from cnndsl.elaborate import Options as Chosen
from cnndsl.pipeline import Options, check
from cnndsl.sizes import Question, ask
from cnndsl.source import Source

NETWORKS = (("resnet.cnn", "resnet152", 3, 1.0), ("unet.cnn", "unet", 1, None), ("fcn.cnn", "fcn8s", 3, None))
SIZES = 2048
SAMPLE = (32, 224, 512)


def rows() -> Iterator[Row]:
    for file, name, channels, bound in NETWORKS:
        source = Source(file, (ROOT / "specs" / file).read_text(encoding="utf-8"))

        def vectors(source: Source = source, name: str = name) -> None:
            answers, _ = ask(source, Question(1, SIZES), Chosen(network=name))
            assert answers[0].complete

        def one_by_one(source: Source = source, name: str = name, channels: int = channels) -> None:
            for size in SAMPLE:
                check(source, Options(network=name, input=f"{size}x{size}x{channels}"))

        ours, theirs = (median(found) for found in in_turns((vectors, one_by_one), 5, processor_time))
        limit, holds = (f"at most {bound:g} s", ours <= bound) if bound else ("", None)
        yield Row(f"{name}: sizes 1 to {SIZES:,} of both axes, in process", f"{ours * 1000:.0f} ms", limit, holds)
        times = theirs / len(SAMPLE) * SIZES / ours
        yield Row(f"{name}: `check` of {SIZES:,} square sizes one by one (from {len(SAMPLE)}) / this", f"{times:.0f} x")
