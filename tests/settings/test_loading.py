"""Settings from the file and the environment, and what happens to what is wrong."""

import stat
from pathlib import Path

import pytest

from modelscan.errors import InvalidConfiguration
from modelscan.settings import Loaded, Settings, ensure_data_dir, load

SECRET = "sk-canary-1234567890"
WHOLE = f"""
data_dir: elsewhere
database:
  path: other.duckdb
server: {{host: 0.0.0.0, port: 9000}}
api_keys:
  openai:
    - {SECRET}
    - sk-second
  anthropic: sk-ant-one
  nobody:
discovery:
  cache_days: 2.5
  allowed_private_hosts: [10.0.0.1, gpu.local]
prefect:
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def loaded(text: str, **environ: str) -> Loaded:
    Path("config.yaml").write_text(text)
    return load(environ=environ)


def said(result: Loaded) -> list[tuple[int | None, int | None, str]]:
    return [(warning.line, warning.column, warning.key) for warning in result.warnings]


def test_without_a_file_the_defaults_count(here: Path) -> None:
    assert load(environ={}) == Loaded(Settings())


def test_a_right_file_is_used_whole(here: Path) -> None:
    result = loaded(WHOLE)
    settings = result.settings
    assert result.warnings == ()
    assert result.path == Path("config.yaml")
    assert settings.database_path == Path("elsewhere/other.duckdb")
    assert settings.journal_dir == Path("elsewhere/journal")
    assert (settings.server.host, settings.server.port, settings.discovery.cache_days) == ("0.0.0.0", 9000, 2.5)
    assert settings.discovery.allowed_private_hosts == ("10.0.0.1", "gpu.local")
    keys = {provider: [key.get_secret_value() for key in keys] for provider, keys in settings.api_keys.items()}
    assert keys == {"openai": [SECRET, "sk-second"], "anthropic": ["sk-ant-one"], "nobody": []}


def test_every_value_says_where_it_came_from(here: Path) -> None:
    origins = loaded(WHOLE, MODELSCAN_SERVER_PORT="1").origins
    assert origins["database.path"] == "config.yaml:4"
    assert origins["server.host"] == "config.yaml:5"
    assert origins["server.port"] == "MODELSCAN_SERVER_PORT"
    assert "prefect" not in origins


def test_the_environment_wins(here: Path) -> None:
    result = loaded(
        WHOLE,
        MODELSCAN_SERVER_PORT="7",
        MODELSCAN_DATA_DIR="mine",
        MODELSCAN_DATABASE_PATH="/abs/file.db",
        MODELSCAN_API_KEYS_OPENAI="a, b",
        MODELSCAN_API_KEYS_TOGETHER_AI="c",
        MODELSCAN_DISCOVERY_ALLOWED_PRIVATE_HOSTS="x,y",
        MODELSCAN_DISCOVERY_CACHE_DAYS="",
        MODELSCAN_ADMIN_TOKEN="is not a setting",
        UNRELATED="1",
    )
    settings = result.settings
    assert result.warnings == ()
    assert (settings.server.port, settings.data_dir) == (7, Path("mine"))
    assert settings.database_path == Path("/abs/file.db")
    assert settings.discovery.allowed_private_hosts == ("x", "y")
    assert settings.discovery.cache_days == 2.5
    assert [key.get_secret_value() for key in settings.api_keys["openai"]] == ["a", "b"]
    assert [key.get_secret_value() for key in settings.api_keys["together-ai"]] == ["c"]


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("server:\n  port: many\n", (2, 3, "server.port"), "the default (8080) is used"),
        ("server:\n  port: 70000\n", (2, 3, "server.port"), "less than or equal to 65535"),
        ("server:\n  prot: 1\n", (2, 3, "server.prot"), "did you mean `port`?; it is ignored"),
        ("sever:\n  port: 1\n", (2, 3, "sever.port"), "did you mean `server`?"),
        ("x: 1\n", (1, 1, "x"), "this key is unknown; it is ignored"),
        ("server: 8080\n", (1, 1, "server"), "should be a section"),
        ("api_keys: sk-canary-1234567890\n", (1, 1, "api_keys"), "should be a section"),
        ("api_keys:\n  openai: [{a: sk-canary-1234567890}]\n", (2, 3, "api_keys.openai"), "it gives no key"),
        ("api_keys:\n  openai: ['']\n", (2, 3, "api_keys.openai"), "it gives no key"),
        ("data_dir: {a: b}\n", (1, 12, "data_dir.a"), "should be one value"),
        ("data_dir: [a]\n", (1, 1, "data_dir"), "the default (data) is used"),
        ("server: {port: 1, port: 2}\n", (1, 19, "server.port"), "given twice; the last one counts"),
        ("- a\n- b\n", (1, 1, ""), "should be `key: value` lines"),
        ("just words", (1, 1, ""), "should be `key: value` lines"),
        ("server:\n  ? [a]\n  : 1\n", (2, 5, "server."), "this key is unknown"),
        ("data_dir: !!python/name:os.system x\n", (1, 1, "data_dir"), "not a plain YAML value"),
        ("data_dir: 2026-99-99\n", (1, 1, "data_dir"), "not a plain YAML value"),
        ("server:\n  port: [80\n", (2, 12, "server.port"), "not YAML"),
        ("server:\n  port: 80\n host: a\n", (3, 2, "server.host"), "not YAML"),
        ("server: 'open\n", (1, 14, "server"), "not YAML"),
        ("api_keys:\n  openai: *sk-canary-1234567890\n", (2, 11, "api_keys.openai"), "found undefined alias a name"),
        ("server:\n\tport: 80\n", (2, 1, "server.port"), "cannot start any token"),
        ("server: \x01\n", (1, 1, "server"), "not YAML"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_never_shown(
    here: Path, text: str, place: tuple[int, int, str], message: str
) -> None:
    result = loaded(text)
    assert place in said(result), result.warnings
    assert message in " ".join(map(str, result.warnings))
    assert SECRET not in f"{result!r}{[str(warning) for warning in result.warnings]}"


def test_one_broken_section_costs_no_other(here: Path) -> None:
    result = loaded("""# A comment first
database:
  path: kept.db
server:
  host: 0.0.0.0
  port: [80
discovery:
\tcache_days: 3
  run_seconds: -1
data_dir: mine
""")
    assert said(result) == [(6, 12, "server.port"), (8, 1, "discovery.cache_days"), (9, 3, "discovery.run_seconds")]
    settings = result.settings
    assert (settings.database.path, settings.data_dir) == (Path("kept.db"), Path("mine"))
    assert (settings.server.host, settings.server.port) == ("0.0.0.0", 8080)
    assert (settings.discovery.cache_days, settings.discovery.run_seconds) == (3, 120)


def test_a_wrong_variable_is_ignored_and_said(here: Path) -> None:
    result = loaded(
        "server: {port: 1}", MODELSCAN_SERVER_PORT="x", MODELSCAN_SERVER_PROT="2", MODELSCAN_PREFECT_COLOUR_SCHEME="3"
    )
    assert result.settings.server.port == 1
    assert [str(warning) for warning in result.warnings] == [
        "environment: MODELSCAN_PREFECT_COLOUR_SCHEME: this sets nothing",
        "environment: MODELSCAN_SERVER_PORT: input should be a valid integer, unable to parse string as an integer; "
        "it is ignored",
        "environment: MODELSCAN_SERVER_PROT: this sets nothing; did you mean MODELSCAN_SERVER_PORT?",
    ]


def test_a_file_that_was_named_must_be_there(here: Path) -> None:
    with pytest.raises(InvalidConfiguration, match="no-such"):
        load(Path("no-such.yaml"), {})
    with pytest.raises(InvalidConfiguration, match="no-such"):
        load(environ={"MODELSCAN_CONFIG": "no-such.yaml"})


def test_the_named_file_comes_before_the_usual_one(here: Path) -> None:
    Path("other.yaml").write_text("server: {port: 3}")
    assert loaded("server: {port: 2}", MODELSCAN_CONFIG="other.yaml").settings.server.port == 3
    assert load(Path("config.yaml"), {"MODELSCAN_CONFIG": "other.yaml"}).settings.server.port == 2


def test_bytes_that_are_no_text_are_survived(here: Path) -> None:
    Path("config.yaml").write_bytes(b"\xef\xbb\xbfserver:\n  host: \xff\xfe\n  port: 5\n")
    assert load(environ={}).settings.server.port == 5


def test_the_data_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "a" / "data")
    assert stat.S_IMODE(ensure_data_dir(settings).stat().st_mode) == 0o700


def test_a_data_directory_that_exists_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    ensure_data_dir(Settings(data_dir=tmp_path))
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_data_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidConfiguration, match="cannot be made") as raised:
        ensure_data_dir(Settings(data_dir=tmp_path / "file" / "data"))
    assert "MODELSCAN_DATA_DIR" in raised.value.hint


def test_rules_are_written_short_or_whole(here: Path) -> None:
    rules = """
routing:
  rules:
    - {match: quick, targets: acme/small}
    - match: gpt-*
      targets: [{model: acme/*, weight: 2}, other/fast]
      balance: weighted
"""
    result = loaded(rules)
    assert result.warnings == ()
    short, whole = result.settings.routing.rules
    assert (short.targets[0].model, short.is_glob, whole.is_glob) == ("acme/small", False, True)
    assert [(one.model, one.weight) for one in whole.targets] == [("acme/*", 2), ("other/fast", 1)]


def test_a_wrong_rule_is_named_with_its_place_and_no_variable_sets_rules(here: Path) -> None:
    text = "routing:\n  rules:\n    - {match: a, targets: x}\n    - {match: b, targets: []}\n"
    result = loaded(text, MODELSCAN_ROUTING_RULES="a")
    assert result.settings.routing.rules == ()
    first, second = map(str, result.warnings)
    assert "in 2, targets: tuple should have at least 1 item" in first
    assert "MODELSCAN_ROUTING_RULES" in second


def test_settings_become_a_dict_as_prefect_makes_one_of_what_a_task_is_given() -> None:
    assert set(dict(Settings())) == set(Settings.model_fields)
