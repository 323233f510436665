"""Styles: each module has `scene(network, wanted)`, from a folded outline to a picture; `text` has lines instead."""

SCENES = ("layers", "volumes", "graph")
TEXT = "text"
"""The style of terminals."""
STYLES = (*SCENES, TEXT)
