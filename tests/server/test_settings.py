from __future__ import annotations

from pathlib import Path

import pytest

from server import cpus
from server.settings import INSTALLED, SETTINGS, read, unknown_variables
from server.settings_parsing import Setting, SettingsError
from tests.market import ROOT


def test_defaults() -> None:
    settings = read([], {})
    assert (settings.host, settings.port, settings.models) == ("127.0.0.1", 8000, Path("models/onnx"))
    assert (str(settings.timezone), settings.environment, settings.log_level) == ("UTC", "production", "info")


def test_without_a_models_folder_the_one_beside_the_packages_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert read([], {}).models == INSTALLED == ROOT / "models" / "onnx"
    assert read([], {}).models_not_chosen
    assert not read(["--models", str(INSTALLED)], {}).models_not_chosen
    for arguments, environ in ((["--models", "models/onnx"], {}), ([], {"REVERSAL_MODELS": "models/onnx"})):
        with pytest.raises(SettingsError, match="models/onnx"):
            read(arguments, environ)
    Path("models/onnx").mkdir(parents=True)
    assert read([], {}).models == read(["--models", "auto"], {}).models == Path("models/onnx")


@pytest.mark.parametrize(("found", "expected"), [(3, 3), (96, 64)])
def test_the_default_is_a_worker_for_each_cpu_and_at_most_64(
    monkeypatch: pytest.MonkeyPatch, found: int, expected: int
) -> None:
    monkeypatch.setattr(cpus, "available", lambda: found)
    assert read([], {}).workers == expected
    assert read(["--workers", "auto"], {"REVERSAL_WORKERS": "2"}).workers == expected
    assert read([], {"REVERSAL_WORKERS": "2"}).workers == 2


def test_a_flag_overrides_the_variable_and_the_variable_the_default() -> None:
    environ = {"REVERSAL_PORT": "9000", "ENVIRONMENT": "staging", "LOG_LEVEL": "DEBUG", "REVERSAL_HOST": "::1"}
    settings = read(["--port", "9001"], environ)
    assert (settings.port, settings.host) == (9001, "::1")
    assert (settings.environment, settings.log_level) == ("staging", "debug")


@pytest.mark.parametrize(
    ("arguments", "environ", "words"),
    [
        ([], {"REVERSAL_PORT": "http"}, ["REVERSAL_PORT: ", "'http'", "0 to 65535"]),
        (["--port", "65536"], {}, ["--port: ", "'65536'", "0 to 65535"]),
        ([], {"REVERSAL_TIMEZONE": "Mars/Olympus"}, ["REVERSAL_TIMEZONE: ", "'Mars/Olympus'", "IANA"]),
        ([], {"REVERSAL_TIMEZONE": "../UTC"}, ["REVERSAL_TIMEZONE: ", "'../UTC'"]),
        ([], {"REVERSAL_TIMEZONE": "Europe"}, ["REVERSAL_TIMEZONE: ", "'Europe'"]),
        (["--workers", "0"], {}, ["--workers: ", "'0'", "1 to 64", "auto"]),
        ([], {"REVERSAL_WORKERS": "65"}, ["REVERSAL_WORKERS: ", "'65'", "1 to 64"]),
        (["--host", ""], {}, ["--host: ", "''", "address"]),
        ([], {"REVERSAL_HOST": "unix:"}, ["REVERSAL_HOST: ", "unix:/run/reversal.sock"]),
        ([], {"REVERSAL_HOST": "unix:@name"}, ["REVERSAL_HOST: ", "unix:/run/reversal.sock"]),
        (["--host", f"unix:/{'x' * 107}"], {}, ["--host: ", "107 bytes"]),
        (["--host", f"unix:/{'é' * 54}"], {}, ["--host: ", "107 bytes"]),
        ([], {"REVERSAL_KEEPALIVE_SECONDS": "0"}, ["REVERSAL_KEEPALIVE_SECONDS: ", "'0'", "1 to 3600"]),
        (["--trusted-proxies", "10.0.0.1/8"], {}, ["--trusted-proxies: ", "'10.0.0.1/8'", "fd00:7::/64"]),
        ([], {"REVERSAL_PORT": "9_111"}, ["REVERSAL_PORT: ", "'9_111'"]),
        (
            [],
            {"REVERSAL_MODELS": "/nonexistent"},
            ["REVERSAL_MODELS: ", "'/nonexistent'", "folder"],
        ),
        ([], {"ENVIRONMENT": "\udcff"}, ["ENVIRONMENT: ", r"'\udcff'", "name"]),
        (
            [],
            {"REVERSAL_ALLOWED_HOSTS": "a.b https://a.b"},
            ["REVERSAL_ALLOWED_HOSTS: ", "'a.b https://a.b'", "desk.example"],
        ),
        ([], {"LOG_LEVEL": "loud"}, ["LOG_LEVEL: ", "'loud'", "debug, info"]),
    ],
)
def test_a_bad_value_is_refused_with_its_setting_and_what_is_expected(
    arguments: list[str], environ: dict[str, str], words: list[str]
) -> None:
    with pytest.raises(SettingsError) as raised:
        read(arguments, environ)
    assert str(raised.value).startswith(words[0])
    assert all(word in str(raised.value) for word in words), raised.value
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("unix:/run/reversal.sock", "/run/reversal.sock"),
        ("unix:///run/reversal.sock", "/run/reversal.sock"),
        ("unix:data/here.sock", "data/here.sock"),
        (f"unix:/{'x' * 106}", f"/{'x' * 106}"),
        ("unix", None),
        ("::1", None),
    ],
)
def test_the_address_can_be_a_unix_socket(host: str, path: str | None) -> None:
    assert read(["--host", host], {}).unix_socket == (None if path is None else Path(path))


TOKENS = ("API_TOKEN", "API_TOKEN_FILE", "ADMIN_TOKEN", "ADMIN_TOKEN_FILE")


def flag_of(name: str) -> str:
    return "--" + name.lower().replace("_", "-")


@pytest.mark.parametrize("name", TOKENS)
@pytest.mark.parametrize(
    "text", [" ", ",", "\n\n", " , ,\r\n", "# none", "#a:b\n  # c\n,", "\ufeff", "\ufeff# none\r\n"]
)
def test_a_setting_without_a_token_is_refused_by_name(tmp_path: Path, name: str, text: str) -> None:
    file = tmp_path / "tokens"
    file.write_text(text, newline="")
    given, named_file = (str(file), str(file)) if name.endswith("FILE") else (text, "")
    others = {f"REVERSAL_{other}": "good" for other in TOKENS if other != name and not other.endswith("FILE")}
    for named, arguments, environ in (
        (f"REVERSAL_{name}", [], {f"REVERSAL_{name}": given}),
        (flag_of(name), [flag_of(name), given], {}),
    ):
        with pytest.raises(SettingsError) as raised:
            read(arguments, environ | others)
        assert str(raised.value).startswith(f"{named}: ")
        assert "no token" in str(raised.value)
        assert named_file in str(raised.value)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", TOKENS)
def test_an_empty_flag_is_refused_and_an_empty_variable_is_ignored(name: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{flag_of(name)}: .*no (token|file)"):
        read([flag_of(name), ""], {f"REVERSAL_{name}": "good"})
    assert read([], {f"REVERSAL_{name}": ""}) == read([], {})


@pytest.mark.parametrize("name", [name for name in TOKENS if name.endswith("FILE")])
def test_an_empty_token_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "tokens").touch()
    with pytest.raises(SettingsError, match=rf"^REVERSAL_{name}: .*no token"):
        read([], {f"REVERSAL_{name}": str(tmp_path / "tokens")})


@pytest.mark.parametrize(
    ("held", "words"),
    [
        ("ops:schlüssel".encode("latin-1"), "not UTF-8"),
        ("ops:secret".encode("utf-16"), "UTF-16"),
        ("secret".encode("utf-16-le"), "cannot be printed"),
        (b"ops:sec\x07ret", "'ops' has a character that cannot be printed"),
        (b"ops:", "'ops' is empty"),
    ],
)
def test_a_token_file_that_is_not_text_is_refused_without_quoting_it(tmp_path: Path, held: bytes, words: str) -> None:
    file = tmp_path / "tokens"
    file.write_bytes(held)
    with pytest.raises(SettingsError) as raised:
        read(["--admin-token-file", str(file)], {})
    assert str(raised.value).startswith("--admin-token-file: ")
    assert words in str(raised.value)
    assert "sec" not in str(raised.value)
    assert "schl" not in str(raised.value)


def test_an_empty_variable_is_ignored() -> None:
    assert read([], {"REVERSAL_PORT": "", "LOG_LEVEL": "", "ENVIRONMENT": ""}) == read([], {})


def test_a_flag_cannot_be_shortened() -> None:
    with pytest.raises(SystemExit):
        read(["--por", "1"], {})


def test_unknown_variables_with_the_prefix_are_found() -> None:
    assert unknown_variables({"REVERSAL_PROT": "1", "REVERSAL_PORT": "1", "OTHER": "1"}) == ["REVERSAL_PROT"]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_is_documented_with_its_flag_and_default(setting: Setting) -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    for word in (setting.variable, setting.flag, setting.default):
        assert f"`{word}`" in text


SECRET = "s3cret-word"  # noqa: S105 - only of this test


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"postgresql://user:{SECRET}@word@host/database", ["more than one @"]),
        (f"postgresql://user:{SECRET}/word@host/database", ["/", "?", "@"]),
        (f"postgresql://user:{SECRET}@host:port/database", ["port", "1 to 65535"]),
        (f"postgresql://user:{SECRET}%ff@host/database", ["percent-encoded", "UTF-8"]),
        (f"postgresql://user@[{SECRET}/database", ["[ or ]"]),
        (f"mysql://user:{SECRET}@host/database", ["'mysql'", "sqlite:///"]),
        (f"sqlite://{SECRET}", ["no file", "sqlite:///"]),
        (f"user:{SECRET}@host", ["not a URL", "sqlite:///"]),
        (f"\udcff{SECRET}", ["not valid", "sqlite:///"]),
        (" ", ["not valid", "sqlite:///"]),
    ],
)
def test_a_bad_state_url_is_refused_without_repeating_it(url: str, words: list[str]) -> None:
    for name, arguments, environ in (
        ("REVERSAL_STATE_URL", [], {"REVERSAL_STATE_URL": url}),
        ("--state-url", ["--state-url", url], {}),
    ):
        with pytest.raises(SettingsError) as raised:
            read(arguments, environ)
        assert str(raised.value).startswith(f"{name}: ")
        assert all(word in str(raised.value) for word in words), raised.value
        assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--state_url", f"postgresql://user:{SECRET}@host/database"], "--state_url"),
        ([f"--stateurl=postgresql://user:{SECRET}@host/database"], "--stateurl"),
        (["--port", "1", SECRET], "without its flag"),
    ],
)
def test_an_unknown_flag_is_named_without_its_value(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        read(arguments, {})
    assert ended.value.code == 2
    printed = capsys.readouterr().err
    assert printed.rstrip().endswith(named)
    assert SECRET not in printed


def test_journals_are_separate_by_store_and_stay_when_the_password_changes() -> None:
    def folder(url: str) -> Path:
        return read([], {"REVERSAL_STATE_URL": url, "REVERSAL_JOURNALS": "journals"}).journal_folder

    assert folder("postgresql://user:old#1@one,two/database").parent == Path("journals")
    assert folder("postgresql://user:old#1@one,two/database") == folder("postgres://user:new@one,two:5432/database")
    assert folder("postgresql:///?host=one&dbname=a") != folder("postgresql:///?host=two&dbname=a")
    assert folder("sqlite:///data/state.db") == folder(f"sqlite:///{Path('data/state.db').absolute()}")


def test_a_user_key_that_is_not_text_is_refused_without_repeating_it() -> None:
    with pytest.raises(SettingsError) as raised:
        read([], {"REVERSAL_USER_KEY": f"\udcff{SECRET}"})
    assert str(raised.value).startswith("REVERSAL_USER_KEY: ")
    assert SECRET not in str(raised.value)
