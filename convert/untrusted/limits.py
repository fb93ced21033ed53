"""The limits of users' files, which are checked before anything is unpacked or computed.

Each is far above what detectors need (docs/convert.md), and far below what fills the memory of a machine. Sizes are in
bytes.
"""

from __future__ import annotations

from core.features.candles import MAX_CANDLES

MIB = 1 << 20

# A hundred versions have 50 kB. The time to read a TOML key grows with the square of its parts.
VERSIONS_FILE, KEY_PARTS = 64 << 10, 32
# A list of a thousand features has 20 kB, the losses of 10,000 epochs 400 kB. An empty list of three bytes takes 64.
JSON_FILE, JSON_FILES = MIB, 8 * MIB
FEATURES = 1_000
# A scaler of a thousand features has 50 kB, also after decompression.
SCALER_FILE = 16 * MIB
MODEL_FILE = 1024 * MIB
# 50 windows of 20 steps with 12 features have 48 kB.
BACKGROUND_FILE = 16 * MIB
# Keras writes about 1 kB for a layer.
CONFIG = 2 * MIB

# A scaler takes a few hundred operations. A single byte can be an operation that creates an object of 64 bytes.
OPERATIONS = 100_000
KEYS, KEY_LENGTH = 10_000, 1_000
INTEGER_BITS = 63
# scikit-learn fits 1,000 quantiles, and no more than the rows that it draws: 10,000, and 100,000 in old releases.
QUANTILES = 100_000

# Keras writes 3 members, and a directory of 250 bytes.
ZIP_MEMBERS, ZIP_DIRECTORY = 100, 64 << 10

# What a file may unpack to: weights hardly shrink, because they are as good as random.
UNPACKED_FACTOR, UNPACKED_AT_LEAST = 4, 16 * MIB

# A layer has up to 12 groups and datasets, nested 8 deep, with names of up to a hundred characters.
HDF5_OBJECTS, HDF5_DEPTH, HDF5_RANK, HDF5_NAME = 6_000, 32, 8, 1_000
# Keras writes one or two attributes a layer. 5,000 take 0.1 s of CPU time to read.
HDF5_ATTRIBUTES, HDF5_ATTRIBUTE, HDF5_ELEMENTS = 5_000, MIB, 10_000

# 250 trees of 31 leaves have 1 MB, and 100,000 leaves 11. ONNX Runtime calls itself for each level of a tree.
TREES_FILE = 16 * MIB
TREES, LEAVES, LEAVES_OF_TREE, TREE_DEPTH = 10_000, 100_000, 4_096, 200

# Of one stage, which answers their mean.
MODELS = 8
LAYERS = 500
# The server takes no longer windows. Unrolled steps cost some 10 ms each to build.
STEPS, UNROLLED_STEPS, BATCH = MAX_CANDLES, 500, 10_000
# CPU time of Keras. A model of ten layers takes two seconds.
BUILD_SECONDS = 300
# Values of a window: 2,000 steps of 50 features. The proof draws 2,000 windows at once.
WINDOW = 100_000
# Values of one layer's output for a window. Keras computes 256 windows at once, of 4 bytes a value: 2 GB.
VALUES = 2_000_000


def unpacked(size: int) -> int:
    """The largest number of bytes that `size` bytes of a file may stand for."""
    return UNPACKED_FACTOR * size + UNPACKED_AT_LEAST


def in_mib(size: int) -> str:
    """A size for a message: `0.3 MiB`, `1,024 MiB`."""
    return f"{size / MIB:,.1f}".removesuffix(".0") + " MiB"
