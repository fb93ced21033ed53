"""Which packages and rooms import which others, and which modules a fresh interpreter loads."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from reversal.__main__ import COMMANDS
from tests.market import ROOT

HEAVY = [
    "tensorflow",
    "tf_keras",
    "keras",
    "onnx",
    "sklearn",
    "joblib",
    "pandas",
    "scipy",
    "h5py",
    "lightgbm",
    "optuna",
]

# Serves predictions as a worker does. An audit hook ends the process if anything is unpickled.
SERVE_ONE = """
import sys
def audit(event, arguments):
    if event == "pickle.find_class":
        raise SystemExit(f"unpickled {arguments}")
sys.addaudithook(audit)

import asyncio
import tempfile
from pathlib import Path
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
import server.__main__
import server.process.workers
from server.worker.app import make_app
from server.auth.credentials import Credentials
from server.keeper.app import make_keeper_app
from server.settings import read

async def main(folder):
    settings = read(["--state-url", f"sqlite:///{folder}/state.db", "--journals", f"{folder}/journals"], {})
    keeper = web.AppRunner(make_keeper_app(settings))
    await keeper.setup()
    await web.UnixSite(keeper, f"{folder}/keeper.sock").start()
    async with TestClient(TestServer(make_app(settings, Credentials(settings), Path(folder, "keeper.sock")))) as client:
        body = Path("docs/examples/predict.json").read_bytes()
        headers = {"Content-Type": "application/json"}
        for path in ("/reversal/predict", "/reversal/compare"):
            response = await client.post(path, data=body, headers=headers)
            assert response.status == 200, await response.text()
        for path in ("/reversal/models", "/reversal/experiments", "/metrics"):
            assert (await client.get(path)).status == 200
    await keeper.cleanup()

with tempfile.TemporaryDirectory() as folder:
    asyncio.run(main(folder))
"""


def modules_after(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after running `code`."""
    code += "\nimport sys\nprint('\\n'.join({name.split('.')[0] for name in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


def test_core_imports_neither_aiohttp_nor_other_packages() -> None:
    paths = [path.relative_to(ROOT).with_suffix("") for path in (ROOT / "core").rglob("*.py")]
    loaded = modules_after("\n".join(f"import {'.'.join(path.parts)}" for path in paths if path.stem != "__init__"))
    assert not loaded & {*HEAVY, "aiohttp", "server", "convert", "lab", "training"}


def test_a_serving_process_loads_no_training_no_conversion_and_no_pickle() -> None:
    loaded = modules_after(SERVE_ONE)
    assert {"aiohttp", "onnxruntime", "core", "server"} <= loaded
    assert not loaded & {*HEAVY, "convert", "lab", "training", *EXTRAS}


def test_a_worker_that_traces_loads_no_exporter() -> None:
    code = "import server.worker.app, server.worker.tracing.connection, server.worker.tracing.sending"
    assert not modules_after(code) & {*EXTRAS}


@pytest.mark.parametrize(
    ("package", "may"),
    [
        ("core", {"core"}),
        ("server", {"server", "core"}),
        ("convert", {"convert", "core"}),
        ("lab", {"lab", "core"}),
        ("training", {"training", "lab", "core"}),
        ("migration", {"migration", "server", "core"}),
        ("reversal", {"reversal", "server", "convert", "training", "lab", "migration", "core"}),
    ],
)
def test_a_package_imports_only_what_it_may(package: str, may: set[str]) -> None:
    ours = {"core", "server", "convert", "lab", "training", "migration", "reversal", "benchmarks", "tests"}
    for place, name in imports(package):
        assert name in may or name not in ours, place


# The rooms of core from the ground up. A room may import the rooms before it, never those after it.
CORE = (
    *("errors", "log_event", "version", "yielding", "files", "native", "features", "bundles", "inference"),
    *("experiments", "serving", "statistics", "store", "journals", "reports", "replay"),
)
# The rooms of the server, each with the other rooms that it may import. All may import core.
SERVER: dict[str, set[str]] = {
    "cpus": set(),
    "health_check": set(),
    "threads": set(),
    "auth": set(),
    "logs": set(),
    "protocol": set(),
    "settings_parsing": set(),
    "settings": {"settings_parsing", "cpus", "auth"},
    "http": {"settings", "auth", "logs"},
    "api": {"http", "settings", "auth", "protocol"},
    "open_inference": {"api", "http"},
    "tracing": {"http", "logs", "settings_parsing"},
    "dashboard": {"http"},
    "worker": {"dashboard", "open_inference", "api", "http", "settings", "auth", "protocol", "logs", "tracing"},
    "keeper": {"open_inference", "api", "http", "settings", "auth", "protocol", "logs", "threads", "tracing"},
    "grpc": {"worker", "open_inference", "api", "http", "settings", "settings_parsing", "auth", "logs", "tracing"},
    "process": {
        "grpc",
        "worker",
        "keeper",
        "api",
        "http",
        "settings",
        "settings_parsing",
        "auth",
        "protocol",
        "cpus",
        "threads",
        "logs",
        "open_inference",
        "tracing",
    },
    "__main__": {
        "dashboard",
        "process",
        "grpc",
        "keeper",
        "settings_parsing",
        "settings",
        "auth",
        "protocol",
        "logs",
        "tracing",
    },
}


@pytest.mark.parametrize(("room", "may"), [*((room, set(CORE[: i + 1])) for i, room in enumerate(CORE))])
def test_a_room_of_core_imports_only_rooms_before_it(room: str, may: set[str]) -> None:
    for place, used in used_rooms("core", room):
        assert used in may, place


@pytest.mark.parametrize(("room", "may"), SERVER.items())
def test_a_room_of_the_server_imports_only_what_it_may(room: str, may: set[str]) -> None:
    for place, used in used_rooms("server", room):
        assert used in {room, *may}, place


@pytest.mark.parametrize(("package", "rooms"), [("core", set(CORE)), ("server", set(SERVER))])
def test_every_room_is_in_these_tables(package: str, rooms: set[str]) -> None:
    found = {
        path.stem for path in (ROOT / package).iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert found - {"__init__", "__pycache__"} == rooms


def test_the_map_has_the_same_arrows() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| `core/(\w+)[/.`]", text, re.MULTILINE)
    assert tuple(rows) == CORE
    arrows = {room: set(used.split(", ")) for room, used in re.findall(r"^(\w+) +──► ([\w, ]+)$", text, re.MULTILINE)}
    assert arrows == {room: may for room, may in SERVER.items() if may}


@pytest.mark.parametrize("package", ["core", "server"])
def test_no_folder_has_more_than_twelve_modules(package: str) -> None:
    for folder in (ROOT / package, *(path.parent for path in (ROOT / package).rglob("__init__.py"))):
        assert len([path for path in folder.glob("*.py") if path.stem != "__init__"]) <= 12, folder


# The files that may be longer than 300 lines, each with its reason.
LONG: dict[str, str] = {}


def test_no_file_is_long_without_a_reason() -> None:
    packages = ("core", "server", "convert", "lab", "training", "migration", "reversal")
    paths = (path for package in packages for path in (ROOT / package).rglob("*.py"))
    long = {path.relative_to(ROOT).as_posix() for path in paths if len(path.read_text().splitlines()) > 300}
    assert long == set(LONG)


def test_no_two_classes_have_one_name() -> None:
    packages = ("core", "server", "convert", "lab", "training", "migration", "reversal")
    found: dict[str, str] = {}
    for path in (path for package in packages for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                assert node.name not in found, f"{node.name}: {path} and {found[node.name]}"
                found[node.name] = str(path)


def test_the_command_line_imports_no_package_before_the_command_is_known() -> None:
    loaded = modules_after("import reversal.__main__")
    assert "reversal" in loaded
    assert not loaded & {
        "server",
        "convert",
        "lab",
        "training",
        "migration",
        "numpy",
        "onnxruntime",
        "aiohttp",
        "msgspec",
    }


@pytest.mark.parametrize(("command", "package"), [("convert", "convert"), ("train", "training")])
def test_the_command_line_lists_the_packages_that_a_command_needs(command: str, package: str) -> None:
    always = {name for part in ("server", "core") for _, name in imports(part)} | {"convert", "lab", "training"}
    used = (
        {
            name
            for part in {"training": ("training", "lab")}.get(package, (package,))
            for place, name in imports(part)
            if not re.search("lab/(search|report)/", place)  # training does without them
        }
        - always
        - sys.stdlib_module_names
    )
    assert used | {"tensorflow"} == set(COMMANDS[command].needs)  # tf_keras imports tensorflow


# Dependencies that are not imported, each with the module that reads its data. `zoneinfo` reads tzdata if the machine
# has no time zones of its own. `importlib` finds the files of /docs.
DATA = {"tzdata": "zoneinfo", "flask-swagger-ui": "importlib"}
# Packages that only an extra installs, each with the only module or room that may import it.
EXTRAS = {
    "opentelemetry": "server/keeper/tracing/otlp.py",
    "requests": "server/keeper/tracing/otlp.py",
    "grpc": "server/grpc/",
    "grpc_health": "server/grpc/",
    "grpc_reflection": "server/grpc/",
    "google": "server/grpc/",
}


def test_the_dependencies_are_those_that_the_server_and_the_command_line_use() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    direct = {normal(re.split(r"[^\w.-]", requirement)[0]) for requirement in declared}
    distributions = packages_distributions()
    used, standard = set(), set()
    own = {"server", "core", "reversal", "convert", "lab", "training", "migration"}
    for place, name in [*imports("server"), *imports("core"), *imports("reversal")]:
        if name in sys.stdlib_module_names:
            standard.add(name)
        elif name in EXTRAS:
            assert EXTRAS[name] in place
        elif name not in own:
            (distribution,) = {normal(found) for found in distributions.get(name, [name])}
            assert distribution in direct, f"{place}: {distribution} is missing in dependencies of pyproject.toml"
            used.add(distribution)
    used |= {data for data, reader in DATA.items() if reader in standard}
    assert direct == used, f"unused: {direct - used}"


def normal(distribution: str) -> str:
    """The name in the form that is compared (PyPA's name normalization)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def imports(package: str) -> Iterator[tuple[str, str]]:
    """Each import of a package, also inside functions: its place and the name of the top-level module."""
    for place, name in modules(ROOT / package):
        yield place, name.split(".")[0]


def used_rooms(package: str, room: str) -> Iterator[tuple[str, str]]:
    """Each import of a room of the package by one of its rooms: its place and the imported room."""
    for place, name in modules(ROOT / package / room):
        if name.startswith(f"{package}."):
            yield place, name.split(".")[1]


def modules(root: Path) -> Iterator[tuple[str, str]]:
    """Each import in a folder's modules, or in one module: its place and the imported name."""
    for path in root.rglob("*.py") if root.is_dir() else [root.with_suffix(".py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: relative import"
                names = [node.module or ""]
                if "." not in names[0]:  # `from server import settings`
                    names = [f"{node.module}.{alias.name}" for alias in node.names]
            else:
                continue
            for name in names:
                yield f"{path}, line {node.lineno}: {name}", name
