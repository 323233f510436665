"""One way to mend an error, before it is tried."""

from __future__ import annotations

from cnndsl.diagnostics import Edit
from cnndsl.record import Record


class Candidate(Record):
    """Edits that may mend an error, and what they are in words."""

    title: str
    edits: tuple[Edit, ...]
    applicability: str = "possible"
