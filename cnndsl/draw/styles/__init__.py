"""Styles: each module has `scene(network, wanted)`, from a folded outline to a picture."""

STYLES = ("layers", "volumes", "graph")
