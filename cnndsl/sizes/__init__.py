"""Which input sizes a network takes, which of them lose no cells, and what comes out of each.

`ask` answers for the networks of a spec, exactly over a range of sizes; `nearest` says which sizes near one fit.
"""

from __future__ import annotations

from cnndsl.sizes.answer import Allowed, Answer, Line
from cnndsl.sizes.ask import NotThere, Question, ask

__all__ = ["Allowed", "Answer", "Line", "NotThere", "Question", "ask"]
