"""Tiles that are files. The formats differ in the names of the files, in their bytes, and in how they are finished."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from unica.errors import UnicaError
from unica.tiled.base import Tiling
from unica.tiled.store import Files


@runtime_checkable
class Coding(Protocol):
    """How a format stores a tile."""

    def name(self, level: int, row: int, column: int) -> str:
        """The name of a tile's file. All tiles of a level are in one folder."""
        ...

    def encoded(self, pixels: np.ndarray) -> bytes: ...

    def decoded(self, data: bytes, shape: tuple[int, int, int]) -> np.ndarray:
        """The pixels of a tile of this height, width and channels. Raises ValueError if the data are damaged."""
        ...


@dataclass(frozen=True)
class TileFiles:
    """Tiles that are there."""

    tiling: Tiling
    files: Files
    coding: Coding

    def read(self, level: int, row: int, column: int) -> np.ndarray:
        shape, name = self.tiling.shape(level, row, column), self.coding.name(level, row, column)
        data = self.files.read(name)
        try:
            return self.coding.decoded(data, shape)
        except ValueError:
            raise UnicaError(f"{self.files}/{name} is damaged: the picture must be made again") from None


@dataclass(frozen=True)
class Picture(TileFiles):
    """A finished picture that consists of tiles in files."""

    text: dict[str, str]


@dataclass(frozen=True)
class Writer(TileFiles, ABC):
    """Tiles that are written one by one."""

    working: Files

    def has(self, level: int, row: int, column: int) -> bool:
        self.tiling.part(level, row, column)
        return self.files.has(self.coding.name(level, row, column))

    def missing(self, level: int) -> list[tuple[int, int]]:
        rows, columns = self.tiling.grid(level)
        there = self.files.names(self.coding.name(level, 0, 0).split("/")[0])
        every = ((row, column) for row in range(rows) for column in range(columns))
        return [tile for tile in every if self.coding.name(level, *tile) not in there]

    def write(self, level: int, row: int, column: int, pixels: np.ndarray) -> None:
        shape = self.tiling.shape(level, row, column)
        if pixels.shape != shape or pixels.dtype != self.tiling.dtype:
            raise ValueError(f"expected {shape} of {self.tiling.dtype}, got {pixels.shape} of {pixels.dtype}")
        self.files.write(self.coding.name(level, row, column), self.coding.encoded(pixels))

    def finish(self, text: Mapping[str, str]) -> None:
        for level in range(len(self.tiling.sizes)):
            if missing := self.missing(level):
                total = self.tiling.tiles(level)
                raise UnicaError(f"{self.working} is not complete: level {level} lacks {len(missing)} of {total} tiles")
        self.publish(text)
        with suppress(UnicaError):  # the picture is complete, even if something of the working folder stays
            self.working.remove()

    @abstractmethod
    def publish(self, text: Mapping[str, str]) -> None:
        """Make the picture of tiles that are all there."""


def inflated(data: bytes, size: int) -> bytes:
    """What zlib packed, which must be so many bytes. Raises ValueError."""
    try:
        unpack = zlib.decompressobj()
        found = unpack.decompress(data, size + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if len(found) != size or not unpack.eof:
        raise ValueError(f"expected {size} bytes, got {len(found)}")
    return found


def clean_text(text: object) -> dict[str, str]:
    """A text by key from a file of unknown origin."""
    return {key: value for key, value in text.items() if isinstance(value, str)} if isinstance(text, dict) else {}
