"""What can be wrong with a file as a whole, before its text is looked at."""

from __future__ import annotations

from cnndsl.diagnostics import Diagnostic


class MissingFile(Diagnostic):
    """A file is named that does not exist. Check the spelling and the folder; names are case-sensitive.

    Wrong: `cnndsl check lenet.cnn` in a folder without that file. Right: `cnndsl check specs/lenet5.cnn`.
    """

    code = "E001"
    title = "no such file"
    message = "there is no file {name}"
    help = "did you mean {suggestion}?"


class FileIsFolder(Diagnostic):
    """A folder is named where a file is needed.

    Wrong: `cnndsl check specs`. Right: `cnndsl check specs/*.cnn`.
    """

    code = "E002"
    title = "a folder, not a file"
    message = "{name} is a folder, not a spec"
    help = "name the files in it: {suggestion}"


class UnreadableFile(Diagnostic):
    """The system does not let the file be read: its permissions forbid it, or the disk fails."""

    code = "E003"
    title = "unreadable file"
    message = "can't read {name}: {reason}"


class FileTooLarge(Diagnostic):
    """A spec may hold 8 MiB, forty times what anyone has written by hand. Repeated layers are written once,
    with `repeat` or `* count`."""

    code = "E004"
    title = "file too large"
    message = "{name} is larger than 8 MiB, which no spec is"
    help = "is it the right file? Write repeated layers with `repeat` or `* count`"


class BinaryFile(Diagnostic):
    """The file holds bytes that no text has: it may be a checkpoint, an image or an archive."""

    code = "E005"
    title = "not a text file"
    message = "{name} is not a text file: byte {position} is zero"
    help = "a spec is plain text; is it the right file?"


class WrongEncoding(Diagnostic):
    """The file is text in another encoding than UTF-8. Save it as UTF-8; every editor can."""

    code = "E006"
    title = "not UTF-8"
    message = "{name} is not UTF-8 text: {reason}"
    help = "save it as UTF-8 in your editor, or convert it: iconv -f {encoding} -t UTF-8"


class NoGit(Diagnostic):
    """A spec is wanted as it was at a git revision, and there is no program `git` to ask. Install it, or compare two
    files."""

    code = "E007"
    title = "git is missing"
    message = "git is not installed, or not on the PATH"
    help = "install git, or save the old version as a file and compare the two files"


class NoRepository(Diagnostic):
    """A spec is wanted as it was at a git revision, but its folder lies in no git repository, or git refuses to read
    that.

    Wrong: `cnndsl diff /tmp/net.cnn --rev HEAD~1`. Right: the same for a file below a folder where `git init` was run.
    """

    code = "E008"
    title = "no git repository"

    def message_text(self) -> str:
        reason = self.values["reason"]
        return (
            f"git can't read {self.values['folder']}: {reason}"
            if reason
            else (f"{self.values['folder']} is not in a git repository")
        )


class UnknownRevision(Diagnostic):
    """A git revision is named that the repository does not have: no commit, branch or tag. What begins with `-` is
    none.

    Wrong: `cnndsl diff net.cnn --rev HEAD~99`. Right: `cnndsl diff net.cnn --rev HEAD~1`.
    """

    code = "E009"
    title = "unknown git revision"
    message = "the repository has no revision {revision}"
    help = "`git log --oneline -- FILE` lists those in which the file changed"


class NotInRevision(Diagnostic):
    """A git revision does not have the file: it was added later, has another name there, or its path is counted from
    another folder. Behind `REV:`, paths count from the top of the repository, as git has it, unless they begin with
    `./`.

    Wrong: `cnndsl diff HEAD~1:net.cnn net.cnn` in the folder `specs`. Right: `cnndsl diff HEAD~1:./net.cnn net.cnn`.
    """

    code = "E010"
    title = "not in that revision"
    message = "there is no file {name} in the revision {revision}"
    help = "did you mean {suggestion}?"


class UseFails(Diagnostic):
    """`use` names a file that is not there or can't be read. Its path counts from the file that it is written in.

    Wrong: `use "block.cnn": se`, where the file is `blocks.cnn`. Right: `use "blocks.cnn": se`.
    """

    code = "E224"
    title = "the used file can't be read"
    message = "{reason}"
    label = "used here"
    help = "did you mean {suggestion}?"


class UseOutside(Diagnostic):
    """`use` leads out of the project's folder, which is the main file's own, or what `--root` says. A spec from
    elsewhere can't read what it likes; links are followed before this is decided.

    Wrong: `use "../blocks.cnn": se`. Right: `cnndsl check --root .. nets/mine.cnn`.
    """

    code = "E225"
    title = "outside the project"
    message = "{name} lies outside the project's folder {root}"
    label = "not in that folder"
    help = "move it there, or widen the project: --root FOLDER"


class NotShipped(Diagnostic):
    """`use` names shipped blocks that don't exist. What ships begins with `std.`; a file of one's own is named in
    quotes.

    Wrong: `use blocks: se`. Right: `use "blocks.cnn": se`, or `use std.residual: bottleneck`.
    """

    code = "E226"
    title = "no such shipped blocks"
    message = "no blocks named {name} ship with cnndsl"
    label = "there are {known}"

    def help_text(self) -> str | None:
        if self.values["guess"]:
            return f"did you mean `{self.values['guess']}`?"
        return f'a file of your own is named in quotes: use "{self.values["file"]}"'
