"""Collector-style YAML to one tree of frozen dataclasses.

`document` reads YAML, `environment` expands `${env:NAME}`, `fields` checks and builds, `tree` says what there is,
`pipeline` how it may be connected.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from processor.config.document import parse_document
from processor.config.fields import build
from processor.config.tree import Config
from processor.errors import ConfigError

__all__ = ["Config", "load_config", "read_config"]


def read_config(text: str, environment: Mapping[str, str]) -> Config:
    """One configuration from YAML; an empty document is the embedded default.

    Errors: `ConfigError` with the dotted path, or the line and column for what is no YAML.
    """
    return build(Config, parse_document(text), "", environment)


def load_config(path: Path | None) -> Config:
    """The configuration in a file, with this process's environment; the embedded default without one.

    Errors: `ConfigError` that begins with the file's name.
    """
    if path is None:
        return Config()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text") from error
    try:
        return read_config(text, os.environ)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
