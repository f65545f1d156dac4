"""The modules of other people's widgets: what is served, and that nothing else is."""

import gzip
import json
import os
import threading
from pathlib import Path

import httpx2
import pytest

from solara_ctx.web.nbextensions import Nbextensions, labextension_directories, nbextension_directories

MODULE = 'define(["@jupyter-widgets/base"], () => ({}));' * 100


def write(path: Path, content: str | bytes = MODULE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a package in it, and a file beside it that is nobody's business."""
    write(tmp_path / "nbextensions/charts/index.js")
    write(tmp_path / "nbextensions/charts/style.css", ".chart {}")
    write(tmp_path / "nbextensions/charts/fonts/a.woff2", b"font")
    write(tmp_path / "secret.js", "secret")
    return tmp_path / "nbextensions"


def client(app: Nbextensions) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test")


def serving(*directories: Path, **options: int) -> Nbextensions:
    return Nbextensions(directories, (), **options)


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/charts/index.js", "text/javascript"),
        ("/charts/style.css", "text/css"),
        ("/charts/fonts/a.woff2", "font/woff2"),
    ],
)
async def test_files_of_packages_are_served(place: Path, path: str, media_type: str) -> None:
    """With their type, which nobody may guess, and the browser asks each time whether they are the same."""
    async with client(serving(place)) as http:
        answer = await http.get(path)
    assert answer.status_code == 200
    assert answer.content == (place / path[1:]).read_bytes()
    assert answer.headers["content-type"].startswith(media_type)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    [
        "/charts",
        "/charts/",
        "/charts/fonts",
        "/charts/none.js",
        "/secret.js",
        "/../secret.js",
        "/%2e%2e/secret.js",
        "/charts/../../secret.js",
        "/charts/..%2f..%2fsecret.js",
        "/charts/%2e%2e/%2e%2e/secret.js",
        "/charts/..\\..\\secret.js",
        "/charts//index.js",
        "//charts/index.js",
        "/charts/index.js/",
        "/charts/index.js%00.css",
        "/charts/index.js%0a",
        "/C:/secret.js",
        "/charts/.hidden.js",
        "/.git/index.js",
        "/charts/notes.txt",
        "/charts/module.py",
        "/charts/index",
        "/charts/folder.js",
        "/" + "charts/" * 20 + "index.js",
    ],
)
async def test_nothing_else_is_served(place: Path, path: str) -> None:
    """Whatever is hidden, elsewhere, no file, or nothing that a page could use."""
    for name in ("charts/.hidden.js", ".git/index.js", "charts/notes.txt", "charts/module.py", "charts/folder.js/a.js"):
        write(place / name, "secret")
    async with client(serving(place)) as http:
        answer = await http.get(path)
    assert answer.status_code == 404
    assert "secret" not in answer.text


async def test_links_that_lead_out_of_a_package_are_not_followed(place: Path, tmp_path: Path) -> None:
    """Neither to a file nor to a folder; one that stays within is a file like any other."""
    write(tmp_path / "elsewhere/index.js", "secret")
    (place / "charts/out.js").symlink_to(tmp_path / "secret.js")
    (place / "charts/outside").symlink_to(tmp_path / "elsewhere")
    (place / "charts/in.js").symlink_to(place / "charts/index.js")
    (place / "@charts").mkdir()
    (place / "@charts/out.js").symlink_to(tmp_path / "secret.js")
    async with client(serving(place)) as http:
        paths = ("/charts/out.js", "/charts/outside/index.js", "/@charts/out.js", "/charts/in.js")
        answers = [await http.get(path) for path in paths]
    assert [answer.status_code for answer in answers] == [404, 404, 404, 200]


async def test_a_package_may_be_a_link(place: Path, tmp_path: Path) -> None:
    """As `jupyter nbextension install --symlink` makes it; what leads out of it is not followed."""
    project = write(tmp_path / "project/js/index.js", "in the making").parent
    (project / "out.js").symlink_to(tmp_path / "secret.js")
    (project / "up").symlink_to(tmp_path)
    (place / "mine").symlink_to(project)
    (place / "@me").mkdir()
    (place / "@me/mine").symlink_to(project)
    async with client(serving(place)) as http:
        for package in ("mine", "@me/mine"):
            assert (await http.get(f"/{package}/index.js")).text == "in the making"
            assert [(await http.get(f"/{package}/{path}")).status_code for path in ("out.js", "up/secret.js")] == [
                404,
                404,
            ]
        assert set((await http.get("/")).json()["modules"]) == {"charts", "mine", "@me/mine"}


async def test_the_folder_itself_may_be_a_link(place: Path, tmp_path: Path) -> None:
    """As in environments that share what they have."""
    (tmp_path / "env").symlink_to(place)
    async with client(serving(tmp_path / "env")) as http:
        assert (await http.get("/charts/index.js")).text == MODULE


async def test_the_first_folder_that_has_it_counts(place: Path, tmp_path: Path) -> None:
    """As Jupyter has it: the environment's own comes before the system's, and the rest of that is there, too."""
    write(tmp_path / "system/charts/index.js", "older")
    write(tmp_path / "system/charts/other.js", "other")
    async with client(serving(tmp_path / "nowhere", place, tmp_path / "system")) as http:
        assert (await http.get("/charts/index.js")).text == MODULE
        assert (await http.get("/charts/other.js")).text == "other"


async def test_modules_are_compressed_for_who_takes_it(place: Path) -> None:
    """Text only, and not for a few bytes; each form has its tag."""
    app = serving(place)
    async with client(app) as http:
        plain = await http.get("/charts/index.js", headers={"Accept-Encoding": "identity"})
        packed = await http.get("/charts/index.js", headers={"Accept-Encoding": "gzip"})
        small = await http.get("/charts/style.css", headers={"Accept-Encoding": "gzip"})
        font = await http.get("/charts/fonts/a.woff2", headers={"Accept-Encoding": "gzip"})
    assert plain.text == packed.text == MODULE
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(MODULE) / 10
    assert not any("content-encoding" in answer.headers for answer in (plain, small, font))
    assert {answer.headers["vary"] for answer in (plain, packed, small)} == {"Accept-Encoding"}
    assert plain.headers["etag"] != packed.headers["etag"]


async def test_a_file_that_the_browser_has_is_not_sent_again(place: Path) -> None:
    """Until it changes, by an upgrade of its package."""
    async with client(serving(place)) as http:
        tag = (await http.get("/charts/index.js")).headers["etag"]
        again = await http.get("/charts/index.js", headers={"If-None-Match": tag})
        write(place / "charts/index.js", "newer")
        newer = await http.get("/charts/index.js", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert (newer.status_code, newer.text) == (200, "newer")


async def test_files_are_only_read(place: Path) -> None:
    """Whoever wants to change one learns that it can't be done."""
    async with client(serving(place)) as http:
        answer = await http.post("/charts/index.js")
        head = await http.head("/charts/index.js", headers={"Accept-Encoding": "identity"})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(MODULE)))


async def test_what_is_asked_for_often_is_in_memory(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a bound: what was not asked for the longest goes first, and what is larger than all of it never comes."""
    for name, size in (("a", 300), ("b", 300), ("c", 300), ("huge", 2000)):
        write(place / f"charts/{name}.js", name[0] * size)
    read: list[str] = []
    real = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        read.append(path.stem)
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    app = serving(place, kept_bytes=700)
    async with client(app) as http:
        for name in ("a", "b", "a", "c", "a", "b", "huge", "huge", "b"):
            assert (await http.get(f"/charts/{name}.js", headers={"Accept-Encoding": "identity"})).text[0] == name[0]
    assert read == ["a", "b", "c", "b", "huge", "huge"]
    assert app._shelf._bytes == 600


def test_a_file_is_read_once_for_many_pages(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They wait for the one that reads it."""
    app = serving(place)
    found = app._find("charts/index.js")
    assert found is not None
    reads: list[Path] = []
    both = threading.Barrier(2)
    real = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        reads.append(path)
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)

    def take() -> None:
        both.wait()
        assert app._shelf.take(*found, compress=True) is not None

    threads = [threading.Thread(target=take) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reads) == 1


def test_a_file_that_goes_just_then_is_not_there(place: Path) -> None:
    """Between the look and the reading, a package may be removed."""
    app = serving(place)
    found = app._find("charts/index.js")
    assert found is not None
    (place / "charts/index.js").unlink()
    assert app._shelf.take(*found, compress=False) is None


# The list


def labextension(place: Path, folder: str, about: object) -> None:
    write(place / folder / "package.json", about if isinstance(about, str) else json.dumps(about))


async def test_the_list_says_which_modules_there_are(place: Path, tmp_path: Path) -> None:
    """By the names that widgets use: a folder's, or what the package tells a notebook; with versions, where known."""
    write(place / "@maps/globe/index.js")
    write(place / "engine/extension.js", "requirejs.config({map: {'*': {'@cars/engine': 'nbextensions/engine/main'}}})")
    write(place / "engine/main.js")
    write(place / "nothing/extension.js", 'x = {"nothing": "nbextensions/nothing/index"}')
    write(place / "large/extension.js", '{"large": "nbextensions/charts/index"}' + " " * 100_000)
    write(place / ".hidden/index.js")
    lab = tmp_path / "labextensions"
    labextension(lab, "charts", {"name": "charts", "version": "1.2.3"})
    labextension(lab, "@cars/engine", {"name": "@cars/engine", "version": "4.0.0"})
    labextension(lab, "lab-only", {"name": "lab-only", "version": "5.0.0"})
    for number, broken in enumerate(("[]", "{", {"name": "charts"}, {"name": 1, "version": "1"})):
        labextension(lab, f"broken-{number}", broken)
    labextension(tmp_path / "older", "charts", {"name": "charts", "version": "1.0.0"})
    app = Nbextensions([place, tmp_path / "nowhere"], [lab, tmp_path / "older"])
    async with client(app) as http:
        answer = await http.get("/")
        again = await http.get("/", headers={"If-None-Match": answer.headers["etag"]})
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "modules": {
            "charts": {"path": "charts/index.js", "version": "1.2.3"},
            "@maps/globe": {"path": "@maps/globe/index.js", "version": None},
            "@cars/engine": {"path": "engine/main.js", "version": "4.0.0"},
            "lab-only": {"path": None, "version": "5.0.0"},
        }
    }
    assert again.status_code == 304


async def test_the_list_is_made_anew_when_packages_come_and_go(place: Path) -> None:
    """And only then, as it takes files to be read."""
    app = serving(place)
    made: list[int] = []
    real = app.modules

    def modules() -> dict[str, dict[str, str | None]]:
        made.append(1)
        return real()

    app.modules = modules  # type: ignore[method-assign]
    async with client(app) as http:
        for _ in range(3):
            assert set((await http.get("/")).json()["modules"]) == {"charts"}
        assert len(made) == 1
        write(place / "maps/index.js")
        os.utime(place, ns=(1, 1))  # two changes within one tick of the system's clock
        assert set((await http.get("/")).json()["modules"]) == {"charts", "maps"}
    assert len(made) == 2


def test_the_environment_is_where_jupyter_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for Jupyter's own servers, `JUPYTER_PATH` comes first."""
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    assert nbextension_directories()[0] == tmp_path / "nbextensions"
    assert labextension_directories()[0] == tmp_path / "labextensions"
    write(tmp_path / "nbextensions/charts/index.js")
    assert Nbextensions().modules()["charts"]["path"] == "charts/index.js"


def test_a_compressed_answer_is_what_the_file_holds(place: Path) -> None:
    """Byte for byte, and the same for everybody."""
    app = serving(place)
    found = app._find("charts/index.js")
    assert found is not None
    file = app._shelf.take(*found, compress=True)
    assert file is not None
    assert gzip.decompress(file.content).decode() == MODULE
