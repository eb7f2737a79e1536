import enum
import unittest
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from baton import (
    I8,
    I64,
    U8,
    U16,
    U32,
    U64,
    U128,
    Range,
    read_json,
    read_postcard,
    transient,
    write_json,
    write_postcard,
)
from baton.introspect import layout, shape_of
from baton.mismatch import Mismatch


class Color(enum.Enum):
    RED = "red"
    GREEN = "green"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 9


@dataclass
class Item:
    name: str
    price: U64 | None = None


@dataclass
class Tree:
    value: I64
    children: list["Tree"] = field(default_factory=list)


@dataclass
class All:
    flag: bool
    small: U8
    signed: I64
    share: float
    data: bytes
    color: Color
    level: Level
    mode: Literal["on", "off"]
    items: list[Item]
    by_name: dict[str, Item]
    by_number: dict[U32, bool]
    tags: set[str]
    pair: tuple[U16, str]
    run: tuple[I8, ...]
    maybe: Item | None
    big: U128
    tree: Tree
    cache: dict = transient(dict)


def everything():
    return All(
        True,
        255,
        -(2**63),
        0.1,
        b"\x00\xff",
        Color.GREEN,
        Level.HIGH,
        "off",
        [Item("a"), Item("b", 2**64 - 1)],
        {"z": Item("z"), "a": Item("ä", 0)},
        {7: True, 3: False},
        {"y", "x"},
        (65_535, "p"),
        (-128, 127),
        None,
        2**128 - 1,
        Tree(1, [Tree(2), Tree(3, [Tree(-4)])]),
    )


class ShapesTest(unittest.TestCase):
    def refused(self, call, *parts):
        with self.assertRaises(Mismatch) as caught:
            call()
        for part in parts:
            self.assertIn(part, str(caught.exception))

    def test_everything_goes_there_and_back(self):
        value = everything()
        value.cache["not"] = "kept"
        for write, read in [(write_json, read_json), (write_postcard, read_postcard)]:
            again = read(All, write(All, value))
            self.assertEqual(again.cache, {})
            again.cache = value.cache
            self.assertEqual(again, value)
            self.assertEqual(list(again.by_name), ["z", "a"])

    def test_json_is_as_a_person_would_write_it(self):
        @dataclass
        class Small:
            color: Color
            tags: set[str]
            data: bytes
            maybe: U8 | None

        value = Small(Color.RED, {"b", "a"}, b"hi", None)
        self.assertEqual(write_json(Small, value), b'{"color":"red","tags":["a","b"],"data":"aGk=","maybe":null}')

    def test_fields_that_are_missing_or_unknown_are_refused(self):
        self.refused(lambda: read_json(Item, b'{"name":"a"}'), "`price`", "missing")
        self.refused(lambda: read_json(Item, b'{"name":"a","price":1,"x":1}'), "no field 'x'", "`name`, `price`")
        self.refused(lambda: read_json(Item, b'["a"]'), "expected an object (Item)", "a list of 1")

    def test_messages_may_leave_out_what_has_a_default(self):
        self.assertEqual(shape_of(Item).from_json({"name": "a"}, False), Item("a"))

    def test_errors_lead_to_the_place(self):
        body = b'{"value":1,"children":[{"value":2,"children":[]},{"value":"x","children":[]}]}'
        self.refused(lambda: read_json(Tree, body), "children[1].value: expected i64, found 'x'")
        self.refused(lambda: read_json(dict[str, list[U8]], b'{"a":[1,256]}'), "['a'][1]: expected u8, found 256")

    def test_types_are_not_mixed_up(self):
        wrong = [
            (int, b"true"),
            (int, b"1.0"),
            (bool, b"1"),
            (float, b'"1"'),
            (str, b"1"),
            (float, b"1" + b"0" * 400),
            (U8, b"-1"),
            (U8, b"256"),
            (I8, b"128"),
            (Color, b'"blue"'),
            (Level, b"true"),
            (Level, b"2"),
            (bytes, b'"?"'),
            (bytes, b'"aGl="'),
            (set[str], b'["a","a"]'),
            (tuple[U8, str], b"[1]"),
            (dict[U8, str], b'{"01":""}'),
            (dict[U8, str], b'{"256":""}'),
            (type(None), b"0"),
            (list[str], b'"a"'),
            (Annotated[float, Range(0, 1)], b"1.5"),
        ]
        for type_, body in wrong:
            self.refused(lambda type_=type_, body=body: read_json(type_, body))
        self.assertEqual(read_json(float, b"3"), 3.0)
        self.assertIs(type(read_json(float, b"3")), float)

    def test_values_of_the_wrong_type_are_not_written(self):
        for type_, value in [
            (int, True),
            (int, 1.0),
            (U8, 256),
            (float, float("nan")),
            (float, 1e400),
            (str, b""),
            (Item, {}),
            (list[int], (1,)),
            (Color, "red"),
            (dict[str, int], {1: 1}),
            (Item, Item(5)),
        ]:
            self.refused(lambda type_=type_, value=value: write_json(type_, value))

    def test_what_has_no_shape_says_so_when_it_is_defined(self):
        for type_, part in [
            (list, "`list[…]`"),
            (dict, "`dict[…]`"),
            (int | str, "several types"),
            (object.__class__, "no shape"),
            (set[Item], "sets"),
            (dict[float, int], "keys"),
            (Annotated[str, Range(1, 2)], "Range"),
            (complex, "complex"),
        ]:
            with self.assertRaises(TypeError) as caught:
                shape_of(type_)
            self.assertIn(part, str(caught.exception))
        self.assertEqual(read_json(Any, b'{"a":[1]}'), {"a": [1]})

    def test_layouts_are_told_in_text(self):
        told = layout(shape_of(Tree))
        self.assertEqual(told, "Tree\nTree { value: i64, children: [Tree] }")
        self.assertEqual(layout(shape_of(dict[str, set[U8]])), "{string: {u8}}")

    def test_a_check_in_post_init_is_part_of_the_shape(self):
        @dataclass
        class Even:
            n: int

            def __post_init__(self):
                if self.n % 2:
                    raise ValueError(f"{self.n} is odd")

        self.refused(lambda: read_json(Even, b'{"n":3}'), "Even: 3 is odd")


if __name__ == "__main__":
    unittest.main()
