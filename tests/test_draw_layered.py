"""Layered layouts of any boxes and lines: nothing lies on anything else, whatever has to be laid out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from geometry import crosses, overlapping
from hypothesis import given, settings
from hypothesis import strategies as st

from cnndsl.draw.scene import Area
from cnndsl.draw.styles.layered import Laid, Level, Spot, Wire, laid_out
from cnndsl.draw.styles.layered.columns import cuts
from cnndsl.draw.styles.layered.grid import Grid
from cnndsl.draw.styles.layered.order import crossings, ordered
from cnndsl.draw.styles.layered.tracks import Crossover, tracked

SLACK = 0.01


@st.composite
def levels(draw: st.DrawFn) -> Level:
    """Boxes of many sizes, each of which takes from some before it; with ports or without, in columns or not."""
    count = draw(st.integers(2, 14))
    entries = draw(st.integers(0, 3))
    exits = draw(st.integers(0, 2)) if entries else 0
    spots = [Spot(0.0, 0.0, first=True) for _ in range(entries)]
    for _ in range(count):
        across, along = (
            draw(st.sampled_from((20.0, 60.0, 80.0, 150.0))),
            draw(st.sampled_from((15.0, 24.0, 40.0, 160.0))),
        )
        after, tail = draw(st.sampled_from(((0.0, 0.0), (12.0, 9.0))))
        sides, minor = draw(st.booleans()), draw(st.sampled_from((False, False, False, True)))
        spots.append(Spot(across, along, after, tail, sides=sides, minor=minor))
    targets: dict[int, list[int]] = {}
    for number in range(entries, entries + count):
        if number:
            for source in draw(st.lists(st.integers(max(0, number - 8), number - 1), min_size=1, max_size=3)):
                targets.setdefault(source, []).append(number)
    for _ in range(exits):
        targets.setdefault(draw(st.integers(entries, entries + count - 1)), []).append(len(spots))
        spots.append(Spot(0.0, 0.0, last=True))
    wires = []
    for source, taken in targets.items():
        fixed = [
            draw(st.floats(5, spots[t].across - 5)) if not (spots[t].sides or spots[t].port) else None for t in taken
        ]
        wires.append(Wire(source, tuple(taken), None, tuple(fixed)))
    return Level(
        tuple(spots), tuple(wires), near=draw(st.booleans()), limit=draw(st.sampled_from((None, 200.0, 400.0)))
    )


def areas(level: Level, laid: Laid) -> list[Area]:
    return [Area(*start, spot.across, spot.along) for start, spot in zip(laid.starts, level.spots, strict=True)]


def faults(level: Level, laid: Laid) -> Iterator[str]:
    boxes = areas(level, laid)
    whole = Area(-SLACK, -SLACK, laid.across + 2 * SLACK, laid.along + 2 * SLACK)
    yield from (f"{one} overlaps {other}" for one, other in overlapping(boxes))
    for box in boxes:
        if box.x < whole.x or box.y < whole.y or box.right > whole.right or box.bottom > whole.bottom:
            yield f"{box} sticks out"
    for wire, lines in zip(level.wires, laid.lines, strict=True):
        for target, line in zip(wire.targets, lines, strict=True):
            name = f"{wire.source} -> {target}"
            if any(abs(a[0] - b[0]) > SLACK and abs(a[1] - b[1]) > SLACK for a, b in pairwise(line)):
                yield f"{name} is not along the axes"
            if any(not (whole.x <= x <= whole.right and whole.y <= y <= whole.bottom) for x, y in line):
                yield f"{name} leaves the whole"
            for number, box in enumerate(boxes):
                ends = number in (wire.source, target)
                if not level.spots[number].port and crosses(line, box, 0.5 if ends else 0.0):
                    yield f"{name} runs through {number}"
            if not touches(line[0], boxes[wire.source]) or not touches(line[-1], boxes[target]):
                yield f"{name} does not end on its boxes"


def touches(point: tuple[float, float], box: Area) -> bool:
    x, y = point
    return box.x - SLACK <= x <= box.right + SLACK and box.y - SLACK <= y <= box.bottom + SLACK


@settings(max_examples=150, deadline=None)
@given(levels())
def test_nothing_lies_on_anything_else(level: Level) -> None:
    assert not [*faults(level, laid_out(level))]


@pytest.mark.slow
@settings(max_examples=3000, deadline=None)
@given(levels())
def test_nothing_lies_on_anything_else_in_many_levels(level: Level) -> None:
    assert not [*faults(level, laid_out(level))]


@settings(max_examples=50, deadline=None)
@given(levels())
def test_exchanging_never_makes_more_crossings(level: Level) -> None:
    grid = Grid(level)
    before = crossings(grid)
    ordered(grid)
    assert crossings(grid) <= before


def box(across: float = 60.0, along: float = 20.0) -> Spot:
    return Spot(across, along)


def test_a_chain_is_straight_whatever_its_boxes_are() -> None:
    level = Level((box(40), box(90), box(20), box(66)), tuple(Wire(n, (n + 1,)) for n in range(3)))
    laid = laid_out(level)
    assert [len(lines[0]) for lines in laid.lines] == [2, 2, 2]
    assert laid.across == 90


def test_a_skip_runs_beside_and_ends_at_the_side() -> None:
    level = Level((box(), box(), box(), box()), (Wire(0, (1, 3)), Wire(1, (2,)), Wire(2, (3,))))
    laid = laid_out(level)
    assert laid.skips == ((False, True), (False,), (False,))
    last, end = areas(level, laid)[3], laid.lines[0][1][-1]
    assert end == (last.right, last.middle[1])
    near = laid_out(level._replace(near=True))
    assert near.lines[0][1][-1] == (areas(level, near)[3].x, areas(level, near)[3].middle[1])


def test_branches_of_equal_length_part_from_their_middle() -> None:
    level = Level((box(), box(), box(), box()), (Wire(0, (1, 2)), Wire(1, (3,)), Wire(2, (3,))))
    first, left, right, last = areas(level, laid_out(level))
    assert first.middle[0] == pytest.approx((left.middle[0] + right.middle[0]) / 2, abs=0.01)
    assert last.middle[0] == pytest.approx(first.middle[0], abs=0.01)


def test_a_long_box_does_not_tear_its_neighbours_apart() -> None:
    """The long one stands beside the chain, not in one rank with its first box."""
    spots = (box(), box(60, 110), box(), box(), box(), box())
    level = Level(spots, (Wire(0, (1, 2)), Wire(2, (3,)), Wire(3, (4,)), Wire(1, (5,)), Wire(4, (5,))))
    laid = laid_out(level)
    assert laid.along < 20 + 110 + 20 + 60


def test_two_skips_over_one_another_run_on_both_sides() -> None:
    spots = tuple(box() for _ in range(5))
    chain = tuple(Wire(n, (n + 1, n + 3)) if n < 2 else Wire(n, (n + 1,)) for n in range(4))
    grid = Grid(Level(spots, chain))
    ordered(grid)
    assert crossings(grid) == 0


def test_columns_are_of_about_equal_length_and_cut_where_few_lines_are() -> None:
    tops = [40.0 * n for n in range(30)]
    bottoms = [top + 30 for top in tops]
    assert cuts(tops, bottoms, [1] * 30, None) == []
    assert cuts(tops, bottoms, [1] * 30, 2000.0) == []
    assert cuts(tops, bottoms, [1] * 30, 700.0) == [14]
    assert cuts(tops, bottoms, [1 if n == 13 else 5 for n in range(30)], 700.0) == [13]
    assert cuts(tops, bottoms, [0 if n == 14 else 1 for n in range(30)], 700.0) in ([13], [15])
    many = [40.0 * n for n in range(1000)]
    assert 55 <= len(cuts(many, [top + 30 for top in many], [1] * 1000, 700.0)) <= 60


def test_lines_between_ranks_cross_no_more_than_they_must() -> None:
    nested = {0: Crossover(0.0, (100.0,)), 1: Crossover(20.0, (120.0,)), 2: Crossover(200.0, (150.0,))}
    assert tracked(nested) == {1: 0, 0: 1, 2: 0}
    assert tracked({0: Crossover(5.0, (5.0,))}) == {}
    meeting = {0: Crossover(0.0, (50.0,)), 1: Crossover(50.0, (90.0,))}
    assert tracked(meeting)[1] < tracked(meeting)[0]
    many = {n: Crossover(float(n), (float(n + 200),)) for n in range(100)}
    assert len(set(tracked(many).values())) == 100
