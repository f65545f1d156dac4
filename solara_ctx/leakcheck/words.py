"""Numbers for people."""

_KILO = 1000
_UNITS = ("B", "KB", "MB", "GB")


def megabytes(count: float, *, sign: bool = False) -> str:
    """Bytes in MB, with two decimals."""
    return f"{count / _KILO**2:{'+' if sign else ''}.2f} MB"


def size(count: float) -> str:
    """Bytes in the unit that fits, with three digits."""
    for unit in _UNITS:
        if abs(count) < _KILO or unit == _UNITS[-1]:
            break
        count /= _KILO
    return f"{count:.0f} {unit}" if unit == "B" or abs(count) >= 100 else f"{count:.3g} {unit}"  # noqa: PLR2004


def counted(count: int, noun: str) -> str:
    """A number with its noun."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
