"""How the values of settings are written: durations, sizes, origins, secrets.  Pure."""

import math
import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_UNIT_BYTES = {"": 1, "b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "kib": 1024, "mib": 1024**2, "gib": 1024**3}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_DURATION = re.compile(rf"(?:{_DURATION_PART.pattern})+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)")

DURATION_FORMS = '"24h", "90s", "500ms", "1h30m", "2d", or seconds such as "30"'
SIZE_FORMS = '"64MB", "512KiB", or bytes such as "1000000"'
THRESHOLDS_FORM = '"5000,10,2000"'
_GENERATIONS = 3
# A timer further away than this is no use to anybody, and `loop.call_at` overflows some platforms' clocks.
_LONGEST_S = 10 * 365 * 86400.0


def parse_duration(value: object) -> float:
    """Read a duration: "24h", "90s", "500ms", "1h30m", "2d", or a number of seconds.

    Returns:
        Seconds.

    Raises:
        ValueError: it is no such duration, negative, not finite, or longer than ten years.
    """
    seconds = _duration_seconds(value)
    if seconds is None or not 0 <= seconds <= _LONGEST_S:
        raise ValueError(f"not a duration; write it as {DURATION_FORMS}")
    return float(seconds)


def _duration_seconds(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str):
        return None
    text = "".join(value.split()).lower()
    if _NUMBER.fullmatch(text):
        return float(text)
    if not _DURATION.fullmatch(text):
        return None
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _DURATION_PART.findall(text))


def parse_size(value: object) -> int:
    """Read a size: "64MB" (10^6), "64MiB" (2^20), or a number of bytes.

    Raises:
        ValueError: it is no such size, or nothing at all.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    match = _SIZE.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    size = float(match[1]) * _UNIT_BYTES[match[2]] if match is not None and match[2] in _UNIT_BYTES else 0.0
    if not 1 <= size < math.inf:
        raise ValueError(f"not a size; write it as {SIZE_FORMS}")
    return int(size)


def parse_thresholds(value: object) -> tuple[int, int, int]:
    """Read the garbage collector's thresholds: three whole numbers, "5000,10,2000".

    Raises:
        ValueError: it is nothing of that kind.
    """
    parts = value.split(",") if isinstance(value, str) else value
    if isinstance(parts, list | tuple) and len(parts) == _GENERATIONS:
        numbers = [number for part in parts if (number := _whole(part)) is not None]
        if len(numbers) == _GENERATIONS:
            return numbers[0], numbers[1], numbers[2]
    raise ValueError(f"not the collector's thresholds; write them as {THRESHOLDS_FORM}")


def _whole(value: object) -> int | None:
    """A number that `gc.set_threshold` takes, a C int."""
    if isinstance(value, str) and re.fullmatch(r"\s*\d{1,10}\s*", value, re.ASCII):
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else None


def split(value: object) -> object:
    """Take a text with commas apart; anything else is left as it is."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def keys_of(value: object) -> object:
    """The keys in a text with commas, or the one key that was given.

    Raises:
        ValueError: there is none in the text.
    """
    keys = (value,) if isinstance(value, SecretStr) else split(value)
    if isinstance(value, str) and not keys:
        raise ValueError("there is no key in it; leave it unset for a random one")
    return keys


def _check_origin(origin: str) -> str:
    if not re.fullmatch(r"https?://[^/?#@\s]+", origin):
        raise ValueError('not an origin; write it as "https://app.example.org" or "http://localhost:8000"')
    return origin.lower()


def _check_url(url: str) -> str:
    if url and not re.fullmatch(r"https?://[^/?#@\s\\]+(/[^?#\s\\]*)?", url, re.ASCII):
        raise ValueError('not the address of a folder; write it as "https://cdn.jsdelivr.net/npm/"')
    return url if not url or url.endswith("/") else f"{url}/"


def _check_secret(shortest: int) -> Callable[[SecretStr], SecretStr]:
    def check(secret: SecretStr) -> SecretStr:
        if len(secret.get_secret_value()) < shortest:
            raise ValueError(f"too short; it needs {shortest} characters or more")
        return secret

    return check


Duration = Annotated[float, BeforeValidator(parse_duration)]
Size = Annotated[int, BeforeValidator(parse_size)]
Thresholds = Annotated[tuple[int, int, int], NoDecode, BeforeValidator(parse_thresholds)]
Url = Annotated[str, AfterValidator(_check_url)]
Origin = Annotated[str, AfterValidator(_check_origin)]
Secret = Annotated[SecretStr, AfterValidator(_check_secret(1))]
Key = Annotated[SecretStr, AfterValidator(_check_secret(16))]
