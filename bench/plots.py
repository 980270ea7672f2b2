"""Drawing the curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt

from bench.curves import UNITS, Curve

# Equal curves give equal files, so that a diff shows changed measurements only.
mpl.use("Agg")
mpl.rcParams["svg.hashsalt"] = "milepost"
METADATA = {"Date": None}


def draw(curves: Sequence[Curve], folder: Path) -> list[Path]:
    """Draw every plot into a file of its own; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for plot, (x_label, y_label) in UNITS.items():
        shown = [curve for curve in curves if curve.plot == plot]
        if not shown:
            continue
        figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
        for curve in shown:
            axes.plot(curve.xs, curve.ys, marker="o", label=curve.name)
        axes.set(title=plot, xlabel=x_label, ylabel=y_label, xscale="log")
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend()
        files.append(folder / f"{plot.replace(' ', '-').replace(chr(39), '')}.svg")
        figure.savefig(files[-1], metadata=METADATA)
        plt.close(figure)
    return files
