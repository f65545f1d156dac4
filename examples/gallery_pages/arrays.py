"""Arrays go to the page and come back as they are, in binary."""

from typing import Any

import anywidget
import ipywidgets as widgets
import numpy as np
import traitlets
from gallery_pages.room import Room


class Picture(anywidget.AnyWidget):
    """The bytes of an array, red, green, blue and opacity by turns, as a picture; a click sends its negative back."""

    _esm = """
    function render({ model, el }) {
      const canvas = document.createElement("canvas");
      canvas.style.width = "240px";
      const bytes = () => {
        const { buffer, byteOffset, byteLength } = model.get("pixels");
        return new Uint8ClampedArray(buffer, byteOffset, byteLength);
      };
      const draw = () => {
        canvas.width = canvas.height = model.get("side");
        canvas.getContext("2d").putImageData(new ImageData(bytes(), canvas.width), 0, 0);
      };
      canvas.onclick = () => {
        const negative = bytes().map((value, number) => number % 4 === 3 ? value : 255 - value);
        model.set("pixels", new DataView(negative.buffer));
        model.save_changes();
      };
      model.on("change:pixels", draw);
      draw();
      el.append(canvas);
    }
    export default { render };
    """
    side = traitlets.Int().tag(sync=True)
    pixels = traitlets.Any().tag(sync=True, echo_update=False)


def _gradient(side: int) -> Any:
    """A square that gets redder to the right and bluer downwards."""
    pixels = np.full((side, side, 4), 255, dtype=np.uint8)
    pixels[:, :, 0] = np.linspace(0, 255, side, dtype=np.uint8)
    pixels[:, :, 1] = 60
    pixels[:, :, 2] = np.linspace(0, 255, side, dtype=np.uint8)[:, None]
    return pixels


def array() -> widgets.Widget:
    """numpy: an array is a picture, and a click sends it back."""
    size = widgets.ToggleButtons(options={"1 MB": 500, "50 MB": 3536}, description="Size")
    picture, said = Picture(side=size.value, pixels=_gradient(size.value).data), widgets.Label("Click on the picture")

    def resized(change: Any) -> None:
        with picture.hold_sync():
            picture.side, picture.pixels = change["new"], _gradient(change["new"]).data

    def came_back(change: Any) -> None:
        pixels = np.frombuffer(change["new"], dtype=np.uint8).reshape(picture.side, picture.side, 4)
        red, green, blue, _ = pixels[0, -1]
        said.value = f"{pixels.nbytes / 1e6:.0f} MB, the upper right corner is {red}, {green}, {blue}"

    size.observe(resized, "value")
    picture.observe(came_back, "pixels")
    return widgets.VBox([size, said, picture])


ROOM = Room("Large values", {"/array": array})
