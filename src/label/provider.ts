/**
 * @file The models behind `teacher.model`, through the AI SDK, and where their keys come from: the environment and nowhere
 * else. A key is handed to the SDK, kept to be blotted out of messages, and never written anywhere.
 */

import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import type { LanguageModelV4, SharedV4ProviderOptions } from "@ai-sdk/provider";
import { FlywheelError } from "../errors.ts";
import type { AnyTask } from "../task.ts";

export type Environment = Readonly<Record<string, string | undefined>>;
export type Fetch = typeof globalThis.fetch;

export type ProviderModel = {
  /** `provider/model`. */
  readonly id: string;
  readonly model: LanguageModelV4;
  readonly apiKey: string | undefined;
  /** The variable that held the key, or the first that could. */
  readonly apiKeyEnv: string | undefined;
  /** Provider options that ask for log-probabilities; absent where the provider has none. */
  readonly logprobOptions?: SharedV4ProviderOptions;
  /** Whether the SDK knows how to tell this provider's models not to think aloud: thinking is paid for as output. */
  readonly hasReasoningSetting: boolean;
};

const providers = ["google", "openai", "anthropic", "compatible"] as const;
type Provider = (typeof providers)[number];

const usualKeyVariables: Readonly<Record<Provider, readonly string[]>> = {
  google: ["GOOGLE_GENERATIVE_AI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"],
  openai: ["OPENAI_API_KEY"],
  anthropic: ["ANTHROPIC_API_KEY"],
  compatible: [],
};

/** Alternatives asked for at each token; 20 is the most that OpenAI gives. */
const TOP_LOGPROBS = 20;

export type OpenModelOptions = {
  readonly task: AnyTask;
  /** `provider/model`: the task's first or second. */
  readonly id: string;
  readonly env: Environment;
  readonly fetch: Fetch;
};

/** @throws FlywheelError `unknown_provider`, `teacher_key_missing`, `teacher_base_url_missing` */
export function openModel({ task, id, env, fetch }: OpenModelOptions): ProviderModel {
  const slash = id.indexOf("/");
  const [provider, name] = [asProvider(id.slice(0, slash), id), id.slice(slash + 1)];
  const settings = settingsFor(task, provider);
  const { apiKey, apiKeyEnv } = findKey({ provider, env, apiKeyEnv: settings.apiKeyEnv });
  const common = { fetch, ...(settings.baseUrl && { baseURL: settings.baseUrl }) };
  return { id, apiKey, apiKeyEnv, ...connect[provider]({ name, apiKey, common, id }) };
}

function asProvider(text: string, id: string): Provider {
  const provider = providers.find((known) => known === text);
  if (provider) return provider;
  throw new FlywheelError("unknown_provider", `teacher model "${id}": unknown provider "${text}"`, {
    hint: `use one of ${providers.join(", ")}; OpenRouter, Ollama, vLLM and the like are compatible/MODEL with teacher.baseUrl`,
  });
}

/** `baseUrl` and `apiKeyEnv` belong to the provider of the first model; another provider's second model has its usual ones. */
function settingsFor(
  { teacher }: AnyTask,
  provider: Provider,
): { readonly baseUrl?: string; readonly apiKeyEnv?: string } {
  if (!teacher.model.startsWith(`${provider}/`)) return {};
  const { baseUrl, apiKeyEnv } = teacher;
  return { ...(baseUrl !== undefined && { baseUrl }), ...(apiKeyEnv !== undefined && { apiKeyEnv }) };
}

function findKey({
  provider,
  env,
  apiKeyEnv,
}: {
  readonly provider: Provider;
  readonly env: Environment;
  readonly apiKeyEnv: string | undefined;
}): { readonly apiKey: string | undefined; readonly apiKeyEnv: string | undefined } {
  const variables = apiKeyEnv === undefined ? usualKeyVariables[provider] : [apiKeyEnv];
  const found = variables.find((variable) => env[variable]?.trim());
  if (found === undefined && variables.length > 0) throw keyMissing(provider, variables);
  return { apiKey: found && env[found]?.trim(), apiKeyEnv: found };
}

function keyMissing(provider: Provider, variables: readonly string[]): FlywheelError {
  return new FlywheelError("teacher_key_missing", `no key for ${provider}: ${variables.join(" or ")} is not set`, {
    hint: `export ${variables[0]}=…, or name another variable in teacher.apiKeyEnv`,
  });
}

type Connection = {
  readonly id: string;
  readonly name: string;
  readonly apiKey: string | undefined;
  readonly common: { readonly fetch: Fetch; readonly baseURL?: string };
};
type Connected = Pick<ProviderModel, "model" | "logprobOptions" | "hasReasoningSetting">;

const connect: Readonly<Record<Provider, (connection: Connection) => Connected>> = {
  google: ({ name, apiKey, common }) => ({
    model: createGoogleGenerativeAI({ ...common, ...(apiKey && { apiKey }) })(name),
    hasReasoningSetting: true,
  }),
  openai: ({ name, apiKey, common }) => ({
    model: createOpenAI({ ...common, ...(apiKey && { apiKey }) }).chat(name),
    logprobOptions: { openai: { logprobs: TOP_LOGPROBS } },
    hasReasoningSetting: true,
  }),
  anthropic: ({ name, apiKey, common }) => ({
    model: createAnthropic({ ...common, ...(apiKey && { apiKey }) })(name),
    hasReasoningSetting: true,
  }),
  compatible: ({ id, name, apiKey, common: { fetch, baseURL } }) => ({
    model: createOpenAICompatible({
      name: "compatible",
      baseURL: baseURL ?? baseUrlMissing(id),
      supportsStructuredOutputs: true,
      fetch,
      ...(apiKey && { apiKey }),
    }).chatModel(name),
    logprobOptions: { compatible: { logprobs: true, top_logprobs: TOP_LOGPROBS } },
    hasReasoningSetting: false,
  }),
};

function baseUrlMissing(id: string): never {
  throw new FlywheelError("teacher_base_url_missing", `teacher model "${id}" needs teacher.baseUrl`, {
    hint: 'for Ollama: baseUrl: "http://127.0.0.1:11434/v1"',
  });
}
