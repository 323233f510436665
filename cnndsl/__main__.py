"""`python -m cnndsl` is the `cnndsl` command."""

from cnndsl.cli import program

program()
