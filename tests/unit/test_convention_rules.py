"""The product's rules against the researched ones, list by list: nothing lost, nothing reordered."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from processor.conventions.rules import Condition, Conventions, ConventionsConfig, Key
from processor.errors import ConfigError
from processor.model import Strength

RESEARCHED = yaml.safe_load((Path(__file__).parents[1] / "data" / "attributes.yaml").read_text())
RULES = Conventions.load()


def researched(entries: Iterable[Any]) -> list[str]:
    """The keys of a researched list; of `sum` and `expr`, which are no keys, none."""
    return [
        entry if isinstance(entry, str) else entry["key"]
        for entry in entries
        if isinstance(entry, str) or "key" in entry
    ]


def names(keys: Iterable[Key]) -> list[str]:
    """The keys of a list of ours."""
    return [key.name for key in keys]


LISTS = {
    "session_id": (RESEARCHED["session_id"]["own_span"], RULES.session_id),
    "resource": (RESEARCHED["session_id"]["resource"], RULES.resource_session_id),
    "session_name": (RESEARCHED["session_name"], RULES.session_name),
    "user_id": (RESEARCHED["user_id"], RULES.user_id),
    "thread_id": (RESEARCHED["thread_id"], RULES.thread_id),
    "tags": (RESEARCHED["tags"], RULES.tags),
    "environment": (RESEARCHED["environment"], RULES.environment),
    "model": (RESEARCHED["model"], RULES.model),
    "provider": (RESEARCHED["provider"]["order"], RULES.provider),
    "cost": (RESEARCHED["cost"], RULES.cost["total"]),
    "ttft": (RESEARCHED["ttft_seconds"], RULES.ttft),
    **{f"usage.{name}": (RESEARCHED["usage"][name], keys) for name, keys in RULES.usage.items()},
}


@pytest.mark.parametrize("which", LISTS)
def test_the_order_of_keys_is_the_researched_one(which: str) -> None:
    """The first usable value wins, so the order is the rule; what captures taught stands between."""
    wanted, ours = researched(LISTS[which][0]), names(LISTS[which][1])
    assert set(wanted) <= set(ours)
    assert [name for name in dict.fromkeys(ours) if name in wanted] == wanted


def test_forms_and_conditions_are_the_researched_ones() -> None:
    """A key that is read out of a JSON text there is read out of the same place here."""
    for which, (wanted, ours) in LISTS.items():
        forms = {entry["key"]: entry["form"] for entry in wanted if isinstance(entry, dict) and "form" in entry}
        for key in ours:
            if (form := forms.get(key.name, "")).startswith("json:") and not form.startswith("json:total"):
                assert key.form == form, which


def test_kinds_map_as_researched() -> None:
    """Every key, in order, with every value, in any case."""
    wanted = [entry for entry in RESEARCHED["span_kind"]["order"] if "map" in entry]
    ours = {rule.key.name: dict(rule.words) for rule in RULES.kind}  # of a key that stands twice, the last
    keys = [entry["key"] for entry in wanted]
    assert [name for name in ours if name in keys and name != "llm.request.type"] == [
        name for name in keys if name != "llm.request.type"
    ]
    for entry in wanted:
        assert ours[entry["key"]] == {word.lower(): kind for word, kind in entry["map"].items()}


def test_what_says_session_and_means_something_else_is_read_nowhere() -> None:
    """`never_use` and `never_read`: projects, transports, browsers, repeated sums."""
    read = {name for _, keys in LISTS.values() for name in names(keys)}
    assert not read & {entry["key"] for entry in RESEARCHED["session_id"]["never_use"]}
    assert not read & set(RESEARCHED["usage"]["never_read"])


def test_metadata_comes_from_the_researched_places() -> None:
    """Prefixes, blobs, and what means something else."""
    wanted = RESEARCHED["metadata"]
    assert [prefix for prefix in RULES.metadata.prefixes if prefix in wanted["prefixes"]] == wanted["prefixes"]
    assert list(RULES.metadata.blobs) == wanted["json_blobs"]
    assert set(wanted["drop_after_strip"]) <= RULES.metadata.dropped


def test_frameworks_are_no_providers() -> None:
    """The names that are passed over are the researched ones."""
    assert set(RESEARCHED["provider"]["not_a_provider"]) == RULES.not_a_provider


def test_conversations_are_weak() -> None:
    """What stands behind the mark in the research is a session only where nothing better names one."""
    strength = dict(zip(names(RULES.session_id), RULES.session_strengths, strict=True))
    assert strength["session.id"] == strength["sessionId"] == Strength.STRONG
    assert (
        strength["thread_id"]
        == strength["gen_ai.conversation.id"]
        == strength["voltagent.conversation_id"]
        == Strength.WEAK
    )


def test_own_keys_come_first_and_are_strong() -> None:
    """A user's own session key beats the built-in ones."""
    own = Conventions.load(ConventionsConfig(session_id=("my.key",), user_id=("my.user",), tags=("my.tags",)))
    assert (own.session_id[0], own.session_strengths[0]) == (Key("my.key"), Strength.STRONG)
    assert (own.user_id[0], own.tags[0]) == (Key("my.user"), Key("my.tags"))
    assert own.session_id[1:] == RULES.session_id


def test_an_empty_key_is_refused() -> None:
    """It would match nothing that anybody meant."""
    with pytest.raises(ConfigError, match="session_id: an attribute key can't be empty"):
        ConventionsConfig(session_id=("  ",))


def test_every_condition_is_used() -> None:
    """A condition that no rule names is dead code."""
    every = [key.only_if for _, keys in LISTS.values() for key in keys]
    used = {*every, *RULES.metadata.bare_on, *RULES.also_logged, *(key.only_if for key in RULES.end_state)}
    used.add(Condition.AI_SDK)  # `usage.py` asks for it
    assert set(Condition) <= used
