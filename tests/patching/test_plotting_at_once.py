"""Many kernels plot at once: none fails, and none draws with what belongs to another."""

import io
import threading

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt

from tests.support.kernels import StandInContext, patched

KERNELS = 8
PLOTS = 50
COMPARED = 10


def picture(number: int, turn: int) -> bytes:
    """What one plots, with what its kernel has set."""
    plt.figure(figsize=(1.5, 1))
    plt.plot([1, 2], [turn, number])
    plt.title(f"$x_{{{turn}}}$ {number}", fontsize=8)
    plt.scatter([1, 2], [number, turn])
    buffer = io.BytesIO()
    plt.savefig(buffer, format="rgba")
    plt.close("all")
    return buffer.getvalue()


@pytest.mark.slow
@pytest.mark.thorough
def test_many_kernels_plot_at_once() -> None:
    """Each has the pictures that it has when it plots alone, in its own style."""

    def style(number: int) -> None:
        color = f"#{number * 30:02x}0000"
        plt.style.use(["ggplot", "dark_background", "classic", "default"][number % 4])
        mpl.rcParams.update({"lines.linewidth": number + 1, "axes.edgecolor": color, "figure.dpi": 50 + number})

    def plot(number: int, pictures: list[bytes], plots: int) -> None:
        style(number)
        pictures += [picture(number, turn) for turn in range(plots)]

    with patched():
        kernels = [StandInContext(kernel_id=f"kernel number {number}") for number in range(2 * KERNELS)]
        found: list[list[bytes]] = [[] for _ in kernels]
        threads = [
            threading.Thread(target=kernel.run, args=(plot, number, found[number], PLOTS))
            for number, kernel in enumerate(kernels[:KERNELS])
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number, kernel in enumerate(kernels[KERNELS:]):
            kernel.run(plot, number, found[KERNELS + number], COMPARED)
        for kernel in kernels:
            kernel.close()
    for together, alone in zip(found[:KERNELS], found[KERNELS:], strict=True):
        assert len(together) == PLOTS
        assert together[:COMPARED] == alone
    assert len({pictures[0] for pictures in found[:KERNELS]}) == KERNELS
