"""Instruments: what is counted, and the text that Prometheus reads."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from roadbed.apimachinery.instruments import Counter, Gauge, Histogram, Read, exposition


def test_an_instrument_without_samples_says_nothing() -> None:
    assert exposition([Counter("a_total", "A."), Histogram("b", "B.", ["x"])]) == b""


def test_a_counter_is_printed_with_its_words_and_labels() -> None:
    counter = Counter("a_total", "What\nit is.", ["verb", "code"])
    counter.add(("GET", "200"))
    counter.add(("GET", "200"), 2)
    assert exposition([counter]).decode() == (
        '# HELP a_total What\\nit is.\n# TYPE a_total counter\na_total{verb="GET",code="200"} 3\n'
    )


def test_a_gauge_goes_down_again() -> None:
    gauge = Gauge("running", "R.")
    gauge.add()
    gauge.add((), -1)
    gauge.set(2.5)
    assert exposition([gauge]).decode().endswith("\nrunning 2.5\n")


def test_buckets_count_everything_up_to_their_end() -> None:
    histogram = Histogram("wait_seconds", "W.", bounds=(0.1, 1))
    for number in (0.1, 0.05, 0.5, 7):
        histogram.observe(number)
    lines = exposition([histogram]).decode().splitlines()[2:]
    assert lines == [
        'wait_seconds_bucket{le="0.1"} 2',
        'wait_seconds_bucket{le="1"} 3',
        'wait_seconds_bucket{le="+Inf"} 4',
        "wait_seconds_sum 7.65",
        "wait_seconds_count 4",
    ]
    assert histogram.count() == 4


def test_what_is_known_elsewhere_is_asked_for_when_read() -> None:
    known: dict[tuple[str, ...], float] = {}
    read = Read("objects", "O.", ["resource"], lambda: known)
    assert exposition([read]) == b""
    known["pods",] = 3
    assert b'objects{resource="pods"} 3\n' in exposition([read])


@given(st.text())
def test_no_label_value_breaks_out_of_its_line(value: str) -> None:
    counter = Counter("a_total", "A.", ["x"])
    counter.add((value,))
    sample = exposition([counter]).decode().split("\n")[2:-1]
    assert len(sample) == 1
    found = re.fullmatch(r'a_total\{x="((?:[^"\\\n]|\\[\\"n])*)"\} 1', sample[0], re.DOTALL)
    assert found is not None
    words = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
    assert re.sub(r'\\[\\"n]', lambda match: words[match[0]], found[1]) == value
