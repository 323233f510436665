"""The syntax of .cnn files: text to a tree that keeps everything."""

from cnndsl.syntax.layout import parse
from cnndsl.syntax.parser import parse_line

__all__ = ["parse", "parse_line"]
