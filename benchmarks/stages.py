"""The detector of the benchmarks without a server: its scaler and stages in ONNX Runtime, and the time of a run."""

from __future__ import annotations

import time
from functools import cache

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from benchmarks.machine import ROOT
from core.bundles.bundle import Bundle
from core.bundles.repository import Repository
from core.features import catalogue
from core.features.candles import Candles
from core.inference import session
from core.inference.decision import gate_opens

VERSION = "v3.0"


@cache
def bundle() -> Bundle:
    """Return the committed bundle."""
    return Repository(ROOT / "models" / "onnx").read(VERSION)


@cache
def sessions() -> dict[str, ort.InferenceSession]:
    """Return a session for each stage's network, by its label, and for the scaler that both stages share."""
    manifest, graphs = bundle().manifest, bundle().graphs
    files = {label: stage.network for label, stage in manifest.stages.items()}
    if manifest.stage1.scaler is not None:
        files["scaler"] = manifest.stage1.scaler
    return {name: session.make(graphs[file.sha256]) for name, file in files.items()}


def run(name: str, values: NDArray[np.float64] | NDArray[np.float32]) -> NDArray[np.float32]:
    """Run one of the sessions."""
    found = sessions()[name]
    output: NDArray[np.float32] = found.run(None, {found.get_inputs()[0].name: values})[0]
    return output


def scaled(candles: Candles) -> NDArray[np.float32]:
    """Return the scaled window of the last candles, (20, 12), as the network takes it."""
    stage = bundle().manifest.stage1
    window: NDArray[np.float32] = run("scaler", catalogue.matrix(candles, stage.features, stage.sequence_length)[None])[
        0
    ]
    return window


def opens(window: NDArray[np.float32]) -> bool:
    """Return whether a scaled window opens the gate, so that Stage 2 runs."""
    return gate_opens(float(run("stage1", window[None])[0, 0]), bundle().manifest.threshold)


def seconds(windows: NDArray[np.float32], calls: int = 2000) -> NDArray[np.float64]:
    """Return the seconds of both stages together for windows (n, 20, 12), by call (calls,)."""
    runs = [
        (sessions()[label].run, {sessions()[label].get_inputs()[0].name: windows}) for label in ("stage1", "stage2")
    ]
    times = np.empty(calls)
    for i in range(calls):
        began = time.perf_counter()
        for stage, feed in runs:
            stage(None, feed)
        times[i] = time.perf_counter() - began
    return times
