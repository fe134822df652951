"""The one form of tar file that `archive` writes and reads: plain files, nothing else, each in one well-defined way.

Python's own `tarfile` reads everything that a tar file may hold: links, devices, sparse files, headers of any length.
An archive from a stranger's stick should meet no such code, so blocks are read here one by one, and `tarfile` only
translates a single header of 512 bytes. Every other program that knows tar can read these archives too.
"""

import re
import tarfile

BLOCK = tarfile.BLOCKSIZE
END = b"\0" * (2 * BLOCK)
TIME = 946684800  # 2000-01-01: the same study gives the same archive; tar warns of times near 1970
NAME = re.compile(r"\.?[A-Za-z0-9_+,=@%-][A-Za-z0-9._+,=@%-]*(?<!\.)")  # of a folder or file
DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # names that are no files on Windows
LONGEST = 255  # bytes of a path
TITLE = "SIMULATED study of From Files to Findings, packed"
COMMENT = re.compile(rb"(\d{1,3}) comment=([^\n]{1,200}); SHA-256 of manifest\.json: ([0-9a-f]{64})\n")
KINDS = {
    tarfile.DIRTYPE: "a folder",
    tarfile.LNKTYPE: "a link",
    tarfile.SYMTYPE: "a link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
}


class TarFormError(ValueError):
    """Bytes that are not of this form. The message says what was found."""


def is_plain_path(name):
    """Tell whether a path can be written on every system and stays inside the folder it is put in.

    Parameters
    ----------
    name : str

    Returns
    -------
    bool
        True for relative paths with forward slashes, made of letters, digits and harmless signs, without "..".
    """
    parts = name.split("/")
    return len(name) <= LONGEST and all(NAME.fullmatch(part) and not DEVICES.fullmatch(part) for part in parts)


def make_first_blocks(digest):
    """Make what stands before the first file: a comment, which other programs skip.

    Parameters
    ----------
    digest : str
        SHA-256 of the manifest.

    Returns
    -------
    bytes
        Two blocks.
    """
    text = f" comment={TITLE}; SHA-256 of manifest.json: {digest}\n"
    length = len(text) + 3
    record = f"{length}{text}".encode("ascii")
    header = tarfile.TarInfo("pax_global_header")
    header.type, header.size, header.mtime = tarfile.XGLTYPE, len(record), TIME
    return header.tobuf(tarfile.USTAR_FORMAT) + record + padding(len(record))


def read_first_blocks(file):
    """Read what stands before the first file.

    Parameters
    ----------
    file : file object

    Returns
    -------
    str
        SHA-256 of the manifest.

    Raises
    ------
    TarFormError
        If the file does not begin like an archive of ours.
    """
    blocks = file.read(2 * BLOCK)
    found = COMMENT.match(blocks[BLOCK:])
    if not found or blocks != make_first_blocks(found[3].decode()):
        raise TarFormError("does not begin like an archive that `python -m data_scripts pack` has made")
    return found[3].decode()


def make_header(name, size):
    """Make the block that stands before a file.

    Parameters
    ----------
    name : str
        Path with forward slashes.
    size : int
        Bytes.

    Returns
    -------
    bytes

    Raises
    ------
    TarFormError
        If the path cannot be written on every system, or is too long.
    """
    info = tarfile.TarInfo(name)
    info.size, info.mtime = size, TIME
    try:
        if not is_plain_path(name):
            raise ValueError("only letters, digits and . _ + , = @ % - are allowed")
        return info.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")
    except ValueError as error:
        raise TarFormError(f"{name!r} cannot be packed: {error}") from None


def read_header(block):
    """Read the block that stands before a file.

    Parameters
    ----------
    block : bytes

    Returns
    -------
    (str, int) or None
        Path and size; None for the block of zeros that ends the archive.

    Raises
    ------
    TarFormError
        If the archive ends here, the block is damaged, or it announces anything but a plain file with a plain path.
    """
    if len(block) < BLOCK:
        raise TarFormError("ends too early: it was not copied to the end")
    if block == bytes(BLOCK):
        return None
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "replace")
    except tarfile.HeaderError as error:
        raise TarFormError(f"is damaged ({error})") from None
    if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
        what = KINDS.get(info.type, f"an entry of type {info.type!r}")
        raise TarFormError(f"holds {what} ({info.name!r}); only plain files are unpacked")
    if not is_plain_path(info.name):
        raise TarFormError(f"holds a file that would not stay in its folder, or has an unusual name ({info.name!r})")
    return info.name, info.size


def padding(size):
    """Make the zeros that fill a file's last block.

    Parameters
    ----------
    size : int
        Bytes of the file.

    Returns
    -------
    bytes
    """
    return b"\0" * (-size % BLOCK)


def count_bytes(sizes):
    """Compute how long an archive is.

    Parameters
    ----------
    sizes : iterable of int
        Bytes of each file in it.

    Returns
    -------
    int
    """
    return 2 * BLOCK + sum(BLOCK + size + len(padding(size)) for size in sizes) + len(END)
