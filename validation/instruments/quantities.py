"""Numbers with units as vendors write them, converted to the unit a field has. An unknown unit gives nothing."""

from __future__ import annotations

import math
import re

_NUMBER = r"[-+]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][-+]?\d+)?"
_QUANTITY = re.compile(rf"\s*({_NUMBER})\s*(.*?)\s*")

_LENGTH = {
    "m": 1.0,
    "cm": 1e-2,
    "mm": 1e-3,
    "um": 1e-6,
    "micron": 1e-6,
    "microns": 1e-6,
    "nm": 1e-9,
    "pm": 1e-12,
    "fm": 1e-15,
    "Å": 1e-10,
    "angstrom": 1e-10,
    "inch": 0.0254,
    "in": 0.0254,
}
_ANGLE = {"deg": 1.0, "°": 1.0, "degree": 1.0, "degrees": 1.0, "rad": math.degrees(1.0)}
_ANGLE["mrad"] = _ANGLE["rad"] / 1e3
_TIME = {"s": 1.0, "sec": 1.0, "Sec": 1.0, "Secs": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0}
_TIME |= {"Mins": 60.0, "h": 3600.0, "Hours": 3600.0}
_PRESSURE = {
    "Pa": 1.0,
    "kPa": 1e3,
    "hPa": 1e2,
    "mbar": 1e2,
    "bar": 1e5,
    "Torr": 133.322368,
    "mTorr": 0.133322368,
}
_VOLTAGE = {"V": 1.0, "kV": 1e3, "KV": 1e3, "mV": 1e-3, "MV": 1e6}
_CURRENT = {"A": 1.0, "mA": 1e-3, "uA": 1e-6, "nA": 1e-9, "pA": 1e-12, "fA": 1e-15}
_RATIO = {"1": 1.0, "": 1.0, "x": 1.0, "X": 1.0, "K X": 1e3, "kX": 1e3, "kx": 1e3, "M X": 1e6, "Mx": 1e6}
_ENERGY = {"eV": 1.0, "keV": 1e3}
_CELSIUS = {"Cel": 1.0, "°C": 1.0, "degC": 1.0}
_FAMILIES = (_LENGTH, _ANGLE, _TIME, _PRESSURE, _VOLTAGE, _CURRENT, _RATIO, _ENERGY, _CELSIUS)


def number(text: object) -> float | None:
    """The finite number that the whole text is, or None; a decimal comma is understood."""
    value, unit = quantity(text)
    return value if not unit else None


def quantity(text: object) -> tuple[float | None, str]:
    """The number at the start of the text and the unit behind it."""
    if isinstance(text, bool):
        return None, ""
    if isinstance(text, int | float):
        return _finite(text), ""
    if not isinstance(text, str) or len(text) > 200:
        return None, ""
    found = _QUANTITY.fullmatch(text)
    if found is None:
        return None, ""
    return _finite(float(found[1].replace(",", "."))), found[2]


def _finite(value: float) -> float | None:
    try:
        result = float(value)
    except OverflowError:
        return None
    return result if math.isfinite(result) else None


def converted(value: float, unit: str, wanted: str) -> float | None:
    """The value in the wanted unit, or None when the units are unknown or of different kinds."""
    # Micro has two code points, and Windows-1252 files have the other one.
    unit, wanted = (name.strip().replace("µ", "u").replace("μ", "u") for name in (unit, wanted))
    for family in _FAMILIES:
        if unit in family and wanted in family:
            # Twelve digits: more than any instrument has, fewer than the noise of the conversion.
            return _finite(float(f"{value * family[unit] / family[wanted]:.12g}"))
    return None
