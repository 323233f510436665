"""Styles: each module has `scene(network, wanted)`, from a folded outline to a picture; `text` has lines instead."""

GRAPH = "graph"
"""The style that shows boxes as they are asked for; the others choose for themselves what they open."""
SCENES = ("layers", "volumes", GRAPH)
TEXT = "text"
"""The style of terminals."""
STYLES = (*SCENES, TEXT)


class NotLaidOut(Exception):  # noqa: N818
    """A program that lays pictures out can't be run, or can't do it; the text says why, for a user."""
