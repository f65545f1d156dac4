"""Settings from the environment: frozen, checked at start, and each documented where it is declared.

`Settings` is the one list of what is read: the reference in the docs is generated from it.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import AliasChoices, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from solara_ctx.errors import KernelContextError
from solara_ctx.setting_values import Duration, Key, Origin, Secret, Size, Thresholds, Url, keys_of, split


class InvalidSettings(KernelContextError):
    """A setting has a value that can't be used; the message names the variable, the value and the valid forms."""


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
        "connection, comes back and takes the newest state. One message that is larger by itself may wait as well.",
    )
    websocket_max_frame: Size = Field(
        default=100_000_000,
        validation_alias=_variable("SOLARA_WEBSOCKET_MAX_FRAME"),
        description="The largest message that a page may send. The server's own limit holds too (uvicorn: "
        "`--ws-max-size`, 16 MB); `solara-ctx run` sets it to this.",
    )
    upload_max_size: Size = Field(
        default=200_000_000,
        validation_alias=_variable("SOLARA_UPLOAD_MAX_SIZE"),
        description="How much the files may have that are uploaded at a time to the `FileUpload` widgets of one "
        "kernel. They come in pieces, which no other limit minds, and are kept in memory. More is refused, and the "
        "page says why.",
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
        description="How many messages the pages of a kernel may send in a second, for longer than a burst of twice as "
        "many. One that sends faster loses its connection, with 1008 and the reason `too-fast`, and has no other burst "
        "when it comes back at once. 0: no limit.",
    )
    websocket_max_nesting: int = Field(
        default=128,
        ge=8,
        le=500,
        validation_alias=_variable("SOLARA_WEBSOCKET_MAX_NESTING"),
        description="How deep objects and arrays may be within each other in a message of a page. A deeper one ends "
        "the connection, with 1007 and the reason `nested-too-deeply`.",
    )
    websocket_max_buffers: int = Field(
        default=65_535,
        ge=0,
        validation_alias=_variable("SOLARA_WEBSOCKET_MAX_BUFFERS"),
        description="How many binary parts a message of a page may have. One with more ends the connection, with 1007 "
        "and the reason `too-many-buffers`.",
    )
    websocket_ping_interval: Duration = Field(
        default=20.0,
        validation_alias=_variable("SOLARA_WEBSOCKET_PING_INTERVAL"),
        description="How often the server says to a page that it is there. With `PageWebSocket`, which "
        "`solara-ctx run` uses, also how often it asks the browser; with other servers that is theirs (uvicorn: "
        "`--ws-ping-interval`, hypercorn: `--websocket-ping-interval`). 0: not at all, and the server's own pings are "
        "left alone.",
    )
    websocket_ping_timeout: Duration = Field(
        default=20.0,
        gt=0,
        validation_alias=_variable("SOLARA_WEBSOCKET_PING_TIMEOUT"),
        description="How long the browser's answer may take until the connection is given up. A page that does not "
        "hear of the server for as long as both together gives it up as well, and connects anew.",
    )
    replay_max_age: Duration = Field(
        default=60.0,
        validation_alias=_variable("SOLARA_REPLAY_MAX_AGE"),
        description="For how long what is sent to a page that has lost its connection is kept for it, and for how long "
        "the page keeps what is done in it meanwhile. A page that comes back later takes the newest state of "
        "everything instead.",
    )
    replay_max_messages: int = Field(
        default=1000,
        ge=0,
        validation_alias=_variable("SOLARA_REPLAY_MAX_MESSAGES"),
        description="How many messages are kept for a page until it has acknowledged them, and as many by the page.",
    )
    replay_max_size: Size = Field(
        default=8_000_000,
        validation_alias=_variable("SOLARA_REPLAY_MAX_SIZE"),
        description="How many bytes they may have together.",
    )
    kernel_max_issue_rate: int = Field(
        default=100,
        ge=0,
        validation_alias=_variable("SOLARA_KERNEL_MAX_ISSUE_RATE"),
        description="How many pages one address may load in a second, for longer than a burst of twice as many, and "
        "never less than 300: each brings the id of a kernel that it may start. One more gets 429, and a page that "
        "tries again by itself. An IPv6 address counts with all of its /64 network. Behind a proxy that the server "
        "does not believe (uvicorn: `--forwarded-allow-ips`), everybody has the proxy's address. 0: no limit.",
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
    allowed_origins: Annotated[tuple[Origin, ...], NoDecode, BeforeValidator(split)] = Field(
        default=(),
        validation_alias=_variable("SOLARA_ALLOWED_ORIGINS"),
        description="Origins, besides the server's own, whose pages may connect; separated by commas.",
    )
    widgets_cdn: Url = Field(
        default="",
        validation_alias=_variable("SOLARA_WIDGETS_CDN"),
        description="Where browsers ask for the JavaScript of widgets that is not installed where the server runs: "
        '"https://cdn.jsdelivr.net/npm/", for example, or a mirror of your own with the packages of npm. '
        "Unset: nowhere; what is missing is named in the page.",
    )
    session_secret_key: Annotated[tuple[Key, ...], NoDecode, BeforeValidator(keys_of)] = Field(
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
    output: Literal["both", "page", "server"] = Field(
        default="both",
        validation_alias=_variable("SOLARA_OUTPUT"),
        description="Where goes what is printed and displayed outside of any `with Output():`: `page`, to a panel at "
        "the foot of the page whose code it is; `server`, to the standard output of the server; or `both`. Errors of "
        "callbacks are in the server's log in any case, and in the panel unless it is `server`.",
    )
    debug: bool = Field(
        default=False,
        validation_alias=_variable("SOLARA_DEBUG"),
        description="Show errors in the page, with the lines of source that led to them, and log a line for each "
        "message between pages and kernels, of which nothing can be learnt but how much is said about what. Not for "
        "production. Unset: no; under `solara-ctx run --reload`, the first.",
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
