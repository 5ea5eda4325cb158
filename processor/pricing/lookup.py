"""Which entry of genai-prices' table a call's names mean.

The order, the first that has the model wins:

1. the provider's own table, as the library matches it (which knows dated names, and for Azure and Google the makers
   whose models they sell); then by the last part of a path (`models/gemini-2.5-flash`,
   `arn:aws:bedrock:.../anthropic...`);
2. for a provider that is unknown, not named, or stands for others (`providers.STANDS_FOR_OTHERS`), by the name alone:
   a) a name that ends in `:free` is OpenRouter's or nobody's, never the paid model of that name;
   b) a provider in front (`openai/gpt-4o`, `bedrock/us.anthropic...`, as LiteLLM writes): its table, as in 1;
   c) an id of Bedrock;
   d) the provider that the library's own patterns of model names say, which is the library's answer without a provider;
   e) the makers' tables in turn; f) OpenRouter's, whose names are `maker/model`.

Models on servers of one's own (`providers.SELF_HOSTED`) are not looked up at all.

Must never use the library's functions that remember what they were asked (they have no bound), nor its updater: the
table is the one that is installed. Source: genai_prices 0.2, `data_snapshot.DataSnapshot.find_provider_model`.
"""

from __future__ import annotations

import re
from typing import Final

from genai_prices import __version__, data
from genai_prices.data_snapshot import find_provider_by_id
from genai_prices.types import ModelInfo, Provider

from processor.pricing.providers import (
    BEDROCK_ID,
    FREE_SUFFIX,
    MAKERS,
    SELF_HOSTED,
    STANDS_FOR_OTHERS,
    genai_prices_id,
)

VERSION: Final = __version__
_PROVIDERS: Final = data.providers
_BEDROCK_ID: Final = re.compile(BEDROCK_ID)


def find_model(provider: str, model: str) -> ModelInfo | None:
    """The table's entry for a model of a provider ('' if unknown); None where it has none.

    Costs up to some milliseconds: to be remembered.
    """
    name = model.strip().lower()
    if not name or genai_prices_id(provider) in SELF_HOSTED:
        return None
    table = _table(provider)
    if table is not None:
        found = _within(table, name)
        if found is not None or table.id not in STANDS_FOR_OTHERS:
            return found
    return _anywhere(name)


def _table(provider: str) -> Provider | None:
    name = genai_prices_id(provider)
    return find_provider_by_id(_PROVIDERS, name) if name else None


def _within(table: Provider, name: str) -> ModelInfo | None:
    found = table.find_model(name, all_providers=_PROVIDERS)
    if found is None and "/" in name:
        found = table.find_model(name.rpartition("/")[2], all_providers=_PROVIDERS)
    return found


def _anywhere(name: str) -> ModelInfo | None:
    openrouter = _table("openrouter")
    if name.endswith(FREE_SUFFIX):
        return openrouter.find_model(name) if openrouter else None
    prefix, slash, rest = name.partition("/")
    if slash and prefix in SELF_HOSTED:
        return None
    tables = [(table, rest)] if slash and (table := _table(prefix)) else []
    if _BEDROCK_ID.search(name) and (aws := _table("aws")):
        tables.append((aws, name))
    last = name.rpartition("/")[2]
    for reference in dict.fromkeys((name, last)):
        tables += [(table, reference) for table in _PROVIDERS if _claims(table, reference)][:1]
    tables += [(table, last) for maker in MAKERS if (table := _table(maker))]
    if slash and openrouter:
        tables.append((openrouter, name))
    return next((found for table, reference in tables if (found := _within(table, reference))), None)


def _claims(table: Provider, name: str) -> bool:
    return table.model_match is not None and table.model_match.is_match(name)
