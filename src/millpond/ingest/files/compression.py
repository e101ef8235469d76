"""Reading plain, gzip and zstd files so that damage is noticed: engines read a cut gzip as if it were whole."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO, Protocol

import zstandard

from millpond.ingest.files.problems import Problem

CHUNK = 1 << 20
"""Most bytes that are given out at a time."""
_INPUT = 1 << 16
_MAGIC = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"))


class Sink(Protocol):
    """Takes the stored bytes of a file as they are read, such as a hash."""

    def update(self, data: bytes, /) -> None:
        """Take the next bytes."""
        ...


def told_by(head: bytes) -> str:
    """The compression that a file's first bytes tell: gzip, zstd or none."""
    return next((name for magic, name in _MAGIC if head.startswith(magic)), "none")


class Contents:
    """The uncompressed bytes of an open file, in pieces of at most a few megabytes.

    After the last piece `problem` says whether the compression was broken or cut, and `padded` whether zeros follow
    the last gzip member. `stored` is given every byte as it lies in the file, also behind a break.
    """

    def __init__(self, stream: BinaryIO, compression: str, stored: Sink | None = None) -> None:
        self._stream = stream
        self._compression = compression
        self._stored = stored
        self.problem: Problem | None = None
        self.padded = False

    def __iter__(self) -> Iterator[bytes]:
        chunks = self._chunks(CHUNK if self._compression == "none" else _INPUT)
        if self._compression == "gzip":
            yield from self._gunzip(chunks)
        elif self._compression == "zstd":
            yield from self._unzstd(chunks)
        else:
            yield from chunks
        for _ in chunks:
            pass

    def _chunks(self, size: int) -> Iterator[bytes]:
        while chunk := self._stream.read(size):
            if self._stored is not None:
                self._stored.update(chunk)
            yield chunk

    def _gunzip(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        member, members, fresh = zlib.decompressobj(zlib.MAX_WBITS | 16), 0, True
        for chunk in chunks:
            data, full = chunk, False
            while data or full:
                if fresh and members and not data.strip(b"\0"):
                    self.padded = True
                    break
                try:
                    piece = member.decompress(data, CHUNK)
                except zlib.error as broken:
                    self.problem = Problem("damaged_gzip", f"its gzip stream is broken ({broken})")
                    return
                fresh, full, data = False, len(piece) == CHUNK, member.unconsumed_tail
                if piece:
                    yield piece
                if member.eof:
                    data, full = member.unused_data, False
                    member, members, fresh = zlib.decompressobj(zlib.MAX_WBITS | 16), members + 1, True
        if not fresh or not members:
            self.problem = Problem("cut_gzip", "its gzip stream ends too early", cut=True)

    def _unzstd(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        frame, frames, fresh = zstandard.ZstdDecompressor().decompressobj(), 0, True
        for chunk in chunks:
            data = chunk
            while data:
                try:
                    piece = frame.decompress(data)
                except zstandard.ZstdError as broken:
                    self.problem = Problem("damaged_zstd", f"its zstd stream is broken ({broken})")
                    return
                fresh, data = False, b""
                if piece:
                    yield piece
                if frame.eof:
                    data = frame.unused_data
                    frame, frames, fresh = zstandard.ZstdDecompressor().decompressobj(), frames + 1, True
        if not fresh or not frames:
            self.problem = Problem("cut_zstd", "its zstd stream ends too early", cut=True)
