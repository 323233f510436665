"""The style `text`: a network in the terminal, a line for each box, tensors as rails beside them.

    ■     conv 7x7x64 /2, bn, relu       112x112x64
    ├─╮
    │ ■   conv 3x3x64, bn, relu          56x56x64
    ├─╯
    ◆     add, relu                      56x56x64

A tensor runs down in a lane of its own until its last taker has it. Every lane that a box takes from is joined to it in
the line above.
"""

from __future__ import annotations

from collections.abc import Iterator

from cnndsl.draw.facts import said
from cnndsl.draw.flat import Row, flat
from cnndsl.draw.outline import Item
from cnndsl.draw.wanted import Wanted
from cnndsl.record import Record
from cnndsl.terminal import BOLD, CYAN, DIM, GREEN, RED, YELLOW, Look, pad, visible, width_of

MAGENTA, BLUE = "35", "34"
_COLORS = {
    "convolution": BLUE,
    "pooling": YELLOW,
    "dense": GREEN,
    "merge": CYAN,
    "attention": MAGENTA,
    "fault": RED,
}
_CHANGES = {"added": GREEN, "removed": RED, "changed": YELLOW}
_CHANGE_MARKS = {"added": "+", "removed": "-", "changed": "~"}
_UP, _DOWN, _LEFT, _RIGHT = 1, 2, 4, 8
_DRAWN = {
    _UP | _DOWN: "│",
    _LEFT | _RIGHT: "─",
    _UP | _LEFT: "╯",
    _UP | _RIGHT: "╰",
    _DOWN | _LEFT: "╮",
    _DOWN | _RIGHT: "╭",
    _UP | _DOWN | _LEFT: "┤",
    _UP | _DOWN | _RIGHT: "├",
    _UP | _LEFT | _RIGHT: "┴",
    _DOWN | _LEFT | _RIGHT: "┬",
    _UP | _DOWN | _LEFT | _RIGHT: "┼",
}
_SHORTEST = 16
"""Cells that what a box is called keeps, however narrow the terminal is."""


class _Line(Record):
    """One line of the picture. rails: the cells of the lanes. edge: the bars of open items. item: what the label is of,
    if anything. mark: the box's mark within the rails; empty where the line has none."""

    rails: str
    edge: str = ""
    label: str = ""
    item: Item | None = None
    mark: str = ""


def text(network: Item, wanted: Wanted, look: Look, loose: tuple[str, ...] = ()) -> str:
    """The folded network as lines of text that fit into the look's width: costs go first where that is small, then
    what boxes are called is cut. loose: errors of no layer, for below."""
    lines = [*_lines(network, look)]
    rails = max((width_of(line.rails) for line in lines), default=0)
    shown = [column for column in ([_cell(line, what) for line in lines] for what in wanted.show) if any(column)]
    widths = [max(map(width_of, column)) for column in shown]
    labels = [line.edge + visible(line.label) for line in lines]
    wide = max(map(width_of, labels), default=0)
    if look.width is not None:
        while shown and rails + _SHORTEST + sum(width + 2 for width in widths) > look.width:
            shown.pop()
            widths.pop()
        wide = max(min(wide, look.width - rails - 2 - sum(width + 2 for width in widths)), 1)
    out = [f"{look.paint(visible(wanted.title), BOLD)}\n\n"] if wanted.title else []
    for number, line in enumerate(lines):
        cells = [pad(column[number], width) for column, width in zip(shown, widths, strict=True)]
        label = pad(_cut(labels[number], wide, look), wide)
        whole = "  ".join([_rails(line, rails, look), _painted(label, line, look), *cells])
        out.append(whole.rstrip() + "\n")
        out += _fault(line, rails, look)
    out += [f"{look.paint(f'{_wrong(look)} {visible(fault)}', RED)}\n" for fault in loose]
    return "".join(out)


def _cell(line: _Line, what: str) -> str:
    return said(line.item, what) if line.item is not None and line.mark else ""


def _cut(label: str, room: int, look: Look) -> str:
    mark = look.drawn("…", "...")
    if width_of(label) <= room:
        return label
    end = len(label)
    while end and width_of(label[:end]) > room - width_of(mark):
        end -= 1
    return label[:end] + mark if room > width_of(mark) else label[:room]


def _painted(label: str, line: _Line, look: Look) -> str:
    if line.item is None:
        return look.paint(label, DIM)
    if not line.mark:
        return look.paint(label, BOLD)
    color = RED if line.item.fault is not None else _CHANGES.get(line.item.change.what, "")
    return look.paint(label, color) if color else label


def _rails(line: _Line, wide: int, look: Look) -> str:
    """The lanes, the mark of the box in its color."""
    if not line.mark:
        return look.paint(pad(line.rails, wide), DIM)
    before, after = line.rails.split(line.mark, 1)
    assert line.item is not None
    color = RED if line.item.fault is not None else _CHANGES.get(line.item.change.what, _COLORS.get(line.item.role, ""))
    mark = look.paint(line.mark, color, BOLD) if color else line.mark
    rest = pad(after, wide - width_of(before) - 1)
    return look.paint(before, DIM) + mark + look.paint(rest, DIM)


def _fault(line: _Line, rails: int, look: Look) -> Iterator[str]:
    if line.mark and line.item is not None and line.item.fault is not None:
        yield f"{' ' * rails}  {look.paint('^ ' + visible(line.item.fault), RED)}\n"


# --- lanes ----------------------------------------------------------------------------------------------------------


class _Lanes:
    """Which tensors are on their way, and in which lane. A tensor is known by the number of the box that gives it."""

    def __init__(self, rows: list[Row]) -> None:
        boxes = [row for row in rows if row.what == "box"]
        self.wanted = [0] * len(boxes)
        for row in boxes:
            for giver in row.takes:
                self.wanted[giver] += 1
        self.lanes: list[int | None] = []

    def lane_of(self, giver: int) -> int | None:
        return self.lanes.index(giver) if giver in self.lanes else None

    def free(self, near: int = 0) -> int:
        """The first lane from `near` on that no tensor is in."""
        for lane in range(near, len(self.lanes)):
            if self.lanes[lane] is None:
                return lane
        self.lanes.append(None)
        return len(self.lanes) - 1

    def used(self) -> int:
        while self.lanes and self.lanes[-1] is None:
            self.lanes.pop()
        return len(self.lanes)


def _lines(network: Item, look: Look) -> Iterator[_Line]:
    rows = flat(network)
    lanes = _Lanes(rows)
    if sum(len(row.item.outputs) for row in rows if row.what == "box") == 1:
        rows = [row._replace(item=row.item._replace(outputs=())) for row in rows]  # nobody asks which it is
    number = depth = 0
    for row in rows:
        if row.what == "begin":
            yield _Line(_running(lanes, look), _frame(depth, look, "┌ ", "+ "), _name(row.item, look), row.item)
            depth += 1
        elif row.what == "end":
            depth -= 1
            yield _Line(_running(lanes, look), _frame(depth, look, "└", "+"))
        else:
            yield from _box(row, number, lanes, depth, look)
            number += 1


def _frame(depth: int, look: Look, last: str, plain: str) -> str:
    return look.drawn("│ ", "| ") * depth + look.drawn(last, plain)


def _name(item: Item, look: Look) -> str:
    repeated = f" {look.drawn('×', 'x')}{item.count}" if item.count > 1 else ""
    if item.children:
        named = item.id if item.named and "." not in item.id and not item.title.startswith(item.id) else ""
        return f"{item.title}{repeated}" + (f"  ({named})" if named else "")
    dress = "".join(f", {one}" for one in item.dress)
    changed = f"  ({item.change.said})" if item.change.said else ""
    return f"{item.title}{dress}{repeated}{changed}"


def _box(row: Row, number: int, lanes: _Lanes, depth: int, look: Look) -> Iterator[_Line]:
    """The line that joins what a box takes, where that is not one tensor that ends here, and the box's own."""
    taken = sorted(lane for lane in map(lanes.lane_of, row.takes) if lane is not None)
    ending = set()
    for giver in row.takes:
        lanes.wanted[giver] -= 1
        lane = lanes.lane_of(giver)
        if lane is not None and not lanes.wanted[giver]:
            ending.add(lane)
    before = [tensor is not None for tensor in lanes.lanes]
    own = min(ending) if ending else lanes.free(taken[0] + 1 if taken else 0)
    before += [False] * (len(lanes.lanes) - len(before))
    for lane in ending:
        lanes.lanes[lane] = None
    inner = _frame(depth, look, "", "")
    if set(taken) - {own} or (taken and own not in ending):
        yield _Line(_joined(before, taken, ending, own, look), inner.rstrip())
    lanes.lanes[own] = number
    mark = _mark(row.item, look)
    cells = [mark if i == own else look.drawn("│", "|") if t is not None else " " for i, t in enumerate(lanes.lanes)]
    yield _Line(" ".join(cells).rstrip(), inner, _name(row.item, look) + _ends(row.item, look), row.item, mark)
    if not lanes.wanted[number]:
        lanes.lanes[own] = None
        lanes.used()


def _ends(item: Item, look: Look) -> str:
    arrow = look.drawn("→", "->")
    return "".join(f"  {arrow} {name}" for name in item.outputs)


def _mark(item: Item, look: Look) -> str:
    if item.fault is not None:
        return _wrong(look)
    if item.change.what:
        return _CHANGE_MARKS[item.change.what]
    if item.kind == "input":
        return look.drawn("●", "o")
    if item.role == "merge":
        return look.drawn("◆", "*")
    return look.drawn("▣" if item.role == "block" else "■", "#")


def _wrong(look: Look) -> str:
    return look.drawn("✗", "X")


def _running(lanes: _Lanes, look: Look) -> str:
    bar = look.drawn("│", "|")
    return " ".join(bar if tensor is not None else " " for tensor in lanes.lanes).rstrip()


def _joined(before: list[bool], taken: list[int], ending: set[int], own: int, look: Look) -> str:
    """The line in which the taken lanes turn to the box's own."""
    first, last = min(*taken, own), max(*taken, own)
    cells = []
    for lane, running in enumerate(before):
        arms = 0
        if lane in taken or lane == own:
            arms |= _UP if lane in taken else 0
            arms |= _DOWN if lane == own or (lane in taken and lane not in ending) else 0
            arms |= _LEFT if lane > first else 0
            arms |= _RIGHT if lane < last else 0
        elif running:
            arms = _UP | _DOWN
        elif first < lane < last:
            arms = _LEFT | _RIGHT
        cells.append(_glyph(arms, look))
    line = cells[0]
    for lane in range(1, len(cells)):
        line += (look.drawn("─", "-") if first < lane <= last else " ") + cells[lane]
    return line.rstrip()


def _glyph(arms: int, look: Look) -> str:
    if not arms:
        return " "
    plain = "|" if arms == _UP | _DOWN else "-" if arms == _LEFT | _RIGHT else "+"
    return look.drawn(_DRAWN[arms], plain)
