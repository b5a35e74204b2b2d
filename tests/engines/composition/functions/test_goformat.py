"""fmt strings of Compositions come out as Go's Sprintf would print them (every line printed by Go itself)."""

import pytest

from roadbed.engines.composition.functions.goformat import float_text, sprintf, type_name

MAPPING = {"b": 2, "a": "x"}


@pytest.mark.parametrize(
    ("template", "operands", "printed"),
    [
        ("%s-%s", ["a"], "a-%!s(MISSING)"),
        ("%d", ["a"], "%!d(string=a)"),
        ("%d", [1.5], "%!d(float64=1.5)"),
        ("%s", [3], "%!s(int64=3)"),
        ("%v %v %v", [1e6, 1e20, 1e21], "1e+06 1e+20 1e+21"),
        ("%v", [123456789.5], "1.234567895e+08"),
        ("%v", [100000.0], "100000"),
        ("%v %v", [0.00001, 1e-7], "1e-05 1e-07"),
        ("%v", [MAPPING], "map[a:x b:2]"),
        ("%s", [MAPPING], "map[a:x b:%!s(int64=2)]"),
        ("%v", [["a", 1, None, True]], "[a 1 <nil> true]"),
        ("%s", [[None, {"x": None}]], "[<nil> map[x:<nil>]]"),
        ("%05d|%-5d|%5d|%+d", [3, 3, -3, 3], "00003|3    |   -3|+3"),
        ("%x %X %q", ["hi", "hi", 'a"b'], '6869 6869 "a\\"b"'),
        ("%[2]s-%[1]s", ["a", "b"], "b-a"),
        ("%[3]s", ["a"], "%!s(BADINDEX)"),
        ("100%", [], "100%!(NOVERB)"),
        ("%d%%", [3], "3%"),
        ("a", ["x", 1, None], "a%!(EXTRA string=x, int64=1, <nil>)"),
        ("%.2f %e %g", [3.14159, 1234.5, 0.00001], "3.14 1.234500e+03 1e-05"),
        ("%t", ["x"], "%!t(string=x)"),
        ("%s %v", [None, None], "%!s(<nil>) <nil>"),
        ("%6.2f|%-8s|%8s|%.2s", [3.14159, "ab", "ab", "abcdef"], "  3.14|ab      |      ab|ab"),
        ("%T", [MAPPING], "map[string]interface {}"),
        ("%z", [1], "%!z(int64=1)"),
        ("%*d", [5, 3], "    3"),
        ("%#x %b %c %U", [255, 5, 65, 65], "0xff 101 A U+0041"),
        ("%08.3f", [-3.14159], "-003.142"),
    ],
)
def test_sprintf_prints_what_go_prints(template, operands, printed):
    assert sprintf(template, *operands) == printed


def test_a_huge_width_is_bounded():
    assert len(sprintf("%999999999d", 1)) == 1000


def test_types_have_gos_names():
    values = [None, True, 1, 1.5, "a", [], {}]
    names = ["<nil>", "bool", "int64", "float64", "string", "[]interface {}", "map[string]interface {}"]
    assert [type_name(value) for value in values] == names


def test_floats_are_written_without_an_exponent():
    assert [float_text(value) for value in (1e21, 0.5, 1e-7, 100.0)] == [
        "1000000000000000000000",
        "0.5",
        "0.0000001",
        "100",
    ]
