"""Time of tree ensembles in ONNX Runtime, as the server runs them: python -m benchmarks.trees.

The models are trained on random windows: 250 trees that see the last step, or the whole window of 86 steps.
"""

from __future__ import annotations

import io
import time
from statistics import median

import lightgbm
import numpy as np

from convert.graph import FLOAT, GraphBuilder
from convert.layers.network import INPUT, OUTPUT
from convert.sources.versions import StageFiles
from convert.trees import columns, ensemble
from convert.untrusted.trees import text
from core.inference import session

TREES, STEPS, FEATURES = 250, 86, 6
LEAVES = (15, 31)
BATCHES = (1, 32)
_ROWS, _RUNS, _SEED = 4_000, 1_000, 7
_SETTINGS = {"objective": "binary", "num_threads": 1, "verbosity": -1, "seed": _SEED}


def graph(windows: np.ndarray[tuple[int, int, int], np.dtype[np.float32]], leaves: int, *, whole: bool) -> bytes:
    """The graph of a model that is trained on these windows (batch, steps, features)."""
    rows = windows.reshape(len(windows), -1) if whole else windows[:, -1]
    labels = rows[:, 0] * rows[:, 1] + rows[:, 2] + np.random.default_rng(_SEED).standard_normal(len(rows)) > 0.0
    trained = lightgbm.train(_SETTINGS | {"num_leaves": leaves}, lightgbm.Dataset(rows, labels), TREES)
    file = text.parse(io.BytesIO(trained.model_to_string().encode()))
    files = StageFiles(model="model.txt", features="features.json", sequence_length=STEPS)
    read = columns.find(len(file.columns), FEATURES, files)
    made = GraphBuilder()
    answer = made.value("Sigmoid", "head", ensemble.emit(made, file, read, INPUT))
    built = made.finish((INPUT, FLOAT, (STEPS, FEATURES)), (OUTPUT, FLOAT, (1,)), answer)
    return bytes(built.SerializeToString(deterministic=True))


def main() -> None:
    """Print a row for each model: the median time of one run, in microseconds, by the number of windows."""
    drawn = np.random.default_rng(_SEED).standard_normal((_ROWS, STEPS, FEATURES)).astype(np.float32)
    print(f"{TREES} trees, one thread | " + " | ".join(f"{batch} windows, µs" for batch in BATCHES))
    for whole in (False, True):
        for leaves in LEAVES:
            made = session.make(graph(drawn, leaves, whole=whole))
            times = []
            for batch in BATCHES:
                spent = []
                for i in range(_RUNS):
                    given = drawn[i % 100 * batch % (_ROWS - batch) :][:batch]
                    start = time.perf_counter()
                    made.run([OUTPUT], {INPUT: given})
                    spent.append(time.perf_counter() - start)
                times.append(median(spent) * 1e6)
            seen = f"{STEPS} by {FEATURES} values" if whole else f"{FEATURES} values of the last step"
            print(f"{leaves} leaves, {seen} | " + " | ".join(f"{each:.0f}" for each in times))


if __name__ == "__main__":
    main()
