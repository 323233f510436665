"""Which input sizes a network takes, which of them lose no cells, and what comes out of each.

`ask` answers for the networks of a spec, exactly over a range of sizes; `ask_at` says all about one size; `nearest`
which sizes near one fit along a line of an answer.
"""

from __future__ import annotations

from cnndsl.sizes.answer import Allowed, Answer, Line
from cnndsl.sizes.ask import NotThere, Question, ask, ask_at
from cnndsl.sizes.at import At, Near, Stage, nearest

__all__ = ["Allowed", "Answer", "At", "Line", "Near", "NotThere", "Question", "Stage", "ask", "ask_at", "nearest"]
