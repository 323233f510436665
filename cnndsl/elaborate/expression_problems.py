"""What can be wrong with an expression."""

from __future__ import annotations

from cnndsl.diagnostics import Diagnostic, Edit, Fix, closest

_PYTHON = {"int": "floor", "True": "true", "False": "false", "None": None, "math": None, "np": None, "float": None}
"""What Python's names are here; None: nothing that they could be mistaken for."""


class UndefinedName(Diagnostic):
    """An expression uses a name that has no value there."""

    code = "E401"
    title = "undefined name"
    message = "`{name}` has no value here"
    label = "not defined"

    def guess(self) -> str | None:
        if self.values["name"] in _PYTHON:
            return _PYTHON[self.values["name"]]
        known = [*self.values["known"], "true", "false"]
        found: str | None = self.values.get("guess") or closest(self.values["name"], known)
        return found if found != self.values["name"] else None

    def help_text(self) -> str | None:
        guess = self.guess()
        if self.values["name"] in ("math", "np"):
            return "`floor`, `ceil`, `round`, `sqrt` and `log` stand alone"
        return f"did you mean `{guess}`?" if guess else None


class DivisionByZero(Diagnostic):
    """A division by zero."""

    code = "E402"
    title = "division by zero"
    message = "this divides by zero"
    label = "the divisor is 0"


class ResultTooLarge(Diagnostic):
    """A number grows beyond what any network needs."""

    code = "E403"
    title = "result too large"
    message = "this number would be too large"
    label = "more than 1,200 digits"


class NoRealNumber(Diagnostic):
    """An expression such as `(-8) ** 0.5` has no real value."""

    code = "E404"
    title = "no real number"
    message = "this has no real value"
    label = "a root of a negative number"


class WrongOperand(Diagnostic):
    """An operator is used on something it isn't meant for."""

    code = "E405"
    title = "wrong operand"
    message = "`{operator}` does not work with {value}"
    label = "works with numbers, and with lists for `+` and `*`"


class CannotCompare(Diagnostic):
    """Two values of different kinds are compared by size."""

    code = "E406"
    title = "values that can't be compared"
    message = "{left} and {right} can't be compared"
    label = "no order between them"


class RoughlyWhat(Diagnostic):
    """`~` compares a number with one that is written out: `params ~ 44.5M`."""

    code = "E407"
    title = "`~` without a written number"
    message = "`~` compares with a number as written, such as `params ~ 44.5M`"
    label = "no written number on the right"


class NoAttributes(Diagnostic):
    """Something has no attributes."""

    code = "E408"
    title = "no such attribute"
    message = "{value} has no `.{name}`"
    label = "only layers and tensors have attributes"


ATTRIBUTES_ELSEWHERE = {
    "parameters": "params",
    "receptive_field": "rf",
    "out_channels": "channels",
    "filters": "channels",
    "units": "channels",
    "size": "shape",
    "mac": "macs",
    "flop": "flops",
}


class UnknownAttribute(Diagnostic):
    """A layer or tensor has no attribute of that name."""

    code = "E409"
    title = "no such attribute"
    message = "{what} has no `.{name}`"
    label = "not an attribute"

    def help_text(self) -> str | None:
        advice = self.values.get("advice")
        if isinstance(advice, str):
            return advice
        return None if self.fixes else "it has " + ", ".join(self.values["known"])

    def guess_fixes(self) -> tuple[Fix, ...]:
        name = self.values["name"]
        guess = ATTRIBUTES_ELSEWHERE.get(name) or closest(name, self.values["known"])
        known = guess is not None and guess in self.values["known"]
        if (
            guess is None
            or not known
            or isinstance(self.values.get("advice"), str)
            or self.span.text[-len(name) :] != name
        ):
            return ()
        place = self.span._replace(start=self.span.end - len(name))
        return (Fix(f"did you mean `.{guess}`?", (Edit(place, guess),)),)


class MissingKey(Diagnostic):
    """A dictionary doesn't have the key asked for."""

    code = "E410"
    title = "no such key"
    message = "the dictionary has no key {key}"
    label = "not a key"
    help = "its keys are {keys}"


class BadKey(Diagnostic):
    """A dictionary's keys are numbers, names or truth values."""

    code = "E411"
    title = "not a key"
    message = "{value} can't be a dictionary's key"
    label = "keys are numbers or names"


class NotIndexable(Diagnostic):
    """Only lists, sizes and dictionaries have parts."""

    code = "E412"
    title = "nothing to index"
    message = "{value} has no parts to take one of"
    label = "not a list or dictionary"


class BadIndex(Diagnostic):
    """An index is a whole number."""

    code = "E413"
    title = "not an index"
    message = "an index is a whole number, not {value}"
    label = "not a whole number"


class IndexOutOfRange(Diagnostic):
    """A list is shorter than the index asks."""

    code = "E414"
    title = "index out of range"
    message = "there is no item {index} in a list of {length}"
    label = "items are numbered from 0"

    def help_text(self) -> str | None:
        last = self.values["length"] - 1
        return f"the last item is number {last}, or `-1`" if last >= 0 else "the list is empty"

    def guess_fixes(self) -> tuple[Fix, ...]:
        index, length = self.values["index"], self.values["length"]
        if index != length or not length or self.span.text != str(index):
            return ()
        return (Fix("the last item", (Edit(self.span, str(length - 1)),), "possible"),)


class ZeroStep(Diagnostic):
    """A slice with a step of zero."""

    code = "E415"
    title = "slice with step 0"
    message = "a slice can't have a step of 0"
    label = "0"


class NotAFunction(Diagnostic):
    """Something is called that is no function."""

    code = "E416"
    title = "not a function"
    message = "{value} is not a function"
    label = "can't be called"


class WrongCall(Diagnostic):
    """A function gets arguments it can't take."""

    code = "E417"
    title = "wrong arguments"
    message = "`{name}` can't be called with {given}"
    label = "wrong arguments"
    help = "it is used as {usage}"


class NotIterable(Diagnostic):
    """`for` goes over lists and dictionaries."""

    code = "E418"
    title = "not a list"
    message = "{value} is not a list"
    label = "a list is expected"

    def guess_fixes(self) -> tuple[Fix, ...]:
        text = self.span.text
        line = self.span.source.text[: self.span.start].rpartition("\n")[2]
        if not text.isdigit() or not line.lstrip().startswith("for "):
            return ()
        return (Fix(f"write `range({text})`", (Edit(self.span, f"range({text})"),)),)


class CannotUnpack(Diagnostic):
    """Several names are given the parts of a list that has another number of them."""

    code = "E419"
    title = "wrong number of parts"
    message = "{names} names are to be set, but there {given}"
    label = "as many parts as names are expected"


class NotACount(Diagnostic):
    """A number of repetitions is a whole number of at least 0."""

    code = "E420"
    title = "not a count"
    message = "a number of repetitions is a whole number of at least 0, not {value}"
    label = "not a count"


class BadSetting(Diagnostic):
    """A value given with `--set` can't be read."""

    code = "E421"
    title = "value can't be read"
    message = "{message}"
    label = "write it as `--set name=value`"


class NoSuchEntry(Diagnostic):
    """A block or a layer is asked for by a number that none of its name has.

    Behind `bottleneck 64 * 3 as stage`, there are `stage[0]`, `stage[1]` and `stage[2]`; `stage[-1]` is the last.
    """

    code = "E422"
    title = "no such number"
    message = "{what} has no `[{index}]`"
    label = "not one of its numbers"

    def help_text(self) -> str | None:
        numbers = self.values["numbers"]
        if len(numbers) == 1:
            return f"there is `[{numbers[0]}]` alone"
        if numbers == list(range(len(numbers))):
            return f"there are {len(numbers)} of them, `[0]` to `[{numbers[-1]}]`"
        return "there are " + ", ".join(f"`[{number}]`" for number in numbers[:12]) + ", …" * (len(numbers) > 12)
