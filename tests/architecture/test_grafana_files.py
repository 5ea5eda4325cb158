"""`deploy/grafana` is what Grafana reads, and agrees with our defaults."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import yaml

from processor.api.config import ApiConfig
from processor.clickhouse_http.config import ClickHouseHttpConfig
from processor.endpoint import parse_endpoint
from processor.store.connection import StoreConfig
from tests.grafana import DASHBOARD, FOLDER, PANELS, PLUGIN, TABLE, TIME_SERIES, VARIABLES

OURS = {"type": PLUGIN, "uid": "${datasource}"}
BUILT_IN = {"__value", "__fromTime", "__toTime", "__timeFilter", "__timeInterval", "__conditionalAll"}


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every JSON object in it, itself included."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(inner)


def texts(value: Any) -> Iterator[str]:
    """Every text in it."""
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if isinstance(inner, str):
            yield inner
        else:
            yield from texts(inner)


def provisioned(kind: str) -> Any:
    """One of the two provisioning files."""
    return yaml.safe_load((FOLDER / "provisioning" / kind / "otel-sessions.yaml").read_text())


def test_panels_have_ids_titles_and_places_of_their_own() -> None:
    """No two overlap on the grid of 24 columns, and nothing says the same twice."""
    panels = DASHBOARD["panels"]
    for part in ("id", "title"):
        named = [panel[part] for panel in panels]
        assert len(set(named)) == len(named), part
    assert all(panel["title"] and panel["description"].endswith(".") for panel in PANELS)
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24, panel["title"]
        taken = set(
            itertools.product(range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"]))
        )
        assert not cells & taken, panel["title"]
        cells |= taken
    assert len(cells) == 24 * (max(y for _, y in cells) + 1), "a hole"


def test_every_query_goes_to_the_data_source_that_is_chosen() -> None:
    """By the variable, never by the uid that some Grafana gave it."""
    chosen = [holder["datasource"] for holder in objects(DASHBOARD) if "datasource" in holder]
    assert len(chosen) == 2 * len(PANELS) + sum(variable["type"] == "query" for variable in VARIABLES)
    assert all(source == OURS for source in chosen)
    assert all(holder in (OURS, DASHBOARD) for holder in objects(DASHBOARD) if "uid" in holder)
    assert VARIABLES[0] | {"type": "datasource", "query": PLUGIN, "name": "datasource"} == VARIABLES[0]


def test_queries_are_of_the_form_that_version_4_reads() -> None:
    """SQL, with a format that goes with the panel."""
    for panel in PANELS:
        (target,) = panel["targets"]
        series = panel["type"] == "timeseries"
        assert target["editorType"] == "sql"
        assert target["format"] == (TIME_SERIES if series else TABLE)
        assert target["queryType"] == ("timeseries" if series else "table")
        assert ("$__timeInterval(first_seen) AS time" in target["rawSql"]) == series
    for variable in VARIABLES:
        if variable["type"] == "query":
            assert variable["query"] == {"editorType": "sql", "rawSql": variable["definition"]}


def test_every_variable_is_there_and_is_used() -> None:
    """A name that no variable has would reach ClickHouse as it stands."""
    named = set(itertools.chain.from_iterable(re.findall(r"\$\{?(\w+)", text) for text in texts(DASHBOARD)))
    assert named - BUILT_IN - {"__all"} == {variable["name"] for variable in VARIABLES}
    several = [variable for variable in VARIABLES if variable.get("includeAll")]
    assert [variable["name"] for variable in several] == ["tenant", "environment", "model", "user"]
    assert all(variable["multi"] and variable["current"]["value"] == ["$__all"] for variable in several)


def test_the_files_agree_with_our_defaults() -> None:
    """Where we listen, and what the database is called, where nobody has said otherwise."""
    (source,) = provisioned("datasources")["datasources"]
    assert source["type"] == PLUGIN
    assert "uid" not in source
    data = source["jsonData"]
    assert (data["host"], data["port"]) == parse_endpoint(ClickHouseHttpConfig().endpoint)
    assert (data["protocol"], data["secure"]) == ("http", False)
    database = StoreConfig().database
    assert {data["defaultDatabase"], *(data[kind]["defaultDatabase"] for kind in ("traces", "logs"))} == {database}
    assert [data[kind]["defaultTable"] for kind in ("traces", "logs")] == ["otel_traces", "otel_logs"]
    (api,) = [variable for variable in VARIABLES if variable["name"] == "api"]
    assert api["query"] == api["current"]["value"] == f"http://{ApiConfig().endpoint}"


def test_the_dashboard_is_where_its_provider_looks() -> None:
    """In the folder that the README copies it to."""
    file = provisioned("dashboards")
    (provider,) = file["providers"]
    assert (file["apiVersion"], provider["type"]) == (1, "file")
    said = (FOLDER / "README.md").read_text()
    assert f"cp dashboards/* {provider['options']['path']}/" in said
    assert f"mkdir -p {provider['options']['path']} " in said
