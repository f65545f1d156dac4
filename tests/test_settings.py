"""Settings from the environment."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from solara_ctx.setting_values import parse_duration, parse_size, parse_thresholds
from solara_ctx.settings import InvalidSettings, Settings, variable_names

FIELDS = list(Settings.model_fields)
READ = {
    "SOLARA_KERNEL_CULL_TIMEOUT": ("90s", 90.0),
    "SOLARA_KERNEL_CONNECT_TIMEOUT": ("2m", 120.0),
    "SOLARA_KERNEL_MAX_COUNT": ("7", 7),
    "SOLARA_KERNELS_MAX_COUNT": ("7", 7),
    "SOLARA_KERNEL_MAX_PER_SESSION": ("3", 3),
    "SOLARA_KERNEL_MAX_DISCONNECTED": ("50", 50),
    "SOLARA_MEMORY_LIMIT": ("2GiB", 2_147_483_648),
    "SOLARA_KERNEL_CLOSE_TIMEOUT": ("500ms", 0.5),
    "SOLARA_KERNEL_DRAIN_TIMEOUT": ("1m30s", 90.0),
    "SOLARA_KERNEL_ZOMBIE_AFTER": ("2m", 120.0),
    "SOLARA_KERNEL_THREADS": ("8", 8),
    "SOLARA_KERNEL_MAILBOX_LIMIT": ("10", 10),
    "SOLARA_KERNEL_OUTBOX_LIMIT": ("1MB", 1_000_000),
    "SOLARA_WEBSOCKET_MAX_FRAME": ("1MiB", 1_048_576),
    "SOLARA_UPLOAD_MAX_SIZE": ("1GB", 1_000_000_000),
    "SOLARA_KERNEL_MAX_COMMS": ("100", 100),
    "SOLARA_WEBSOCKET_MAX_RATE": ("0", 0),
    "SOLARA_WEBSOCKET_MAX_NESTING": ("32", 32),
    "SOLARA_WEBSOCKET_MAX_BUFFERS": ("0", 0),
    "SOLARA_WEBSOCKET_PING_INTERVAL": ("0", 0.0),
    "SOLARA_WEBSOCKET_PING_TIMEOUT": ("5s", 5.0),
    "SOLARA_REPLAY_MAX_AGE": ("2m", 120.0),
    "SOLARA_REPLAY_MAX_MESSAGES": ("0", 0),
    "SOLARA_REPLAY_MAX_SIZE": ("1MB", 1_000_000),
    "SOLARA_KERNEL_MAX_ISSUE_RATE": ("20", 20),
    "SOLARA_GC_FREEZE": ("1", True),
    "SOLARA_GC_THRESHOLDS": (" 5000, 10,2000", (5_000, 10, 2_000)),
    "SOLARA_ALLOWED_ORIGINS": (
        "https://a.example, http://LOCALHOST:8000,",
        ("https://a.example", "http://localhost:8000"),
    ),
    "SOLARA_WIDGETS_CDN": ("https://cdn.example/npm", "https://cdn.example/npm/"),
    "SOLARA_SESSION_SECRET_KEY": ("k" * 16 + ", " + "l" * 16, (SecretStr("k" * 16), SecretStr("l" * 16))),
    "SOLARA_COOKIE_IN_FRAMES": ("1", True),
    "SOLARA_RESOURCEZ_TOKEN": ("token", SecretStr("token")),
    "SOLARA_OUTPUT": ("page", "page"),
    "SOLARA_DEBUG": ("true", True),
}


@pytest.fixture(autouse=True)
def clean_environment() -> Iterator[None]:
    """No setting of the machine that runs the tests counts."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.upper().startswith("SOLARA_"):
                patch.delenv(name)
        yield


def field_of(variable: str) -> str:
    """The field that a variable is read into."""
    return next(field for field in FIELDS if variable in variable_names(field))


def test_every_variable_is_tried_here() -> None:
    """The table above misses no variable that is read, and names none that is not."""
    assert set(READ) == {variable for field in FIELDS for variable in variable_names(field)}


@pytest.mark.parametrize("variable", READ)
def test_every_variable_is_read(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value in the environment arrives, converted, in its own field and in no other."""
    text, value = READ[variable]
    defaults = Settings().model_dump()
    monkeypatch.setenv(variable, text)
    assert Settings().model_dump() == defaults | {field_of(variable): value}


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_is_named_after_its_variable(field: str) -> None:
    """Who knows the variable knows the keyword."""
    assert variable_names(field)[0] == f"SOLARA_{field.upper()}"


@pytest.mark.parametrize("field", FIELDS)
def test_a_variable_without_our_prefix_is_not_read(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """DEBUG=1 of the host's other programs shows nobody a traceback."""
    defaults = Settings()
    monkeypatch.setenv(field.upper(), READ[variable_names(field)[0]][0])
    assert Settings() == defaults


def test_keyword_arguments_win(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the program says counts more than what the environment says, by either name."""
    monkeypatch.setenv("SOLARA_KERNEL_MAX_COUNT", "1")
    monkeypatch.setenv("SOLARA_KERNELS_MAX_COUNT", "2")
    assert Settings().kernel_max_count == 1
    assert Settings(kernel_max_count=3).kernel_max_count == 3
    assert Settings(SOLARA_KERNEL_MAX_COUNT=3).kernel_max_count == 3


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """`SOLARA_X= python app.py` is the default."""
    for variable in READ:
        monkeypatch.setenv(variable, "")
    assert Settings() == Settings.model_construct()


def test_settings_are_frozen() -> None:
    """No request changes what the next one sees."""
    settings = Settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.debug = True
    assert settings.debug is False


@pytest.mark.parametrize(
    ("variable", "value", "valid_form"),
    [
        ("SOLARA_KERNEL_CULL_TIMEOUT", "soon", '"1h30m"'),
        ("SOLARA_KERNEL_CULL_TIMEOUT", "-5", '"1h30m"'),
        ("SOLARA_KERNEL_CULL_TIMEOUT", "5 parsecs", '"1h30m"'),
        ("SOLARA_KERNEL_CONNECT_TIMEOUT", "nan", '"90s"'),
        ("SOLARA_KERNEL_CLOSE_TIMEOUT", "1h30", '"90s"'),
        ("SOLARA_KERNEL_DRAIN_TIMEOUT", "11000000h", '"90s"'),
        ("SOLARA_KERNEL_MAX_COUNT", "many", "whole number"),
        ("SOLARA_KERNEL_MAX_COUNT", "0", "greater than or equal to 1"),
        ("SOLARA_KERNEL_MAX_PER_SESSION", "-1", "greater than or equal to 1"),
        ("SOLARA_KERNEL_THREADS", "10001", "less than or equal to 10000"),
        ("SOLARA_KERNEL_MAILBOX_LIMIT", "1.5", "whole number"),
        ("SOLARA_KERNEL_OUTBOX_LIMIT", "0", '"64MB"'),
        ("SOLARA_KERNEL_OUTBOX_LIMIT", "64 apples", '"64MB"'),
        ("SOLARA_WEBSOCKET_MAX_FRAME", "-1", '"64MB"'),
        ("SOLARA_ALLOWED_ORIGINS", "app.example.org", '"https://app.example.org"'),
        ("SOLARA_ALLOWED_ORIGINS", "https://app.example.org/path", '"https://app.example.org"'),
        ("SOLARA_DEBUG", "perhaps", '"true" or "false"'),
        ("SOLARA_OUTPUT", "nowhere", "'both', 'page' or 'server'"),
        ("SOLARA_WIDGETS_CDN", "cdn.example/npm", '"https://cdn.jsdelivr.net/npm/"'),
        ("SOLARA_WIDGETS_CDN", "javascript:alert(1)", '"https://cdn.jsdelivr.net/npm/"'),
        ("SOLARA_WIDGETS_CDN", "https://me@cdn.example/", '"https://cdn.jsdelivr.net/npm/"'),
        ("SOLARA_WIDGETS_CDN", "https://cdn.example/?x=", '"https://cdn.jsdelivr.net/npm/"'),
    ],
)
def test_nonsense_is_refused_with_name_value_and_form(
    variable: str, value: str, valid_form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message of a refusal is all that one needs to put it right."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidSettings) as refused:
        Settings()
    message = str(refused.value)
    assert variable in message
    assert repr(value) in message
    assert valid_form in message


def test_a_refused_keyword_is_named_like_the_variable() -> None:
    """One name for one setting, wherever it came from."""
    with pytest.raises(InvalidSettings, match=r"SOLARA_KERNEL_CULL_TIMEOUT can't be 'x'"):
        Settings(kernel_cull_timeout="x")


def test_several_refusals_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to start the server once per mistake."""
    monkeypatch.setenv("SOLARA_DEBUG", "perhaps")
    monkeypatch.setenv("SOLARA_KERNEL_THREADS", "none")
    with pytest.raises(InvalidSettings, match=r"SOLARA_KERNEL_THREADS.*; SOLARA_DEBUG"):
        Settings()


def test_an_unknown_keyword_is_refused_without_its_value() -> None:
    """A misspelt name is answered with the list of names, and not with what may be a secret."""
    with pytest.raises(InvalidSettings, match=r"resource_token is no setting; .*resourcez_token") as refused:
        Settings(resource_token="s3cret")
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(("field", "value"), [("session_secret_key", "s3cret"), ("resourcez_token", 12345)])
def test_secrets_are_never_shown(field: str, value: object) -> None:
    """Neither a refusal nor what a traceback shows with it repeats a secret."""
    with pytest.raises(InvalidSettings, match="not shown") as refused:
        Settings(**{field: value})
    assert str(value) not in str(refused.value)
    assert refused.value.__suppress_context__
    assert refused.value.__cause__ is None


def test_secrets_are_hidden_in_the_repr() -> None:
    """Settings may be printed."""
    shown = repr(Settings(session_secret_key="s3cret-s3cret-s3cret", resourcez_token="s3cret"))
    assert "s3cret" not in shown


@pytest.mark.parametrize("blank", [" ", ",", " , "])
def test_keys_without_a_key_are_refused(blank: str) -> None:
    """A random one would be a surprise."""
    with pytest.raises(InvalidSettings, match="no key in it"):
        Settings(session_secret_key=blank)


@pytest.mark.parametrize(("length", "taken"), [(15, False), (16, True), (17, True)])
def test_a_short_key_is_refused(length: int, *, taken: bool) -> None:
    """Below sixteen characters a key could be guessed."""
    if taken:
        for key in ("k" * length, SecretStr("k" * length)):
            assert Settings(session_secret_key=key).session_secret_key == (SecretStr("k" * length),)
        return
    with pytest.raises(InvalidSettings, match="needs 16 characters or more"):
        Settings(session_secret_key="k" * length)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("24h", 86400.0),
        ("90s", 90.0),
        ("500ms", 0.5),
        ("1h30m", 5400.0),
        ("2d", 172800.0),
        ("30", 30.0),
        (" 1H 30M ", 5400.0),
        ("0", 0.0),
        ("0.5", 0.5),
        (30, 30.0),
        (0.25, 0.25),
        ("3650d", 315360000.0),
    ],
)
def test_durations(text: object, seconds: float) -> None:
    """Each documented form means what it says."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "h",
        "1x",
        "1h-30m",
        "--1",
        "1e3",
        "inf",
        "3651d",
        None,
        True,
        float("nan"),
        float("inf"),
        -1,
        b"1s",
        10**400,
        "9" * 400,
    ],
)
def test_no_durations(text: object) -> None:
    """What is no duration is refused, also what floats take for a number."""
    with pytest.raises(ValueError, match="not a duration; write it as"):
        parse_duration(text)


@given(st.text())
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    """No text makes the parser fail in another way, or return nonsense."""
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        assert "write it as" in str(error)  # noqa: PT017
    else:
        assert 0 <= seconds <= 3650 * 86400


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("64MB", 64_000_000), ("512 KiB", 524_288), ("1gb", 10**9), ("1.5kb", 1500), (7, 7), ("10b", 10)],
)
def test_sizes(text: object, size: int) -> None:
    """Each documented form means what it says."""
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "1XB", "-1", 0, -1, True, None, 1.5, "0.4", "9" * 400])
def test_no_sizes(text: object) -> None:
    """What is no size, or holds nothing, is refused."""
    with pytest.raises(ValueError, match="not a size; write it as"):
        parse_size(text)


@pytest.mark.parametrize(
    "text", ["", "700", "1,2", "1,2,3,4", "a,b,c", "1,-2,3", "1.5,2,3", (1, True, 3), 700, "1,2,9999999999"]
)
def test_no_thresholds(text: object) -> None:
    """What the garbage collector would not take is refused."""
    with pytest.raises(ValueError, match="not the collector's thresholds; write them as"):
        parse_thresholds(text)
