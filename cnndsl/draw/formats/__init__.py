"""Formats: each module has `render(scene, …)`, from a picture to what is written into a file."""
