"""What operators watch Anju with: alert rules and dashboard ask for what a real installation really tells."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.acceptance.lifts import RULE_SETTINGS, LiftPublisher
from tests.acceptance.running import ROOT, Anju, run_command, wait_until
from tests.servers.places import Address
from tests.servers.plugin import required_program
from tests.servers.prometheus import Prometheus
from tests.servers.running import free_port

RULES = ROOT / "deploy" / "prometheus"
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "anju.json").read_text(encoding="utf-8"))
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
# A healthy installation has none of these.
ONLY_IN_TROUBLE = ("anju_component_problem", "anju_part_degraded == 1", "anju_alerts_delivery_seconds_total")
_METRIC = re.compile(r"\banju_\w+")


@pytest.fixture(scope="module")
def prometheus(mosquitto: Address, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus as the example configures it, scraping the parts of a real Anju to which lifts speak."""
    program = required_program("prometheus")
    folder = tmp_path_factory.mktemp("monitored")
    port = free_port()
    settings = {"ANJU_MQTT__PORT": mosquitto.port, "ANJU_API__PORT": port, **RULE_SETTINGS}
    with ExitStack() as stack:
        parts = [stack.enter_context(Anju(name, folder / "var", settings)) for name in ("ingest", "alerts", "api")]
        for part in parts:
            part.wait_ready()
        lifts = stack.enter_context(LiftPublisher(mosquitto.host, mosquitto.port))
        lifts.allow(100)
        wait_until(lambda: lifts.all_acknowledged and lifts.sent >= 100, lambda: f"{lifts.sent} sent")
        token = _token(folder, settings)
        yield stack.enter_context(Prometheus(program, _configuration(folder, token, port)))


def _token(folder: Path, settings: dict[str, object]) -> str:
    added = run_command(folder / "var", settings, "token", "add", "prometheus")
    assert added.returncode == 0, added.stderr
    return added.stdout.split()[-1]


def _configuration(folder: Path, token: str, port: int) -> Path:
    """The example, with a token, the port of this test, and seconds instead of quarters of a minute."""
    (folder / "anju.token").write_text(token, encoding="ascii")
    example: dict[str, Any] = yaml.safe_load((RULES / "prometheus.yml").read_text(encoding="utf-8"))
    (job,) = example["scrape_configs"]
    assert job["authorization"]["credentials_file"] == "/etc/prometheus/anju.token"
    job["authorization"]["credentials_file"] = str(folder / "anju.token")
    job["static_configs"][0]["targets"] = [f"127.0.0.1:{port}"]
    example["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    example["rule_files"] = [str(RULES / name) for name in example["rule_files"]]
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(example), encoding="utf-8")
    return path


def _rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((RULES / "anju.rules.yml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _tests() -> list[dict[str, Any]]:
    return list(yaml.safe_load((RULES / "anju.rules.test.yml").read_text(encoding="utf-8"))["tests"])


def _told(prometheus: Prometheus) -> set[str]:
    """The names on the `/metrics` of the real Anju."""
    (job,) = yaml.safe_load(prometheus.configuration.read_text(encoding="utf-8"))["scrape_configs"]
    (target,) = job["static_configs"][0]["targets"]
    token = prometheus.configuration.with_name("anju.token").read_text(encoding="ascii")
    answer = httpx.get(f"http://{target}/metrics", headers={"Authorization": f"Bearer {token}"}, trust_env=False)
    return set(re.findall(r"^# TYPE (\w+)", answer.text, re.MULTILINE))


def test_the_rules_of_prometheus_fire_when_they_should_and_never_before() -> None:
    promtool = required_program("prometheus").with_name("promtool")
    tested = subprocess.run(
        [promtool, "test", "rules", "anju.rules.test.yml"], cwd=RULES, capture_output=True, text=True, timeout=60
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_rule_is_tested_and_says_what_to_do_in_both_languages() -> None:
    expected = [
        re.search(r'alertname="(\w+)"', sample["labels"])
        for test in _tests()
        for asked in test["promql_expr_test"]
        for sample in asked["exp_samples"]
    ]
    assert {found[1] for found in expected if found} == {rule["alert"] for rule in _rules()}
    for rule in _rules():
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert re.search(r"[\u4e00-\u9fff].* [A-Za-z]", rule["annotations"]["summary"]), rule["alert"]
        assert rule["annotations"]["description"].endswith(".")


@pytest.mark.timeout(300)
def test_every_metric_of_rules_and_dashboard_is_told_by_a_real_installation(prometheus: Prometheus) -> None:
    series = " ".join(each["series"] for test in _tests() for each in test["input_series"])
    asked = {
        name for text in (series, *QUERIES, *(str(rule["expr"]) for rule in _rules())) for name in _METRIC.findall(text)
    }
    assert len(asked) > 30
    wait_until(lambda: asked <= _told(prometheus), lambda: f"not told: {asked - _told(prometheus)}")


@pytest.mark.timeout(300)
def test_prometheus_gets_in_with_the_token_and_a_healthy_installation_raises_nothing(prometheus: Prometheus) -> None:
    wait_until(lambda: bool(prometheus.query('up{job="anju"} == 1')), lambda: str(prometheus.ask("targets")))
    wait_until(
        lambda: {rule["health"] for group in prometheus.ask("rules")["groups"] for rule in group["rules"]} == {"ok"},
        lambda: str(prometheus.ask("rules")),
    )
    # Pending counts too, or the test would have to wait for minutes. The lifts rest, and the disk is this machine's.
    raised = 'ALERTS{alertname!~"AnjuNoMessages|AnjuDiskLow"}'
    wait_until(lambda: not prometheus.query(raised), lambda: str(prometheus.query(raised)))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("query", [each for each in QUERIES if not any(name in each for name in ONLY_IN_TROUBLE)])
def test_every_query_of_the_dashboard_finds_something(prometheus: Prometheus, query: str) -> None:
    # Grafana puts a few scrapes in its place; the example is scraped every second here.
    asked = query.replace("$__rate_interval", "30s")
    wait_until(lambda: bool(prometheus.query(asked)), lambda: f"nothing: {asked}")


def test_the_queries_that_find_nothing_in_good_health_can_be_asked(prometheus: Prometheus) -> None:
    for name in ONLY_IN_TROUBLE:
        (query,) = {each.replace("$__rate_interval", "30s") for each in QUERIES if name in each}
        assert isinstance(prometheus.query(query), list)


def test_the_dashboard_is_one_that_grafana_imports() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert {variable["name"] for variable in DASHBOARD["templating"]["list"]} == {"datasource"}
    places = [panel["gridPos"] for panel in panels]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    taken = [(x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]
    assert len(taken) == len(set(taken))
