"""Names of providers in telemetry and in the price table, and what it takes for one table to stand in for another.

Source: attributes.yaml, `provider.to_genai_prices`, which a test holds this table against; the rest is ours.
"""

from __future__ import annotations

from typing import Final

TO_GENAI_PRICES: Final = {
    "x_ai": "x-ai", "xai": "x-ai",
    "az.ai.openai": "azure", "azure.ai.openai": "azure", "azure.ai.inference": "azure", "azure-openai": "azure",
    "aws.bedrock": "aws", "amazon-bedrock": "aws", "bedrock": "aws",
    "gcp.gemini": "google", "gcp.gen_ai": "google", "gcp.vertex_ai": "google", "vertex_ai": "google",
    "gemini": "google", "google_genai": "google",
    "mistral_ai": "mistral", "mistralai": "mistral", "moonshot_ai": "moonshotai",
    "together_ai": "together", "fireworks_ai": "fireworks",
}  # fmt: skip
ALSO: Final = {
    "azure_openai": "azure", "azure_ai": "azure", "azure_ai_inference": "azure", "azure-ai": "azure",
    "x.ai": "x-ai", "z.ai": "zai", "z_ai": "zai", "z-ai": "zai", "zhipu": "zhipuai", "zhipu_ai": "zhipuai",
    "fireworks-ai": "fireworks", "deepseek-ai": "deepseek",
}  # fmt: skip
"""Spellings of frameworks and gateways that the rules don't list; the library would miss or mistake them."""

SELF_HOSTED: Final = frozenset(
    {
        "ollama", "ollama_chat", "vllm", "hosted_vllm", "sglang", "llamafile", "llama.cpp", "llama_cpp", "llamacpp",
        "lmstudio", "lm_studio", "lm-studio", "localai", "local", "text-generation-inference", "tgi", "transformers",
        "mlx", "xinference", "jan", "docker_model_runner",
    }
)  # fmt: skip
"""Servers of one's own: a model of a known name there does not cost what its maker charges. Never guessed."""

STANDS_FOR_OTHERS: Final = frozenset({"openai", "anthropic", "aws", "azure", "google", "openrouter"})
"""Providers whose name says no more than a protocol that others speak too (`openai` with the base URL of DeepSeek), or
who resell models at their makers' prices. What their own tables don't have is looked up as if no provider was named.
Others host open models at prices of their own: what they don't list stays unpriced."""

MAKERS: Final = ("openai", "anthropic", "google", "mistral", "cohere", "deepseek", "x-ai", "voyageai", "perplexity")
"""Whose tables are searched, in this order, for a name without any provider (`text-embedding-3-small`)."""

BEDROCK_ID: Final = (
    r"^(?:[a-z]{2,6}(?:-gov)?\.)?(?:ai21|amazon|anthropic|cohere|deepseek|meta|minimax|mistral|moonshot|nvidia|openai"
    r"|qwen|stability|twelvelabs|writer|zai)\.|^arn:aws"
)
"""`anthropic.claude-sonnet-4-20250514-v1:0`, `us.anthropic...`, and ARNs of profiles: no one else has such names."""

FREE_SUFFIX: Final = ":free"


def genai_prices_id(provider: str) -> str:
    """The price table's name of a provider, or what was given, in lower case, if the table has no other."""
    name = provider.strip().lower()
    return TO_GENAI_PRICES.get(name) or ALSO.get(name) or name
