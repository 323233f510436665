"""The one way to write a spec: from a Document to its text, formatted. Comments and meaning stay as they are."""

from cnndsl.format.write import formatted

__all__ = ["formatted"]
