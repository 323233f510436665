"""Evaluating the arithmetic that derivations print, by Python's own parser and exact fractions."""

from __future__ import annotations

import ast
import re
from fractions import Fraction
from math import ceil, floor
from typing import Any

FUNCTIONS: dict[str, Any] = {"floor": floor, "ceil": ceil, "max": max, "min": min, "abs": abs}


class _Exact(ast.NodeTransformer):
    def visit_Constant(self, node: ast.Constant) -> Any:
        return ast.Call(ast.Name("Fraction", ast.Load()), [node], [])


def value_of(text: str) -> Fraction:
    """What a sum such as `floor((1,024 - 5) / 2) + 1` comes to."""
    tree = ast.parse(re.sub(r"(?<=\d),(?=\d{3})", "", text), mode="eval")
    code = compile(ast.fix_missing_locations(_Exact().visit(tree)), "sum", "eval")
    return Fraction(eval(code, {"Fraction": Fraction, **FUNCTIONS}))
