// Vercel AI SDK 6, as its documentation says: experimental_telemetry with metadata on every call.
import { createOpenAI } from "@ai-sdk/openai";
import { trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { embed, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const provider = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())] });
provider.register();

const weather = tool({
  description: "The weather of a city",
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => ({ city, sky: "clear" }),
});

function models(session) {
  return createOpenAI({ baseURL: `${process.env.MODEL_SERVER_URL}/${session}/v1`, apiKey: "sk-none" });
}

// One turn, one trace.
async function turn(session, userId, ask) {
  const experimental_telemetry = {
    isEnabled: true,
    functionId: "turn",
    metadata: { sessionId: session, userId, tags: ["live", "sdk"], plan: "gold" },
  };
  await trace.getTracer("app").startActiveSpan("turn", async (span) => {
    try {
      await ask(models(session), experimental_telemetry);
    } finally {
      span.end();
    }
  });
}

async function plain(openai, experimental_telemetry) {
  await embed({ model: openai.embedding("text-embedding-3-small"), value: "Where is Lisbon?", experimental_telemetry });
  await generateText({ model: openai.chat("gpt-4o-mini"), prompt: "Where is Lisbon?", experimental_telemetry });
}

async function withTool(openai, experimental_telemetry) {
  await generateText({
    model: openai.chat("gpt-4o-mini"),
    prompt: "What is the weather there?",
    tools: { weather },
    stopWhen: stepCountIs(3),
    experimental_telemetry,
  });
}

async function stream(openai, experimental_telemetry) {
  const result = streamText({ model: openai.chat("gpt-5-mini"), prompt: "And tomorrow?", experimental_telemetry });
  await result.consumeStream();
}

async function failing(openai, experimental_telemetry) {
  await generateText({ model: openai.chat("no-such-model"), prompt: "Hello?", experimental_telemetry });
}

const [a, b] = ["A", "B"].map((name) => `${process.env.SESSION_PREFIX}-${name}`);
await turn(a, "ada", plain);
await turn(a, "ada", withTool);
await turn(a, "ada", stream);
await turn(b, "grace", plain);
await turn(b, "grace", failing).then(
  () => process.exit(1),
  () => provider.shutdown(),
);
