"""docker-compose.yml is valid, pinned, free of secrets, and asks only for what .env.example explains."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from alerts.dispatch.defaults import default_plan
from alerts.dispatch.plan_loading import load_plan
from alerts.rules import load_rules

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "deploy" / "anju" / "Dockerfile").read_text(encoding="utf-8")
EXAMPLE = dict(
    line.split("=", 1)
    for line in (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
)
VERSION = re.compile(r".+:\d+\.\d+(\.\d+)?(-[a-z]+)*")
SECRET = re.compile(r"PASSWORD|TOKEN|SECRET|ACCOUNTS")


def test_it_is_valid_by_the_compose_specification() -> None:
    program = Path(sys.executable).with_name("check-jsonschema")
    command = [str(program), "--builtin-schema", "vendor.compose-spec", str(ROOT / "docker-compose.yml")]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("image", sorted({service["image"] for service in SERVICES.values()}))
def test_every_image_is_pinned_by_version(image: str) -> None:
    assert VERSION.fullmatch(image)


def test_our_own_image_is_built_on_a_pinned_one_with_hashes_and_not_as_root() -> None:
    (base,) = re.findall(r"^FROM (\S+)$", DOCKERFILE, re.MULTILINE)
    assert VERSION.fullmatch(base)
    assert "--require-hashes -r requirements.lock" in DOCKERFILE
    assert re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE) == ["anju"]
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert version
    assert {one["image"] for one in SERVICES.values() if "build" in one} == {f"anju:{version[1]}"}


def test_our_image_can_dump_and_restore_the_database_that_is_beside_it() -> None:
    (client,) = re.findall(r"apt-get install .*\bpostgresql-client-(\d+)\b", DOCKERFILE)
    (server,) = re.findall(r"^postgres:(\d+)\.", SERVICES["postgres"]["image"])
    assert client == server
    # Of which Debian's own PostgreSQL has this number.
    assert {"bookworm": "15", "trixie": "17"}[re.findall(r"^FROM \S+-(\w+)$", DOCKERFILE, re.MULTILINE)[0]] == server


def test_the_dockerfile_copies_every_package_there_is() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert packages <= set(re.findall(r"^COPY (\w+) \w+$", DOCKERFILE, re.MULTILINE))
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {f"!{name}" for name in (*packages, "requirements.lock", "pyproject.toml", "README.md")} <= set(ignored)


@pytest.mark.parametrize("name", SERVICES)
def test_every_secret_comes_from_the_environment(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        if SECRET.search(variable):
            assert re.fullmatch(r"\$\{\w+:(\?set it in \.env|-)\}", value), variable


def test_no_address_carries_a_password_of_its_own() -> None:
    assert not re.search(r"://[^/\s:@]+:(?!\$\{)[^/\s@]+@", TEXT)


def test_every_variable_is_explained_in_the_example() -> None:
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", TEXT))
    assert used == EXAMPLE.keys()
    required = set(re.findall(r"(?<!\$)\$\{(\w+):\?", TEXT))
    assert required == {"MQTT_PASSWORD", "POSTGRES_PASSWORD", "INFLUX_PASSWORD", "INFLUX_TOKEN"}


def test_the_example_holds_no_secret() -> None:
    assert {name: value for name, value in EXAMPLE.items() if SECRET.search(name) and value} == {}


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_a_health_check(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    assert check.get("test") or (name == "simulators" and check == {"disable": True})


def test_nothing_is_published_beyond_this_machine_by_default() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(published) == 5
    for port in published:
        assert re.match(r"\$\{\w+_ADDRESS:-127\.0\.0\.1\}:", port)


def test_the_parts_of_anju_share_one_journal() -> None:
    for name in ("ingest", "alerts", "api"):
        assert SERVICES[name]["volumes"][0] == "anju:/var/lib/anju"
        assert SERVICES[name]["environment"]["ANJU_VAR"] == "/var/lib/anju"


def test_links_and_codes_lead_to_the_address_of_the_example() -> None:
    for name in ("alerts", "api"):
        assert SERVICES[name]["environment"]["ANJU_NOTIFY__BASE_URL"] == "${BASE_URL:-}"


def test_only_a_proxy_that_is_named_is_believed() -> None:
    assert SERVICES["api"]["environment"]["FORWARDED_ALLOW_IPS"] == "${FORWARDED_ALLOW_IPS:-127.0.0.1}"


def test_every_named_volume_is_declared() -> None:
    mounted = {mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])}
    assert {name for name in mounted if not name.startswith(".")} == COMPOSE["volumes"].keys()


def test_the_shipped_rules_and_plan_are_mounted_where_the_settings_look() -> None:
    for name in ("alerts", "api"):
        assert "./deploy/anju/config:/etc/anju:ro" in SERVICES[name]["volumes"]
        environment = SERVICES[name]["environment"]
        assert environment["ANJU_RULES__FILES"] == '["/etc/anju/rules"]'
        assert environment["ANJU_NOTIFY__PLAN"] == "/etc/anju/notify.yaml"


def test_the_shipped_plan_and_rules_are_valid() -> None:
    folder = ROOT / "deploy" / "anju" / "config"
    assert load_plan((folder / "notify.yaml").read_text(encoding="utf-8"), "notify.yaml").receivers
    for path in (folder / "rules").glob("*.yaml"):
        assert load_rules(path.read_text(encoding="utf-8"), path.name) == []


def test_the_shipped_plan_routes_and_holds_back_as_the_built_in_one() -> None:
    """Only the names of the ladders differ: what the built-in plan learns holds beside docker-compose.yml as well."""
    text = (ROOT / "deploy" / "anju" / "config" / "notify.yaml").read_text(encoding="utf-8")
    shipped, builtin = load_plan(text, "notify.yaml"), default_plan()
    ladders = {"wall": "duty", "once": "once"}
    assert shipped.routes == [replace(route, policy=ladders[route.policy]) for route in builtin.routes]
    assert shipped.policies == [replace(policy, name=ladders[policy.name]) for policy in builtin.policies]
    assert shipped.inhibitions == builtin.inhibitions
    assert shipped.flood == builtin.flood


def test_the_relay_is_there_only_where_somebody_wants_it_and_takes_no_empty_secret() -> None:
    assert SERVICES["coturn"]["profiles"] == ["voice"]
    start = ROOT / "deploy" / "coturn" / "start.sh"
    started = subprocess.run(["/bin/sh", str(start)], env={}, capture_output=True, text=True, check=False)
    assert started.returncode != 0
    assert "TURN_SECRET" in started.stderr


def test_the_relay_reads_its_secret_from_a_file_that_nobody_else_may_read(tmp_path: Path) -> None:
    folder, program = ROOT / "deploy" / "coturn", tmp_path / "turnserver"
    program.write_text('#!/bin/sh\ncat "$2"\n', encoding="utf-8")
    program.chmod(0o700)
    environment = {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "TURN_SECRET": "correct",
        "TURN_EXTERNAL_ADDRESS": "192.0.2.7",
        "TURN_CONFIG": str(folder / "turnserver.conf"),
        "TURN_RUN": str(tmp_path),
    }
    read = subprocess.run(
        ["/bin/sh", str(folder / "start.sh")], env=environment, capture_output=True, text=True, check=True
    )
    assert {"static-auth-secret=correct", "external-ip=192.0.2.7", "allowed-peer-ip=192.0.2.7"} <= set(
        read.stdout.split()
    )
    assert (tmp_path / "turnserver.conf").stat().st_mode & 0o077 == 0


def test_the_ports_of_the_relay_are_those_it_uses() -> None:
    lines = (ROOT / "deploy" / "coturn" / "turnserver.conf").read_text(encoding="utf-8").splitlines()
    options = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    assert f":{options['min-port']}-{options['max-port']}:" in SERVICES["coturn"]["ports"][2]
    assert "use-auth-secret" in lines
    assert "static-auth-secret" not in options
