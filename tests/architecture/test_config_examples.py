"""Every file in `config/` is a configuration that works."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import yaml

from processor.config import Config, read_config
from tests.architecture.reference import reference, section_of

FOLDER = Path(__file__).parents[2] / "config"
EXAMPLES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_valid_without_any_variable_set(example: Path) -> None:
    """A configuration we ship can be run as it is."""
    read_config(example.read_text(), {})


def test_the_embedded_example_is_the_built_in_default() -> None:
    """Starting with `config/embedded.yaml` is starting without a file."""
    assert read_config((FOLDER / "embedded.yaml").read_text(), {}) == Config()


def test_the_embedded_example_mentions_every_option() -> None:
    """Each field of each dataclass stands in the file as a key; a section that is off by default, as a comment."""
    text = (FOLDER / "embedded.yaml").read_text()
    assert _keys(yaml.safe_load(text)) == _fields(Config())
    assert "  # kafka:\n" in text


def test_the_embedded_example_documents_what_the_dataclasses_say() -> None:
    """Help, default and limits are those of the fields. UPDATE_GOLDEN=1 writes the file anew."""
    path = FOLDER / "embedded.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(reference())
    assert path.read_text() == reference()


def _keys(tree: Any) -> Any:
    return {name: _keys(value) for name, value in tree.items()} if isinstance(tree, dict) else None


def _fields(config: Any) -> Any:
    if not dataclasses.is_dataclass(config):
        return None
    hints = get_type_hints(type(config))
    return {
        field.name: _fields(value)
        for field in dataclasses.fields(config)
        if (value := getattr(config, field.name)) is not None or not section_of(hints[field.name])
    }
