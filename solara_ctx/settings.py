"""Settings from the environment: frozen, checked at start, and each documented where it is declared.

`Settings` is the one list of what is read: the reference in the docs is generated from it.
"""

import math
import re
from collections.abc import Callable
from typing import Annotated, ClassVar

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from solara_ctx.errors import KernelContextError

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


class InvalidSettings(KernelContextError):
    """A setting has a value that can't be used; the message names the variable, the value and the valid forms."""


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


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _keys(value: object) -> object:
    keys = (value,) if isinstance(value, SecretStr) else _split(value)
    if isinstance(value, str) and not keys:
        raise ValueError("there is no key in it; leave it unset for a random one")
    return keys


def _check_origin(origin: str) -> str:
    if not re.fullmatch(r"https?://[^/?#@\s]+", origin):
        raise ValueError('not an origin; write it as "https://app.example.org" or "http://localhost:8000"')
    return origin.lower()


def _check_secret(shortest: int) -> Callable[[SecretStr], SecretStr]:
    def check(secret: SecretStr) -> SecretStr:
        if len(secret.get_secret_value()) < shortest:
            raise ValueError(f"too short; it needs {shortest} characters or more")
        return secret

    return check


Duration = Annotated[float, BeforeValidator(parse_duration)]
Size = Annotated[int, BeforeValidator(parse_size)]
Thresholds = Annotated[tuple[int, int, int], NoDecode, BeforeValidator(parse_thresholds)]
Origin = Annotated[str, AfterValidator(_check_origin)]
Secret = Annotated[SecretStr, AfterValidator(_check_secret(1))]
Key = Annotated[SecretStr, AfterValidator(_check_secret(16))]


def _variable(*names: str) -> AliasChoices:
    return AliasChoices(*names)


class Settings(BaseSettings):  # type: ignore[explicit-any]  # what pydantic adds to the class has them
    """How kernels are kept, limited and shown.  Read from the environment; keyword arguments win.

    A field is named after its variable: `SOLARA_KERNEL_CULL_TIMEOUT` is `kernel_cull_timeout`.  Durations are seconds,
    sizes bytes.  The object is frozen; any thread may read it.

    Raises:
        InvalidSettings: a value can't be used.
    """

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        frozen=True, extra="forbid", env_ignore_empty=True, validate_default=False
    )

    kernel_cull_timeout: Duration = Field(
        default=86400.0,
        validation_alias=_variable("SOLARA_KERNEL_CULL_TIMEOUT"),
        description="How long a kernel is kept after its last page has lost its connection. A page that comes back "
        "in time finds everything as it was. A page that is closed for good ends its kernel at once.",
    )
    kernel_connect_timeout: Duration = Field(
        default=300.0,
        validation_alias=_variable("SOLARA_KERNEL_CONNECT_TIMEOUT"),
        description="How long the id that a page carries may be used to start its kernel. Until then it costs nothing.",
    )
    kernel_max_count: int | None = Field(
        default=None,
        ge=1,
        validation_alias=_variable("SOLARA_KERNEL_MAX_COUNT", "SOLARA_KERNELS_MAX_COUNT"),
        description="How many kernels may live in this process. For one more, the one that has waited longest for its "
        "page to come back is closed, with the reason `evicted`; where none waits, it is refused with 503. Unset: no "
        "limit.",
    )
    kernel_max_per_session: int | None = Field(
        default=None,
        ge=1,
        validation_alias=_variable("SOLARA_KERNEL_MAX_PER_SESSION"),
        description="How many kernels one browser session may have. One more is let in or refused as for "
        "SOLARA_KERNEL_MAX_COUNT. Unset: no limit.",
    )
    kernel_max_disconnected: int | None = Field(
        default=None,
        ge=1,
        validation_alias=_variable("SOLARA_KERNEL_MAX_DISCONNECTED"),
        description="How many kernels may wait for a page to come back. When one more loses its last page, the one "
        "that has waited longest is closed, with the reason `evicted`. Unset: no limit but the cull timeout.",
    )
    memory_limit: Size | None = Field(
        default=None,
        validation_alias=_variable("SOLARA_MEMORY_LIMIT"),
        description="How much memory the process may take until it lets no more kernels in, as the system sees it (the "
        "resident set). For each kernel that comes then, the one that has waited longest for its page is closed; "
        "where none waits, the new one is refused with 503. Unset: no limit.",
    )
    kernel_close_timeout: Duration = Field(
        default=5.0,
        validation_alias=_variable("SOLARA_KERNEL_CLOSE_TIMEOUT"),
        description="How long one step of closing a kernel may take: one hook, the wait for a callback that still "
        "runs, the wait for its tasks. A step over its budget is abandoned and named in the log.",
    )
    kernel_drain_timeout: Duration = Field(
        default=20.0,
        validation_alias=_variable("SOLARA_KERNEL_DRAIN_TIMEOUT"),
        description="How long closing all kernels may take when the server stops. A bound, never a delay.",
    )
    kernel_zombie_after: Duration = Field(
        default=60.0,
        validation_alias=_variable("SOLARA_KERNEL_ZOMBIE_AFTER"),
        description="How long a closed kernel may take until all of it is gone from memory. One of which something is "
        "left then is a zombie: it is named in the log once, and listed in `/resourcez`.",
    )
    kernel_threads: int = Field(
        default=64,
        ge=1,
        le=10_000,
        validation_alias=_variable("SOLARA_KERNEL_THREADS"),
        description="How many worker threads run page functions and callbacks of all kernels together. "
        "Threads are started on demand and end when idle.",
    )
    kernel_mailbox_limit: int = Field(
        default=1000,
        ge=1,
        validation_alias=_variable("SOLARA_KERNEL_MAILBOX_LIMIT"),
        description="How many messages of a kernel may wait for its worker; each 64 KiB of a large one count for one "
        "more. Above it, the server stops reading from that kernel's pages until half of them are handled.",
    )
    kernel_outbox_limit: Size = Field(
        default=64_000_000,
        validation_alias=_variable("SOLARA_KERNEL_OUTBOX_LIMIT"),
        description="How many bytes may wait to be sent to one page. A page that falls further behind loses its "
        "connection, comes back and takes the newest state.",
    )
    websocket_max_frame: Size = Field(
        default=100_000_000,
        validation_alias=_variable("SOLARA_WEBSOCKET_MAX_FRAME"),
        description="The largest message that a page may send. The server's own limit holds too "
        "(uvicorn: `--ws-max-size`).",
    )
    kernel_max_comms: int = Field(
        default=10_000,
        ge=0,
        validation_alias=_variable("SOLARA_KERNEL_MAX_COMMS"),
        description="How many comms the pages of a kernel may open, such as widgets that are made in the browser. One "
        "more is closed at once, with an error. What the kernel opens counts for nothing here.",
    )
    websocket_max_rate: int = Field(
        default=1000,
        ge=0,
        validation_alias=_variable("SOLARA_WEBSOCKET_MAX_RATE"),
        description="How many messages a page may send in a second, for longer than a burst of twice as many. One that "
        "sends faster loses its connection, with 1008 and the reason `too-fast`. 0: no limit.",
    )
    gc_freeze: bool | None = Field(
        default=None,
        validation_alias=_variable("SOLARA_GC_FREEZE"),
        description="Take all objects that there are when the service starts, the program above all, out of the "
        "garbage collector's sight, so that its full runs are shorter. Unset: no; under `solara-ctx run`, but for "
        "debug mode and `--reload`, yes.",
    )
    gc_thresholds: Thresholds | None = Field(
        default=None,
        validation_alias=_variable("SOLARA_GC_THRESHOLDS"),
        description="How often the garbage collector runs by itself, as for `gc.set_threshold`. Closed kernels do not "
        "need it. Unset: as it is; under `solara-ctx run`, but for debug mode and `--reload`, `5000,10,2000`.",
    )
    allowed_origins: Annotated[tuple[Origin, ...], NoDecode, BeforeValidator(_split)] = Field(
        default=(),
        validation_alias=_variable("SOLARA_ALLOWED_ORIGINS"),
        description="Origins, besides the server's own, whose pages may connect; separated by commas.",
    )
    session_secret_key: Annotated[tuple[Key, ...], NoDecode, BeforeValidator(_keys)] = Field(
        default=(),
        validation_alias=_variable("SOLARA_SESSION_SECRET_KEY"),
        description="The key that session cookies and kernel ids are signed with, 16 characters or more. Several, "
        "separated by commas, which no key may have in it: the first signs, and what another has signed is good as "
        "well, so that a new key can take an old one's place. Unset: a random key, new with each start of the server.",
    )
    cookie_in_frames: bool = Field(
        default=False,
        validation_alias=_variable("SOLARA_COOKIE_IN_FRAMES"),
        description="Whether browsers send the session cookie also where a page is in a frame of another site: "
        "`SameSite=None; Secure; Partitioned`. Needs https.",
    )
    resourcez_token: Secret | None = Field(
        default=None,
        validation_alias=_variable("SOLARA_RESOURCEZ_TOKEN"),
        description="The bearer token for `/resourcez`. Where it is set, a caller from another machine who does not "
        "send it gets totals only.",
    )
    debug: bool = Field(
        default=False,
        validation_alias=_variable("SOLARA_DEBUG"),
        description="Show tracebacks of page functions in the page. Not for production.",
    )

    def __init__(self, **values: object) -> None:
        try:
            # By alias, and not with `populate_by_name`: that would also read a variable named after the field, and
            # `DEBUG=1`, which many a host sets for other programs, would show tracebacks to everybody.
            super().__init__(**{_alias(name): value for name, value in values.items()})  # type: ignore[arg-type]
        except ValidationError as error:
            # `from None`: pydantic's message repeats the input, and the input may be a secret.
            raise InvalidSettings(_explain(error)) from None


def variable_names(field: str) -> list[str]:
    """The environment variables that a field of `Settings` is read from, the preferred one first."""
    alias = Settings.model_fields[field].validation_alias
    if not isinstance(alias, AliasChoices):
        raise TypeError(f"Settings.{field} declares no environment variable")
    return [str(choice) for choice in alias.choices]


def _alias(name: str) -> str:
    return variable_names(name)[0] if name in Settings.model_fields else name


# Pydantic's own words say what could not be parsed, not what to write instead.
_FORMS = {
    "bool_parsing": 'not a switch; write it as "true" or "false"',
    "bool_type": 'not a switch; write it as "true" or "false"',
    "int_parsing": 'not a whole number; write it as "100"',
    "int_from_float": 'not a whole number; write it as "100"',
    "int_type": 'not a whole number; write it as "100"',
}


def _explain(error: ValidationError) -> str:
    lines = []
    for problem in error.errors(include_url=False, include_context=False):
        name = str(problem["loc"][0]) if problem["loc"] else "settings"
        field = _field_of(name)
        if field is None:
            lines.append(f"{name} is no setting; the settings are: {', '.join(Settings.model_fields)}")
            continue
        secret = "Secret" in str(Settings.model_fields[field].annotation)
        value = "the given value (not shown)" if secret else repr(problem["input"])
        why = _FORMS.get(problem["type"]) or problem["msg"].removeprefix("Value error, ")
        lines.append(f"{variable_names(field)[0]} can't be {value}: {why}")
    return "; ".join(lines)


def _field_of(name: str) -> str | None:
    for field in Settings.model_fields:
        if name == field or name in variable_names(field):
            return field
    return None
