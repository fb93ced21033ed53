"""A user's module of own layers, for --custom-objects. It is imported by its path in the tests."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="mine")
class Weighted(keras.layers.Layer):  # type: ignore[misc]
    """A layer with a weight and a layer of its own inside."""

    def __init__(self, inner: Any = None, **more: Any) -> None:  # noqa: ANN401
        super().__init__(**more)
        self.inner = keras.layers.Dense(3) if inner is None else inner

    def build(self, shape: tuple[int, ...]) -> None:
        if not self.inner.built:
            self.inner.build(shape)
        self.factor = self.add_weight(shape=(3,), name="factor")

    def compute_output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-1], 3)

    def call(self, x: Any) -> Any:  # noqa: ANN401
        return self.inner(x) * self.factor

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "inner": keras.saving.serialize_keras_object(self.inner)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Weighted:
        return cls(**{**config, "inner": keras.saving.deserialize_keras_object(config["inner"])})


class Doubled(keras.layers.Layer):  # type: ignore[misc]
    """A layer that is not registered."""

    def compute_output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape

    def call(self, x: Any) -> Any:  # noqa: ANN401
        return 2.0 * x


def wave(x: Any) -> Any:  # noqa: ANN401
    """An activation."""
    return keras.ops.sin(x)
