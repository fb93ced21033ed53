"""The names that a pickle of a scaler can use, each with its stand-in, and what is said about other names."""

from __future__ import annotations

import re
from functools import partial

from convert.untrusted.scalers.estimators import (
    FUNCTION,
    MODULES,
    Array,
    ColumnList,
    Damaged,
    Dtype,
    Estimator,
    Latin1,
    Name,
    Slice,
    StoredArray,
    Unused,
)

# What to do about the classes of a package. Behind a dot: of sklearn.
_PREDICTORS = "it predicts and is no scaler; dump the fitted scaler alone"
_WIDTHS = "it changes the number of columns; train on features that a scaler keeps apart"
_HINTS = {
    "model_selection": "it searches for parameters; dump the scaler of its best_estimator_ alone",
    **dict.fromkeys(
        (
            *("linear_model", "ensemble", "svm", "tree", "neighbors", "neural_network", "naive_bayes", "cluster"),
            *("discriminant_analysis", "gaussian_process", "multioutput", "multiclass", "dummy", "calibration"),
        ),
        _PREDICTORS,
    ),
    **dict.fromkeys(("decomposition", "feature_selection", "manifold", "random_projection"), _WIDTHS),
    "impute": "only SimpleImputer of this package is converted; leave out rows with gaps before the fit",
    "compose": "it is about the target or a choice of columns; dump the fitted scaler of the features alone",
}
_MODULE = re.compile(r"sklearn\.([a-z_]+)")


def refusal(module: str, name: str, *, in_function: bool) -> str:
    """The sentence about a name that is not in the table. in_function: a FunctionTransformer was found before it."""
    asked = f"asks for {module}.{name}, which no scaler that can be converted needs; none of its code ran"
    package = _MODULE.match(module)
    if package is not None:
        hint = _HINTS.get(package[1].lstrip("_"))
        return asked if hint is None else f"{asked}. {name}: {hint}"
    if in_function:
        return f"{asked}. A {FUNCTION} with a function is code; compute its result before the scaler"
    return asked


def _reconstruct(*_: object) -> Array:
    """Create an empty array, as NumPy does; its state follows."""
    return Array()


def _scalar(dtype: object, data: object) -> Array:
    return Array((), dtype, "C", data)


def _from_buffer(data: object, dtype: object, shape: object, order: object) -> Array:
    return Array(shape, dtype, order, data)


def _empty_bytes() -> bytes:
    """Create the bytes of an empty array, which protocols 0 to 2 write as a call."""
    return b""


def _reconstructor(name: object, _base: object, _state: object) -> object:
    """Create an object, as protocols 0 and 1 do after they have found its class."""
    if type(name) is not Name or name.make is None:
        raise Damaged("an object without a class")
    return name.make()


def _names() -> dict[tuple[str, str], Name]:
    """The table of names. Names that moved between releases are listed with all their modules."""
    compose = "sklearn.compose._column_transformer"
    table = {
        (compose, "_RemainderColsList"): Name(ColumnList),
        (compose, "make_column_selector"): Name(Unused),  # a fit keeps the columns that it chose
        ("joblib.numpy_pickle", "NumpyArrayWrapper"): Name(StoredArray),
        ("_codecs", "encode"): Name(Latin1),
        ("numpy", "dtype"): Name(Dtype),
        ("numpy", "ndarray"): Name(),
    }
    for name, modules in MODULES.items():
        for module in modules:
            table[f"sklearn.{module}", name] = Name(partial(Estimator, name))
    for package in ("numpy.core", "numpy._core"):
        table[f"{package}.multiarray", "_reconstruct"] = Name(_reconstruct)
        table[f"{package}.multiarray", "scalar"] = Name(_scalar)
        table[f"{package}.numeric", "_frombuffer"] = Name(_from_buffer)
    for module in ("copyreg", "copy_reg"):
        table[module, "_reconstructor"] = Name(_reconstructor)
    for module in ("builtins", "__builtin__"):
        table[module, "object"] = Name()
        table[module, "slice"] = Name(Slice)
        table[module, "bytes"] = Name(_empty_bytes)
    # Types of columns, by which make_column_selector chooses.
    table |= {("numpy", kind): Name() for kind in ("number", "float64", "float32")}
    table |= {(module, kind): Name() for module in ("builtins", "__builtin__") for kind in ("float", "int")}
    return table


NAMES = _names()
