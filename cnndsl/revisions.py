"""Specs as they are in a git revision: the only place where git is run.

git gets its arguments as a list, without a shell; a revision that begins with `-` is refused, a path is looked up as it
stands and never as a pattern, and contents are read by their hash. Nothing is fetched, asked, or written.
"""

from __future__ import annotations

import os
from posixpath import dirname, join, normpath

from cnndsl.diagnostics import Diagnostic, problem
from cnndsl.files import Library, UseError, decoded
from cnndsl.record import Record
from cnndsl.source import MAX_BYTES, Source, Span
from cnndsl.terminal import visible

_QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
}
_MOST_LINKS = 8
"""Symbolic links that are followed one after the other."""
_FILES = ("100644", "100755", "100664")
_LINK = "120000"


def split(text: str) -> tuple[str, str] | None:
    """The revision and the path of `REV:FILE`, as git writes it; None if the text is not of that form, or a file."""
    revision, colon, path = text.partition(":")
    drive = len(revision) == 1 and path[:1] in ("\\", "/")
    if not colon or not revision or not path or drive or os.path.lexists(text):
        return None
    return revision, path


def read(
    revision: str, path: str, root: str | None = None, *, top: bool = False
) -> tuple[Source | Diagnostic, Library | None]:
    """A spec at a revision, and what it may use there; or why it can't be read.

    path: from the current folder, or with `top` as git has it behind `REV:`, from the top of the repository unless it
    begins with `./` or `../`. root: the folder that `use` may not leave; the file's own where it is None.
    """
    name = f"{revision}:{path}"
    try:
        tree = _open(revision, "." if top else dirname(path) or ".", name)
        inside = _from_top(tree, path) if top else _inside(tree.top, path)
        source = Source(name, _content(tree, inside, name))
        library = RevisionLibrary(source, tree, inside, None if root is None else _inside(tree.top, root))
    except _Unreadable as error:
        return error.diagnostic, None
    return source, library


class _Unreadable(Exception):  # noqa: N818
    """Something that can't be read at a revision, with what is said about it."""

    def __init__(self, file: str, kind: str, /, **values: str | None) -> None:
        super().__init__(kind)
        self.diagnostic = problem(kind, Span(Source(file, ""), 0, 0), **values)


class _Tree(Record):
    """All files of a revision. top: the folder of the repository; commit: the revision's hash, which no option can be.

    prefix: the current folder from the top, `/` behind it.
    """

    top: str
    revision: str
    commit: str
    prefix: str


def _git(folder: str, *arguments: str) -> tuple[int, bytes, str]:
    """The exit code of git, what it prints, and what it complains of. Raises FileNotFoundError without git."""
    import subprocess

    run = subprocess.run(
        ["git", "-C", folder, "--literal-pathspecs", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        env={**os.environ, **_QUIET},
    )
    return run.returncode, run.stdout, run.stderr.decode("utf-8", "replace").strip()


def _open(revision: str, folder: str, name: str) -> _Tree:
    """The files of a revision in the repository that a folder lies in. Raises _Unreadable."""
    while not os.path.isdir(folder):
        folder = dirname(folder) or "."
    try:
        code, top, said = _git(folder, "rev-parse", "--show-toplevel")
    except FileNotFoundError:
        raise _Unreadable(name, "NoGit") from None
    if code:
        shown = visible(os.path.abspath(folder))
        reason = None if "not a git repository" in said else visible(said.removeprefix("fatal: ").splitlines()[0])
        raise _Unreadable(name, "NoRepository", folder=shown, reason=reason)
    if revision.startswith("-"):
        raise _Unreadable(name, "UnknownRevision", revision=visible(revision))
    code, commit, _ = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", revision + "^{commit}")
    if code:
        raise _Unreadable(name, "UnknownRevision", revision=visible(revision))
    _, prefix, _ = _git(folder, "rev-parse", "--show-prefix")
    return _Tree(_line(top), revision, commit.decode("ascii").strip(), _line(prefix))


def _line(output: bytes) -> str:
    return os.fsdecode(output.removesuffix(b"\n").removesuffix(b"\r"))


def _from_top(tree: _Tree, path: str) -> str:
    """The path of `REV:PATH` from the top of the repository."""
    relative = path.startswith(("./", "../"))
    return normpath(join(tree.prefix, path) if relative else path)


def _inside(top: str, path: str) -> str:
    """A path of the file system from the top of the repository; links of folders are followed."""
    folder = os.path.realpath(os.path.dirname(path) or ".")
    inside = os.path.relpath(os.path.join(folder, os.path.basename(path)), os.path.realpath(top))
    return normpath(inside.replace(os.sep, "/"))


def _content(tree: _Tree, path: str, name: str) -> str:
    """The text of a file. Raises _Unreadable."""
    values = {"name": visible(path), "revision": visible(tree.revision)}
    for _ in range(_MOST_LINKS):
        found = None if path.startswith("../") else _entry(tree, path)
        if found is None:
            raise _Unreadable(name, "NotInRevision", **values, suggestion=_suggestion(tree, path))
        mode, hash_, size = found
        if mode == "040000":
            raise _Unreadable(name, "FileIsFolder", name=visible(name), suggestion=None)
        if mode not in (*_FILES, _LINK):
            raise _Unreadable(name, "UnreadableFile", name=visible(name), reason="it is a submodule")
        if size > MAX_BYTES:
            raise _Unreadable(name, "FileTooLarge", name=visible(name))
        code, content, said = _git(tree.top, "cat-file", "blob", hash_)
        if code:
            raise _Unreadable(name, "UnreadableFile", name=visible(name), reason=visible(said) or "git fails")
        if mode != _LINK:
            text = decoded(name, content)
            if isinstance(text, Diagnostic):
                raise _Wrong(text)
            return text
        path = normpath(join(dirname(path), os.fsdecode(content)))
    raise _Unreadable(name, "NotInRevision", **values, suggestion=None)


class _Wrong(_Unreadable):
    """A file that can be read but is no text."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        Exception.__init__(self)
        self.diagnostic = diagnostic


def _entry(tree: _Tree, path: str) -> tuple[str, str, int] | None:
    """Mode, hash and size of what stands under exactly this path; None if nothing does."""
    code, output, _ = _git(tree.top, "ls-tree", "-z", "-l", "--full-tree", "--end-of-options", tree.commit, "--", path)
    for entry in output.split(b"\0") if code == 0 else ():
        about, _, name = entry.partition(b"\t")
        if os.fsdecode(name) == path:
            mode, _, hash_, size = about.decode("ascii").split()
            return mode, hash_, int(size) if size.isdigit() else 0
    return None


def _suggestion(tree: _Tree, path: str) -> str | None:
    """Where else a file of this name is at the revision: below the current folder, or anywhere if there is only one."""
    if tree.prefix and _entry(tree, normpath(join(tree.prefix, path))) is not None:
        return visible(f"{tree.revision}:./{path}")
    code, output, _ = _git(
        tree.top, "ls-tree", "-z", "-r", "--name-only", "--full-tree", "--end-of-options", tree.commit
    )
    base = os.path.basename(path)
    same = [one for one in map(os.fsdecode, output.split(b"\0")) if code == 0 and os.path.basename(one) == base]
    return visible(f"{tree.revision}:{same[0]}") if len(same) == 1 else None


class RevisionLibrary(Library):
    """The files that a spec may `use`, all as they are at its revision; what ships with cnndsl is as it is now."""

    def __init__(self, main: Source, tree: _Tree, path: str, root: str | None) -> None:
        super().__init__(main)
        self.tree = tree
        self.folder = dirname(path) if root is None else root.removeprefix(".")
        self.paths = {main.name: path}

    def _file(self, name: str, using: Source) -> Source:
        at = self.paths.get(using.name)
        if at is None:
            raise UseError("UseFails", reason=f"shipped blocks use no file such as {visible(name)}", suggestion=None)
        path = normpath(join(dirname(at), name))
        if path.startswith("/") or (self.folder and not path.startswith(self.folder + "/")) or path[:3] == "../":
            raise UseError("UseOutside", name=visible(name), root=visible(self.folder or "."))
        if path == self.paths[self.main.name]:
            return self.main
        shown = f"{self.tree.revision}:{path}"
        if shown not in self.sources:
            try:
                self.sources[shown] = Source(shown, _content(self.tree, path, shown))
            except _Unreadable as error:
                raise UseError("UseFails", reason=error.diagnostic.message_text(), suggestion=None) from None
            self.paths[shown] = path
        return self.sources[shown]
