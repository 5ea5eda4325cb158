"""YAML text to a plain tree, stricter than YAML: a key that stands twice in one mapping is refused.

Must never touch the environment or know a component; what it raises names the line and the column.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml

from processor.errors import ConfigError


class _Loader(yaml.SafeLoader):
    """`SafeLoader` that refuses duplicate keys: YAML's "the last one wins" hides a mistake.

    What its constructors raise of their own for a scalar that only looks like a date, a number or a truth value is
    given the place where it stands.
    """

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except yaml.YAMLError:
            raise
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            kind = node.tag.removeprefix("tag:yaml.org,2002:")
            problem = f"this is no {kind}; put text in quotes"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands here for the second time; keep one", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def parse_document(text: str) -> object:
    """One YAML document as dicts, lists and scalars; None for an empty one.

    Errors: `ConfigError` with line and column, counted from 1.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ConfigError(f"{where}{error.problem or error.context or 'not valid YAML'}") from error
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise ConfigError(f"line {line}, column {column}: a character that YAML does not allow here") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"not valid YAML: {error}") from error
    except RecursionError as error:
        raise ConfigError("the file: nested too deep; no option lies deeper than eight levels") from error
