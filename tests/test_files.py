"""The files that page code offers."""

from pathlib import Path
from typing import Any

import pytest

from solara_ctx.errors import ContextClosed
from solara_ctx.files import KernelFiles


@pytest.fixture
def files() -> KernelFiles:
    """Those of a kernel below a path."""
    return KernelFiles("kernel", "/sub/")


def found(files: KernelFiles, url: str, name: str) -> Any:
    prefix, token, _ = url.rsplit("/", 2)
    assert prefix == "/sub/files/kernel"
    return files.find(token, name)


@pytest.mark.parametrize(
    ("content", "kept"),
    [(b"1", b"1"), ("ü", "ü".encode()), (bytearray(b"1"), b"1"), (memoryview(b"1234")[1:3], b"23"), (b"", b"")],
)
def test_data_is_offered_as_it_is_now(files: KernelFiles, content: Any, kept: bytes) -> None:
    """Text in UTF-8; what may change later is copied."""
    assert found(files, files.add(content, "a.csv"), "a.csv").content == kept


def test_bytes_are_not_copied(files: KernelFiles) -> None:
    """They may be many, and nobody can change them."""
    data = b"x" * 10_000
    assert found(files, files.add(data, "a"), "a").content is data


def test_an_address_is_not_to_be_guessed(files: KernelFiles) -> None:
    """Each is another, for the same name, and escaped."""
    one, other = files.add(b"1", "a b&ü.csv"), files.add(b"2", "a b&ü.csv")
    assert one != other
    assert one.endswith("/a%20b%26%C3%BC.csv")
    assert found(files, one, "a b&ü.csv").content == b"1"
    assert len(one.rsplit("/", 2)[1]) >= 22


def test_a_file_has_one_name(files: KernelFiles) -> None:
    """Nobody passes it off as another."""
    url = files.add(b"1", "a.csv")
    assert found(files, url, "b.exe") is None


@pytest.mark.parametrize(
    ("name", "given", "media_type"),
    [
        ("a.csv", None, "text/csv; charset=utf-8"),
        ("a.html", "text/html; charset=latin-1", "text/html; charset=latin-1"),
        ("a.png", None, "image/png"),
        ("a", None, "application/octet-stream"),
        ("a.csv", "application/vnd.ms-excel", "application/vnd.ms-excel"),
    ],
)
def test_the_type_is_by_the_name(files: KernelFiles, name: str, given: str | None, media_type: str) -> None:
    """Unless it is given."""
    assert found(files, files.add(b"", name, media_type=given), name).media_type == media_type


def test_a_file_that_was_removed_is_offered_no_longer(files: KernelFiles) -> None:
    """Once or twice; what is no address of ours removes nothing."""
    one, other = files.add(b"1", "a"), files.add(b"2", "b")
    files.remove(one)
    files.remove(one)
    files.remove(other.replace("kernel", "lenrek"))
    assert found(files, one, "a") is None
    assert found(files, other, "b").content == b"2"
    assert len(files) == 1


def test_a_page_that_is_left_offers_nothing(files: KernelFiles) -> None:
    """What the kernel had offered before stays."""
    kernels, removed = files.add(b"1", "a"), files.add(b"2", "b")
    files.lay_floor()
    files.remove(removed)
    pages = files.add(b"3", "c")
    files.leave_page()
    assert found(files, pages, "c") is None
    assert found(files, kernels, "a").content == b"1"
    assert len(files) == 1
    files.clear()
    files.lay_floor()
    files.leave_page()


def test_a_kernel_that_has_ended_offers_nothing(files: KernelFiles) -> None:
    """And takes nothing more."""
    url = files.add(b"1", "a")
    files.clear()
    assert found(files, url, "a") is None
    assert len(files) == 0
    files.remove(url)
    with pytest.raises(ContextClosed, match="offer files"):
        files.add(b"1", "a")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((7, "a"), TypeError, "not of a int"),
        ((None, "a"), TypeError, "not of a NoneType"),
        (((piece for piece in "pieces"), "a"), TypeError, "yields pieces, not of a generator"),
        ((Path("/no/such/file"), "a"), ValueError, "no file '/no/such/file'"),
        ((b"", 7), TypeError, "the name of a file is a string, not 7"),
        *(
            ((b"", name), ValueError, "can't be the name")
            for name in ("", " ", "..", "a/b", "a\\b", "a\nb", 'a"b', "a\x00", "a" * 201, "\ud800")
        ),
        ((b"", "a", "text"), ValueError, "a media type is like 'text/csv', not 'text'"),
        ((b"", "a", "text/csv\r\nSet-Cookie: a=b"), ValueError, "a media type"),
        ((b"", "a", 7), ValueError, "a media type"),
    ],
)
def test_what_can_not_be_offered_is_refused(
    files: KernelFiles, arguments: Any, error: type[Exception], message: str
) -> None:
    """In the line that offers it."""
    content, name, *media_type = arguments
    with pytest.raises(error, match=message):
        files.add(content, name, media_type=media_type[0] if media_type else None)
    assert len(files) == 0
