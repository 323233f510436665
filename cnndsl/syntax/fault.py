"""A line that can't be read, before it is a problem of a file."""

from __future__ import annotations

from typing import Any

Token = tuple[str, str, int, int]


class SyntaxFault(Exception):  # noqa: N818 (a mistake in a spec, not in the program)
    """A line that can't be read: the problem's class by name, its place within the line, its values.

    `fix` is the title of a plain way to mend it and what to write instead of the marked text, or instead of
    what stands at `fix_at`. `ends`: the line is not read on with that fix, as words get another
    place by it, or more is missing. applicability: how sure the fix is (diagnostics.Fix).
    """

    def __init__(
        self,
        problem: str,
        start: int,
        end: int,
        *,
        fix: tuple[str, str] | None = None,
        fix_at: tuple[int, int] | None = None,
        ends: bool = False,
        applicability: str = "safe",
        **values: Any,
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.start = start
        self.end = end
        self.fix = fix
        self.fix_at = fix_at or (start, end)
        self.ends = ends
        self.applicability = applicability
        self.values = values
