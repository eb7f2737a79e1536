import random
import unittest
from dataclasses import dataclass

from baton import I16, U16, U32, U64, Reader, Writer, read_postcard, write_postcard
from baton.mismatch import Mismatch


@dataclass
class Order:
    item: str
    count: U32
    price: U64 | None


class PostcardTest(unittest.TestCase):
    def test_the_wire_format_is_the_known_one(self):
        """Examples of postcard's own description, and what the Rust SDK writes."""
        known = [
            (U16, 0, "00"),
            (U16, 127, "7f"),
            (U16, 128, "8001"),
            (U16, 16_384, "808001"),
            (U16, 65_535, "ffff03"),
            (I16, 0, "00"),
            (I16, -1, "01"),
            (I16, 1, "02"),
            (I16, 63, "7e"),
            (I16, -64, "7f"),
            (I16, 64, "8001"),
            (I16, 32_767, "feff03"),
            (I16, -32_768, "ffff03"),
            (U64, 300, "ac02"),
            (U64, 2**64 - 1, "ff" * 9 + "01"),
            (float, -32.005, "713d0ad7a30040c0"),
            (str, "hi", "026869"),
            (bytes, b"\x01", "0101"),
            (bool, True, "01"),
            (U64 | None, None, "00"),
            (U64 | None, 5, "0105"),
            (list[U64], [1, 2], "020102"),
            (dict[str, U64], {"a": 1}, "01016101"),
            (tuple[U64, bool], (3, False), "0300"),
            (type(None), None, ""),
            (Order, Order("tea", 2, None), "03746561" + "02" + "00"),
        ]
        for type_, value, hex_ in known:
            self.assertEqual(write_postcard(type_, value).hex(), hex_, value)
            self.assertEqual(read_postcard(type_, bytes.fromhex(hex_)), value)

    def test_bytes_that_are_something_else_are_refused(self):
        wrong = [
            (U64, ""),
            (U64, "80"),
            (U64, "ff" * 9 + "02"),
            (U64, "80" * 10 + "00"),
            (U16, "ffff04"),
            (U64, "0100"),
            (bool, "02"),
            (str, "01"),
            (str, "01ff"),
            (str, "ffffffff0f"),
            (list[U64], "ffffffff0f"),
            (U64 | None, "02"),
            (dict[str, U64], "02016101016101"),
            (float, "000000000000f07f"),
            (Order, "0374656102"),
        ]
        for type_, hex_ in wrong:
            with self.assertRaises(Mismatch, msg=f"{type_} {hex_}"):
                read_postcard(type_, bytes.fromhex(hex_))

    def test_random_bytes_never_do_more_than_mismatch(self):
        draw = random.Random(5)
        for _ in range(3_000):
            data = draw.randbytes(draw.randrange(20))
            try:
                value = read_postcard(list[Order], data)
            except Mismatch:
                continue
            self.assertEqual(read_postcard(list[Order], write_postcard(list[Order], value)), value)

    def test_writer_and_reader_by_hand(self):
        out = Writer()
        out.u8(255), out.i8(-128), out.f32(1.5), out.zigzag(-(2**63)), out.varint(2**128 - 1, 128)
        if out.some("x"):
            out.str("ü")
        out.some(None)
        data = Reader(out.finish())
        self.assertEqual(
            (data.u8(), data.i8(), data.f32(), data.zigzag(), data.varint(128)), (255, -128, 1.5, -(2**63), 2**128 - 1)
        )
        self.assertTrue(data.some())
        self.assertEqual((data.str(), data.some()), ("ü", False))
        data.finish()
        for call in [
            lambda: Writer().u8(256),
            lambda: Writer().varint(-1),
            lambda: Writer().zigzag(2**63),
            lambda: Writer().i8(128),
        ]:
            with self.assertRaises(Mismatch):
                call()


if __name__ == "__main__":
    unittest.main()
