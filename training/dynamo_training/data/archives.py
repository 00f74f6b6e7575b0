"""Reads the files of untrusted package archives in memory; nothing is unpacked to disk.

Zip (wheels, jars), compressed tar (npm packages, crates) and Debian's ar of tars are told apart by
their first bytes. Links and devices are no files; what exceeds a limit raises ArchiveError.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

MOST_MEMBERS = 100_000
LARGEST_MEMBER = 1 << 20  # bytes; larger ones are passed over unread
LARGEST_TOTAL = 1 << 30  # bytes, unpacked, whether wanted or not
AR_MAGIC = b"!<arch>\n"
AR_HEADER = 60  # bytes
DECOMPRESSORS = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}
DAMAGED = (
    zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error,
    EOFError, OSError, RuntimeError,  # RuntimeError: encrypted, or packed in an unknown way
)  # fmt: skip


class ArchiveError(ValueError):
    """The archive is damaged, of an unknown kind, or over a limit."""


def members(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Name and content of each regular file whose name is wanted, in the archive's order."""
    with path.open("rb") as file:
        magic = file.read(len(AR_MAGIC))
    try:
        if magic.startswith(b"PK"):
            yield from _zip(path, wanted)
        elif magic == AR_MAGIC:
            yield from _tar(io.BytesIO(debian_data(path.read_bytes())), wanted)
        else:
            with path.open("rb") as file:
                yield from _tar(file, wanted)
    except DAMAGED as error:
        raise ArchiveError(f"{path.name}: {error}") from error


def debian_data(archive: bytes) -> bytes:
    """The data member of a .deb: the compressed tar of the files that it installs."""
    at = len(AR_MAGIC)
    while at + AR_HEADER <= len(archive):
        header = archive[at : at + AR_HEADER]
        name, size = header[:16].rstrip(b" /"), header[48:58].strip()
        if header[58:] != b"`\n" or not size.isdigit():
            raise ArchiveError("damaged ar header")
        start, end = at + AR_HEADER, at + AR_HEADER + int(size)
        if end > len(archive):
            raise ArchiveError("ar member ends after its archive")
        if name.startswith(b"data.tar"):
            return archive[start:end]
        at = end + end % 2
    raise ArchiveError("no data.tar in the package")


def _zip(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        found = archive.infolist()
        if len(found) > MOST_MEMBERS or sum(info.file_size for info in found) > LARGEST_TOTAL:
            raise ArchiveError(f"{path.name}: too many files or too much content")
        for info in found:
            if not info.is_dir() and info.file_size <= LARGEST_MEMBER and wanted(info.filename):
                # ZipFile reads no more than the size in the directory, whatever the stream holds.
                yield info.filename, archive.read(info)


def _tar(file: BinaryIO, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    magic = file.read(2)
    file.seek(0)
    if magic not in DECOMPRESSORS:
        raise ArchiveError(f"no known compression begins with {magic!r}")
    plain = Metered(DECOMPRESSORS[magic](file), LARGEST_TOTAL)
    with tarfile.open(fileobj=plain, mode="r|") as archive:  # type: ignore[call-overload]
        for count, info in enumerate(archive):
            if count >= MOST_MEMBERS:
                raise ArchiveError("too many files")
            if info.isreg() and 0 <= info.size <= LARGEST_MEMBER and wanted(info.name):
                content = archive.extractfile(info)
                assert content is not None
                yield info.name, content.read()


class Metered:
    """A stream that may give a limited number of bytes, whatever its headers promise."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file = file
        self._left = most

    def read(self, size: int) -> bytes:
        content = self._file.read(size)
        self._left -= len(content)
        if self._left < 0:
            raise ArchiveError("too much content")
        return content
