"""A widget that holds a large array, which goes to the page and comes back."""

import anywidget
import ipywidgets as widgets
import numpy as np
import traitlets
from starlette.applications import Starlette
from starlette.routing import Mount

from solara_ctx import KernelApp

NUMBERS = 12_500_000  # 50 MB


class Numbers(anywidget.AnyWidget):
    """An array of float32; the page tells its sum, and gives it back with one number changed."""

    _esm = """
    function render({ model, el }) {
      const seen = document.createElement("output");
      const back = document.createElement("button");
      back.textContent = "Give it back";
      const numbers = () => {
        const { buffer, byteOffset, byteLength } = model.get("data");
        return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
      };
      model.on("change:data", () => {
        const all = numbers();
        seen.textContent = `${all.length} numbers, the last is ${all.at(-1)}`;
      });
      back.onclick = () => {
        const all = numbers();
        all[all.length - 1] = 8;
        model.set("data", new DataView(all.buffer));
        model.save_changes();
      };
      el.append(seen, back);
    }
    export default { render };
    """
    data = traitlets.Any(b"").tag(sync=True)


def large() -> widgets.Widget:
    """It, and what Python knows of it."""
    held, said = Numbers(), widgets.Label("nothing")
    give, drop = widgets.Button(description="Give"), widgets.Button(description="Drop")

    def made(_: object) -> None:
        array = np.ones(NUMBERS, dtype=np.float32)
        array[-1] = 7
        held.data = array.data

    def heard(change: dict[str, object]) -> None:
        array = np.frombuffer(change["new"], dtype=np.float32)  # type: ignore[call-overload]
        said.value = f"{len(array)} numbers, the last is {array[-1]:g}" if len(array) else "nothing"

    give.on_click(made)
    drop.on_click(lambda _: setattr(held, "data", b""))
    held.observe(heard, "data")
    return widgets.VBox([give, drop, said, held])


kernels = KernelApp(large)
app = Starlette(routes=[Mount("/", kernels)], lifespan=kernels.lifespan)
