"""A notebook in Jupyter, and as a page: what its cells have shown, and which widgets there are in the end."""

import json
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import Any

import nbformat
from nbclient import NotebookClient

from integration.support.protocol import JupyterClient, decode, message, states_of

Json = dict[str, Any]
TIMEOUT_S = 60
LOOK_EVERY_S = 0.1
REFERENCE = "IPY_MODEL_"
VIEW = "application/vnd.jupyter.widget-view+json"
# Where an object is in memory, how long something took, when it was, the file of a cell; what is in an Output, as the
# order of its fields is another.
EACH_TIME = re.compile(
    r"0x[0-9a-f]+|(?<=CPU times: ).*|(?<=Wall time: ).*|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"
    r"|/tmp/ipykernel_\d+/\d+\.py|<ipython-input-[^>]+>|(?<=Output\(outputs=\().*(?=,\)\))"
)
# Asked by a cell after all others: what Jupyter has saved says nothing of widgets that were closed.
ALIVE = "import ipywidgets as _w, json as _j; print(_j.dumps(list(_w.widget._instances)))"


@dataclass(frozen=True)
class Ran:
    """A notebook that has run.

    Args:
        cells: What each of its code cells that are not empty has put out.
        widgets: Their state, by model id.
    """

    cells: list[list[Json]]
    widgets: dict[str, Json]

    def shown(self, without: Sequence[re.Pattern[str]]) -> list[list[str]]:
        """What the cells show, each output in one line; a widget with all that is in it.

        Args:
            without: What is left out of the lines, but for its first group; a line of which nothing is left, too.
        """
        lines = ([cut(line, without) for line in self._lines(outputs)] for outputs in self.cells)
        return [[line for line in cell if line] for cell in lines]

    def kinds(self, without: Sequence[re.Pattern[str]]) -> Counter[str]:
        """The widgets, each with its state; of others in it only what they are."""
        return Counter(cut(self._state_of(model_id), without) for model_id in self.widgets)

    def _lines(self, outputs: Iterable[Json]) -> Iterator[str]:
        for output in merged(outputs):
            kind = output["output_type"]
            if kind == "stream":
                yield f"{output['name']}: {masked(output['text'])}"
            elif kind == "error":
                yield f"error {output['ename']}: {output['evalue']}"
            else:
                yield f"{kind} {json.dumps(self._data(output['data']), sort_keys=True)}"

    def _data(self, data: Json) -> Json:
        shown: Json = {}
        for mimetype, value in data.items():
            if mimetype == "text/plain" and VIEW in data:
                # What an Output in it holds: Jupyter has it from the browser, some time later.
                continue
            if mimetype == VIEW:
                shown[mimetype] = self._inside(value["model_id"], ())
            elif mimetype.startswith("image/"):
                shown[mimetype] = "a picture"
            else:
                shown[mimetype] = masked("".join(value) if isinstance(value, list) else str(value))
        return shown

    def _inside(self, model_id: str, within: tuple[str, ...]) -> Any:
        if model_id in within or model_id not in self.widgets:
            return "what it is in" if model_id in within else "gone"
        inside = (*within, model_id)
        return self._resolved(self.widgets[model_id], lambda other: self._inside(other, inside))

    def _state_of(self, model_id: str) -> str:
        def name(other: str) -> Any:
            return self.widgets[other]["_model_name"] if other in self.widgets else "gone"

        return json.dumps(self._resolved(self.widgets[model_id], name), sort_keys=True)

    def _resolved(self, value: Any, refer: Any) -> Any:
        if isinstance(value, str):
            return refer(value.removeprefix(REFERENCE)) if value.startswith(REFERENCE) else masked(value)
        if isinstance(value, list):
            return [self._resolved(each, refer) for each in value]
        if isinstance(value, dict):
            if value.get("output_type"):
                return list(self._lines([value]))
            return {name: self._resolved(each, refer) for name, each in value.items()}
        return value


def merged(outputs: Iterable[Json]) -> Iterator[Json]:
    """With streams as they look: what follows is appended."""
    last: Json | None = None
    for output in outputs:
        same = last is not None and last["output_type"] == output["output_type"] == "stream"
        if last is not None and same and last["name"] == output["name"]:
            last = {**last, "text": last["text"] + output["text"]}
            continue
        if last is not None:
            yield last
        last = dict(output)
    if last is not None:
        yield last


def cut(text: str, without: Sequence[re.Pattern[str]]) -> str:
    """Without what is found, but for its first group."""
    for pattern in without:
        text = pattern.sub(r"\1", text)
    return text


def masked(text: str) -> str:
    """Without what is another each time."""
    return EACH_TIME.sub("…", text)


class Client(NotebookClient):
    """Jupyter without a browser."""

    async def async_start_new_kernel_client(self) -> Any:
        """As upstream's, but it looks for replies every now and then.

        What upstream's Output widgets send goes to the socket that replies come on, and may take away the signal that
        one has come: https://libzmq.readthedocs.io/en/latest/zmq_getsockopt.html, ZMQ_FD.
        """
        client = await super().async_start_new_kernel_client()
        get = client.shell_channel.get_msg

        async def get_msg(timeout: float) -> Any:  # noqa: ASYNC109 - upstream's signature
            deadline = time.monotonic() + timeout
            while True:
                try:
                    return await get(timeout=LOOK_EVERY_S)
                except Empty:
                    if time.monotonic() > deadline:
                        raise

        client.shell_channel.get_msg = get_msg
        return client


async def in_jupyter(notebook: Path) -> Ran:
    """Run a notebook as Jupyter does, in a kernel of its own, without a browser."""
    content = nbformat.read(notebook, 4)
    content.cells.append(nbformat.v4.new_code_cell(ALIVE))
    where = {"metadata": {"path": str(notebook.parent)}}
    client = Client(content, timeout=TIMEOUT_S, kernel_name="python3", allow_errors=True, resources=where)
    await client.async_execute()
    *cells, last = [cell["outputs"] for cell in content.cells if cell["cell_type"] == "code" and cell["source"].strip()]
    alive = json.loads(last[0]["text"])
    return Ran(cells, {model_id: client.widget_state[model_id] for model_id in alive})


async def as_page(url: str, path: str, is_code: list[bool]) -> Ran:
    """Open the page of a notebook.

    Args:
        url: Of the server.
        path: Of the page.
        is_code: Of each cell that is not empty, whether it is of code.
    """
    async with JupyterClient(url, base=path) as client:
        client.base = "/"
        async with client.websocket(location=path) as socket:
            opening = {"comm_id": "page", "target_name": "solara_ctx.page", "data": {}}
            await socket.send(json.dumps(message("comm_open", opening)))
            roots: list[str] | None = None
            while roots is None:
                content = decode(await socket.recv())["content"]
                if content.get("comm_id") == "page" and "run" in content["data"]:
                    roots = content["data"]["roots"]
            states = {model_id: each["state"] for model_id, each in (await states_of(socket)).items()}
        (await client.http.post(f"{client.kernel_path()}/pages/{client.page_id}/close")).raise_for_status()
    # What the page itself is made of.
    root = states.pop(roots[0])
    outputs = [states.pop(child.removeprefix(REFERENCE)) for child in root["children"]]
    for each in (root, *outputs):
        del states[each["layout"].removeprefix(REFERENCE)]
    return Ran([output["outputs"] for output, code in zip(outputs, is_code, strict=True) if code], states)
