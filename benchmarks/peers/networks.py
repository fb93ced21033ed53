"""Both stages in ONNX Runtime, for the peers that use it: the graphs of the bundle, one thread per session."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from benchmarks.peers.rule import BUNDLE, WINDOW, manifest, rule


class Networks:
    """The sessions of both stages, loaded and warmed up."""

    def __init__(self) -> None:
        self._rule = rule()
        read = manifest()
        self._first, self._second = (_session(read[stage]["network"]["file"]) for stage in ("stage1", "stage2"))
        self._first_input, self._second_input = (s.get_inputs()[0].name for s in (self._first, self._second))
        for _ in range(10):
            self.predict(np.zeros((1, *WINDOW), np.float32))
            self._second.run(None, {self._second_input: np.zeros((1, *WINDOW), np.float32)})

    def predict(self, windows: NDArray[np.float32]) -> list[dict[str, Any]]:
        """Return the fields of an answer for each window (n, 20, 12). Stage 2 runs for windows that open the gate."""
        p1 = self._first.run(None, {self._first_input: windows})[0][:, 0]
        opened = p1 >= self._rule.threshold
        if not opened.any():
            return [self._rule.row(value, None) for value in p1.tolist()]
        passed = windows if opened.all() else windows[opened]
        p2 = iter(self._second.run(None, {self._second_input: passed})[0][:, 0].tolist())
        return [
            self._rule.row(value, next(p2) if passes else None)
            for value, passes in zip(p1.tolist(), opened.tolist(), strict=True)
        ]


def _session(file: str) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return ort.InferenceSession(str(BUNDLE / file), options, providers=["CPUExecutionProvider"])
