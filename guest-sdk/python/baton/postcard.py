"""Bytes in postcard's wire format (https://postcard.jamesmunns.com/wire-format), so that actors written in different
languages can take over each other's states: `Writer` and `Reader`, for those who take the encoding into their own
hands. `@plugin(encoding="postcard")` does it by the types of a state's fields.
"""

from __future__ import annotations

import builtins
import struct

from .mismatch import Mismatch


class Writer:
    """Writes values one after the other."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def finish(self) -> bytes:
        """What was written."""
        return bytes(self._bytes)

    def bool(self, value: bool) -> None:
        self._bytes.append(1 if value else 0)

    def varint(self, value: int, bits: int = 64) -> None:
        """An unsigned integer of 16, 32, 64 or 128 bits. One of 8 bits is a single byte: `u8`."""
        if not 0 <= value < 1 << bits:
            raise Mismatch(f"{value} does not fit into {bits} bits without a sign")
        while value >= 0x80:
            self._bytes.append(value & 0x7F | 0x80)
            value >>= 7
        self._bytes.append(value)

    def zigzag(self, value: int, bits: int = 64) -> None:
        """A signed integer of 16, 32, 64 or 128 bits. One of 8 bits is a single byte: `i8`."""
        if not -(1 << bits - 1) <= value < 1 << bits - 1:
            raise Mismatch(f"{value} does not fit into {bits} bits with a sign")
        self.varint(value << 1 if value >= 0 else (-value << 1) - 1, bits)

    def u8(self, value: int) -> None:
        if not 0 <= value <= 0xFF:
            raise Mismatch(f"{value} does not fit into a byte")
        self._bytes.append(value)

    def i8(self, value: int) -> None:
        if not -0x80 <= value <= 0x7F:
            raise Mismatch(f"{value} does not fit into a byte with a sign")
        self._bytes.append(value & 0xFF)

    def f32(self, value: float) -> None:
        self._bytes += struct.pack("<f", value)

    def f64(self, value: float) -> None:
        self._bytes += struct.pack("<d", value)

    def str(self, value: str) -> None:
        try:
            self.bytes(value.encode("utf-8"))
        except UnicodeEncodeError:
            raise Mismatch("a text holds half a character (a lone surrogate)") from None

    def bytes(self, value: bytes) -> None:
        self.varint(len(value), 32)
        self._bytes += value

    def some(self, value: object) -> builtins.bool:
        """Writes whether there is a value, and says so: `if out.some(x): out.u8(x)`."""
        self._bytes.append(0 if value is None else 1)
        return value is not None


class Reader:
    """Reads what `Writer` writes. Raises `Mismatch` where the bytes are something else."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def left(self) -> int:
        """How many bytes have not been read."""
        return len(self._data) - self._at

    def finish(self) -> None:
        """Bytes left over mean that something else wrote them."""
        if self.left():
            raise Mismatch(f"{self.left()} of {len(self._data)} bytes are left over")

    def take(self, count: int) -> bytes:
        if count > self.left():
            raise Mismatch(f"the bytes end at {len(self._data)}, {count - self.left()} too early")
        self._at += count
        return self._data[self._at - count : self._at]

    def bool(self) -> bool:
        byte = self.u8()
        if byte > 1:
            raise Mismatch(f"the byte {byte} is neither false (0) nor true (1)")
        return byte == 1

    def varint(self, bits: int = 64) -> int:
        value = shift = 0
        while shift < bits:
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value >> bits:
                    break
                return value
            shift += 7
        raise Mismatch(f"an integer has more than {bits} bits")

    def zigzag(self, bits: int = 64) -> int:
        value = self.varint(bits)
        return value >> 1 if value & 1 == 0 else -(value >> 1) - 1

    def u8(self) -> int:
        if self._at >= len(self._data):
            raise Mismatch(f"the bytes end at {len(self._data)}, too early")
        self._at += 1
        return self._data[self._at - 1]

    def i8(self) -> int:
        byte = self.u8()
        return byte - 0x100 if byte > 0x7F else byte

    def f32(self) -> float:
        return struct.unpack("<f", self.take(4))[0]

    def f64(self) -> float:
        return struct.unpack("<d", self.take(8))[0]

    def str(self) -> str:
        try:
            return self.bytes().decode("utf-8")
        except UnicodeDecodeError:
            raise Mismatch("a text is not UTF-8") from None

    def bytes(self) -> bytes:
        return self.take(self.varint(32))

    def some(self) -> builtins.bool:
        return self.bool()

    def count(self) -> int:
        """How many entries follow. No entry is smaller than nothing, so more than the bytes left are only possible for
        entries without bytes, which nobody needs."""
        count = self.varint(32)
        if count > self.left():
            raise Mismatch(f"{count} entries do not fit into the {self.left()} bytes that are left")
        return count
