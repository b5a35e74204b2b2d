"""Kubernetes quantities: ``500m``, ``1.5Gi``, ``12e6``; exact, comparable, and written canonically.

Used by CEL, composition transforms, templates and cost. Amounts are exact to a billionth, rounded up;
binary ones are capped at 2^63-1, as Kubernetes does.

Source: k8s.io/apimachinery/pkg/api/resource/quantity.go.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering
from typing import Final, Literal

Format = Literal["DecimalSI", "BinarySI", "DecimalExponent"]

_QUANTITY: Final = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)", re.ASCII)
_EXPONENT: Final = re.compile(r"[eE]([-+]?[0-9]{1,5})", re.ASCII)
_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_SI: Final = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_NANO: Final = 10**9
_MAX: Final = (2**63 - 1) * _NANO
_MAX_EXPONENT: Final = 1000  # more digits than anything is counted in; bounds memory
_WRONG: Final = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """An amount in billionths, and the form it was written in. Equal amounts are equal in any form."""

    nanos: int
    format: Format = "DecimalSI"

    def __float__(self) -> float:
        """Give the amount, rounded to a float."""
        return self.nanos / _NANO

    def __int__(self) -> int:
        """Give the amount rounded up (away from zero) to a whole number."""
        return _divide_up(self.nanos, _NANO)

    def __eq__(self, other: object) -> bool:
        """Compare amounts."""
        return isinstance(other, Quantity) and self.nanos == other.nanos

    def __lt__(self, other: Quantity) -> bool:
        """Compare amounts."""
        return self.nanos < other.nanos

    def __hash__(self) -> int:
        """Hash the amount."""
        return hash(self.nanos)

    def __add__(self, other: Quantity) -> Quantity:
        """Add amounts; the form is this one's, or the other's where this is zero."""
        return Quantity(self.nanos + other.nanos, self.format if self.nanos else other.format)

    def __sub__(self, other: Quantity) -> Quantity:
        """Subtract amounts; the form is this one's, or the other's where this is zero."""
        return Quantity(self.nanos - other.nanos, self.format if self.nanos else other.format)

    def __str__(self) -> str:
        """Give the canonical text: no fraction, the largest suffix that loses nothing."""
        if self.nanos == 0:
            return "0"
        # A fraction of a byte is written in thousandths: a binary suffix would lose it.
        if self.format == "BinarySI" and abs(self.nanos) >= 1024 * _NANO and self.nanos % _NANO == 0:
            return self._binary()
        mantissa, exponent = self.nanos, -9
        while mantissa % 10 == 0:
            mantissa //= 10
            exponent += 1
        while exponent % 3 or exponent > 18:
            mantissa *= 10
            exponent -= 1
        if self.format == "DecimalExponent":
            return f"{mantissa}e{exponent}" if exponent else str(mantissa)
        return f"{mantissa}{_SI[exponent]}"

    def _binary(self) -> str:
        whole, power = int(self), 0
        while whole % 1024 == 0 and power < 60:
            whole //= 1024
            power += 10
        suffix = next((name for name, bits in _BINARY.items() if bits == power), "")
        return f"{whole}{suffix}"


def parse_quantity(text: str) -> Quantity:
    """Read a quantity.

    Raises:
        ValueError: not a quantity, in Kubernetes' words.
    """
    found = _QUANTITY.fullmatch(text)
    if found is None or not text:
        raise ValueError(_WRONG)
    sign, whole, fraction, suffix = found[1], found[2], found[3] or "", found[4]
    digits = int((whole + fraction) or "0")
    places = len(fraction)
    form: Format = "DecimalSI"
    if suffix in _BINARY:
        form = "BinarySI"
        nanos = _divide_up(digits * 2 ** _BINARY[suffix] * _NANO, 10**places)
    else:
        exponent = _DECIMAL.get(suffix)
        if exponent is None:
            written = _EXPONENT.fullmatch(suffix)
            if written is None:
                raise ValueError("unable to parse quantity's suffix")
            form, exponent = "DecimalExponent", int(written[1])
            if abs(exponent) > _MAX_EXPONENT:
                raise ValueError("unable to parse quantity's suffix")
        shift = exponent + 9 - places
        nanos = digits * 10**shift if shift >= 0 else _divide_up(digits, 10**-shift)
    if form == "BinarySI":
        nanos = min(nanos, _MAX)
    return Quantity(-nanos if sign == "-" else nanos, form)


def _divide_up(amount: int, by: int) -> int:
    """Divide, rounding away from zero."""
    return -(-amount // by) if amount >= 0 else amount // by
