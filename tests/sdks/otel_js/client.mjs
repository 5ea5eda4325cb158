// OpenTelemetry's Node SDK alone, as our README says: spans by hand, the session on the root, usage on the calls.
import { SpanStatusCode, trace } from "@opentelemetry/api";
import { NodeSDK } from "@opentelemetry/sdk-node";
import OpenAI from "openai";

const sdk = new NodeSDK({ serviceName: "travel-bot" }); // reads OTEL_EXPORTER_OTLP_ENDPOINT
sdk.start();
const tracer = trace.getTracer("travel-bot");

const weather = {
  type: "function",
  function: { name: "weather", parameters: { type: "object", properties: { city: { type: "string" } } } },
};

async function traced(name, attributes, run) {
  return tracer.startActiveSpan(name, { attributes }, async (span) => {
    try {
      return await run(span);
    } catch (error) {
      span.recordException(error);
      span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
      throw error;
    } finally {
      span.end();
    }
  });
}

// One model call with a span of its own; a stream is read to its end inside it.
async function call(client, operation, request) {
  const attributes = {
    "gen_ai.operation.name": operation,
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": request.model,
  };
  return traced(`${operation} ${request.model}`, attributes, async (span) => {
    const create = operation === "chat" ? client.chat.completions : client.embeddings;
    let response = await create.create(request);
    if (request.stream) {
      for await (const chunk of response) response = chunk;
    }
    span.setAttributes({
      "gen_ai.response.model": response.model,
      "gen_ai.usage.input_tokens": response.usage.prompt_tokens,
    });
    if (operation === "chat") {
      span.setAttributes({
        "gen_ai.response.id": response.id,
        "gen_ai.usage.output_tokens": response.usage.completion_tokens,
        "gen_ai.usage.cache_read.input_tokens": response.usage.prompt_tokens_details.cached_tokens,
        "gen_ai.usage.reasoning.output_tokens": response.usage.completion_tokens_details.reasoning_tokens,
      });
    }
    return response;
  });
}

// One turn, one trace.
async function turn(session, user, ask) {
  const attributes = {
    "gen_ai.operation.name": "invoke_agent",
    "session.id": session,
    "user.id": user,
    "tag.tags": ["live", "sdk"],
    metadata: JSON.stringify({ plan: "gold" }),
  };
  const client = new OpenAI({ baseURL: `${process.env.MODEL_SERVER_URL}/${session}/v1`, apiKey: "sk-none" });
  await traced("turn", attributes, () => ask(client));
}

async function plain(client) {
  await call(client, "embeddings", { model: "text-embedding-3-small", input: "Where is Lisbon?" });
  await call(client, "chat", { model: "gpt-4o-mini", messages: [{ role: "user", content: "Where is Lisbon?" }] });
}

async function withTool(client) {
  const messages = [{ role: "user", content: "What is the weather there?" }];
  const asked = await call(client, "chat", { model: "gpt-4o-mini", messages, tools: [weather] });
  const { message } = asked.choices[0];
  messages.push(message, { role: "tool", tool_call_id: message.tool_calls[0].id, content: '{"sky": "clear"}' });
  await call(client, "chat", { model: "gpt-4o-mini", messages, tools: [weather] });
}

async function stream(client) {
  const messages = [{ role: "user", content: "And tomorrow?" }];
  await call(client, "chat", { model: "gpt-5-mini", messages, stream: true, stream_options: { include_usage: true } });
}

async function failing(client) {
  await call(client, "chat", { model: "no-such-model", messages: [{ role: "user", content: "Hello?" }] });
}

const [a, b] = ["A", "B"].map((name) => `${process.env.SESSION_PREFIX}-${name}`);
await turn(a, "ada", plain);
await turn(a, "ada", withTool);
await turn(a, "ada", stream);
await turn(b, "grace", plain);
await turn(b, "grace", failing).then(
  () => process.exit(1),
  () => sdk.shutdown(),
);
