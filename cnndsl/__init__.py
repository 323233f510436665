"""cnndsl: a declarative language for convolutional networks, and its compiler."""

__version__ = "0.1.0"
