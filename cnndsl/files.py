"""Reading specs and writing results: the only place where the compiler touches the file system.

Reading gives a `Source` or a Diagnostic that says why not; writing gives the whole file or leaves what
was there.
"""

from __future__ import annotations

import os
import stat
import sys
from typing import Any

from cnndsl.diagnostics import Diagnostic, closest, problem
from cnndsl.resources import folder
from cnndsl.source import MAX_BYTES, Source, Span
from cnndsl.terminal import visible

STDIN = "-"
MARK = b"\xef\xbb\xbf"
"""The byte-order mark that some editors write before UTF-8."""
_SUGGESTED_FROM = 2000
"""Names in a folder that are compared with a misspelt one."""


def read_source(path: str) -> Source | Diagnostic:
    """The text of a spec; `-` is standard input. Never reads more than 8 MiB, or a line end differently."""
    name = "<stdin>" if path == STDIN else path
    try:
        content = _content(path)
    except OSError as error:
        return _unreadable(name, path, error)
    except ValueError:  # a null character in the path
        return _about(name, "MissingFile", suggestion=None)
    if len(content) > MAX_BYTES:
        return _about(name, "FileTooLarge")
    text = decoded(name, content)
    return text if isinstance(text, Diagnostic) else Source(name, text)


def _content(path: str) -> bytes:
    """At most one byte more than a spec may hold. Raises OSError."""
    if path == STDIN:
        if sys.stdin is None:
            raise OSError("standard input is closed")
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    with open(path, "rb") as file:
        return file.read(MAX_BYTES + 1)


def decoded(name: str, content: bytes) -> str | Diagnostic:
    """The text of a spec's bytes, or why they are none."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _about(name, "WrongEncoding", reason="it begins as UTF-16 does", encoding="UTF-16")
    zero = content.find(0)
    if zero >= 0:
        return _about(name, "BinaryFile", position=f"{zero + 1:,}")
    try:
        return content.removeprefix(MARK).decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        reason = f"line {line:,} has the byte 0x{error.object[error.start]:02x}, which is out of place there"
        return _about(name, "WrongEncoding", reason=reason, encoding="LATIN1")


_SHIPPED_AS = {
    "resnet": "residual",
    "resnext": "residual",
    "mobilenet": "mobile",
    "densenet": "dense",
    "vit": "attention",
    "transformer": "attention",
    "se": "attention",
}
"""Architectures, and the files of the blocks that they are made of."""


class UseError(Exception):
    """A file that can't be used: `problem` names a Diagnostic class, `values` fill its templates."""

    def __init__(self, problem: str, **values: str | None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.values = values


class Library:
    """The files that a spec may `use`: those in the project's folder and below it, and those shipped with cnndsl.

    main: the spec. root: the project's folder; that of the main file where it is None. Every file is read once,
    whatever paths lead to it, and only when it is asked for.
    """

    def __init__(self, main: Source, root: str | None = None) -> None:
        self.main = main
        self.root = root or os.path.dirname(main.name) or "."
        self.sources: dict[str, Source] = {}
        self.links: dict[tuple[str, str], Source] = {}
        """Which file each path or shipped name means, with the name of the file it is written in."""

    def file(self, name: str, using: Source) -> Source:
        """The file that a path in `using` means, relative to that one's folder. Raises UseError."""
        found = self.links[using.name, name] = self._file(name, using)
        return found

    def _file(self, name: str, using: Source) -> Source:
        if os.path.isabs(name):
            reason = f"{visible(name)} is an absolute path; paths count from the file that they are written in"
            raise UseError("UseFails", reason=reason, suggestion=None)
        path = os.path.normpath(os.path.join(os.path.dirname(using.name), name))
        try:
            real, root = os.path.realpath(path), os.path.realpath(self.root)
        except (OSError, ValueError):
            raise UseError("UseFails", reason=f"there is no file {visible(name)}", suggestion=None) from None
        if real != root and not real.startswith(os.path.join(root, "")):
            raise UseError("UseOutside", name=visible(name), root=visible(self.root))
        return self._read(real, path)

    def shipped(self, names: tuple[str, ...], using: Source) -> Source:
        """The shipped file that `std.residual` in `using` means. Raises UseError."""
        whole = ".".join(names)
        found = self.links[using.name, whole] = self._shipped(whole, names, using)
        return found

    def _shipped(self, whole: str, names: tuple[str, ...], using: Source) -> Source:
        if len(names) == 2 and names[0] == "std" and names[1] in shipped_names():
            return self._read(os.path.join(folder("specs"), "std", f"{names[1]}.cnn"), whole)
        known = [f"std.{name}" for name in shipped_names()]
        file = "/".join(names[:-1] if len(names) > 1 and names[-1] == "cnn" else names) + ".cnn"
        near = _SHIPPED_AS.get(names[-1].lower().rstrip("0123456789")) or closest(names[-1], shipped_names())
        guess = f"std.{near}" if near else None
        raise UseError("NotShipped", name=whole, known=", ".join(known), guess=guess, file=file)

    def _read(self, real: str, name: str) -> Source:
        if real == os.path.realpath(self.main.name):
            return self.main
        if real not in self.sources:
            if os.path.exists(real) and not os.path.isfile(real) and not os.path.isdir(real):
                raise UseError("UseFails", reason=f"{visible(name)} is no file", suggestion=None)
            found = read_source(real)
            if isinstance(found, Diagnostic):
                reason = found.message_text().replace(visible(real), visible(name))
                suggestion = None if os.path.exists(real) else _similar(name)
                raise UseError("UseFails", reason=reason, suggestion=suggestion)
            self.sources[real] = Source(name, found.text)
        return self.sources[real]


class KeptLibrary(Library):
    """The files that a spec used once, kept as plain data: `kept_files` of the library that read them."""

    def __init__(self, main: Source, kept: dict[str, Any]) -> None:
        super().__init__(main)
        self.name = kept["main"]
        self.known = {name: Source(name, text) for name, text in kept["files"].items()}
        self.paths = {(using, path): name for using, path, name in kept["links"]}

    def _shipped(self, whole: str, names: tuple[str, ...], using: Source) -> Source:
        # As it was then: what ships may have changed since.
        return self._file(whole, using)

    def _file(self, name: str, using: Source) -> Source:
        meant = self.paths.get((self.name if using is self.main else using.name, name))
        if meant == self.name:
            return self.main
        if meant not in self.known:
            raise UseError("UseFails", reason=f"{visible(name)} was not kept", suggestion=None)
        return self.known[meant]


def kept_files(library: Library) -> dict[str, Any] | None:
    """The files that a library gave and what led to them, as data for JSON; None if there are none."""
    if not library.links:
        return None
    files = {source.name: source.text for source in library.links.values() if source is not library.main}
    links = [[using, path, source.name] for (using, path), source in library.links.items()]
    return {"main": library.main.name, "files": files, "links": links}


def shipped_names() -> list[str]:
    """The shipped files of blocks, without `std.` before them."""
    return sorted(name[:-4] for name in _names(os.path.join(folder("specs"), "std")) if name.endswith(".cnn"))


def _unreadable(name: str, path: str, error: OSError) -> Diagnostic:
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return _about(name, "MissingFile", suggestion=_similar(path))
    if isinstance(error, IsADirectoryError):
        return _about(name, "FileIsFolder", suggestion=_specs_in(path))
    return _about(name, "UnreadableFile", reason=(error.strerror or str(error)).lower())


def _about(name: str, kind: str, **values: str | None) -> Diagnostic:
    return problem(kind, Span(Source(name, ""), 0, 0), name=visible(name), **values)


def _similar(path: str) -> str | None:
    """A file that exists and is named much like the one that does not."""
    parent, wanted = os.path.split(path)
    if os.path.isfile(path + ".cnn"):
        return visible(path + ".cnn")
    names = _names(parent)
    if wanted.endswith(".cnn"):
        # A suffix that both have makes no two names alike.
        specs = {name[:-4]: name for name in names if name.endswith(".cnn")}
        found = specs.get(closest(wanted[:-4], specs) or "")
    else:
        found = closest(wanted, names) if wanted else None
    return visible(os.path.join(parent, found)) if found else None


def _specs_in(path: str) -> str | None:
    specs = sorted(name for name in _names(path) if name.endswith(".cnn"))
    return visible(os.path.join(path, "*.cnn" if len(specs) > 1 else specs[0])) if specs else None


def _names(path: str) -> list[str]:
    try:
        with os.scandir(path or ".") as entries:
            return [entry.name for entry, _ in zip(entries, range(_SUGGESTED_FROM), strict=False)]
    except OSError:
        return []


def is_same(path: str, other: str) -> bool:
    """Whether two paths lead to one file, so that writing one would overwrite the other."""
    try:
        return os.path.samefile(path, other)
    except (OSError, ValueError):
        return False


def rewrite(path: str, text: str) -> None:
    """Give a spec that is there another text; a byte-order mark before it stays. Raises OSError as `write_whole`."""
    with open(path, "rb") as file:
        marked = file.read(len(MARK)) == MARK
    write_whole(path, MARK * marked + text.encode("utf-8"))


def write_whole(path: str, content: bytes) -> None:
    """Write a file as a whole: into a temporary file beside it, which then takes its place, keeping its
    permissions. Links are followed; devices and pipes are written directly. Raises OSError, and then what was
    there before is still there.
    """
    target = os.path.realpath(path)
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG | 0o666 & ~_umask()
    if not stat.S_ISREG(mode):
        with open(path, "wb") as file:
            file.write(content)
        return
    if os.path.exists(target) and not os.access(target, os.W_OK):
        raise PermissionError(13, os.strerror(13), path)
    temporary = os.path.join(os.path.dirname(target), f".cnndsl-{os.urandom(6).hex()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, stat.S_IMODE(mode))
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
