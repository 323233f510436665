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
