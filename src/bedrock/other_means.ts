/**
 * What a model refuses in the way it was asked, and what is then done by other means: nothing is left out.
 *
 * Source: refusals as recorded ([L]); which families are known to refuse stands in the tables.
 * @module
 */
import type { MessagesRequest } from "../anthropic/types.ts";
import { asksForFormat } from "./format/asked.ts";

/**
 * What is done by other means: a format by a tool, tools without a stream, stop sequences by us, the default tier,
 * the system prompt and instructions in mid-conversation as text of the user's.
 */
export type OtherMeans =
  | "output_config.format"
  | "service_tier"
  | "stop_sequences"
  | "streamed tools"
  | "system messages"
  | "system prompt"
  | "tool_choice";

/** What of a request tells whether it asked for what was refused. */
export interface Refused {
  /** The body. */
  readonly body: MessagesRequest;
  /** Service tier. */
  readonly tier: string | undefined;
}

interface Row {
  readonly name: OtherMeans;
  /** Matches the refusals that name it. */
  readonly refusal: RegExp;
  /** Whether a request asks for it. */
  readonly asked: (sent: Refused) => boolean;
}

const TABLE: readonly Row[] = [
  {
    name: "output_config.format",
    refusal: /output_config\.format|output_format|outputConfig|textFormat|structured outputs?/i,
    asked: ({ body }) => asksForFormat(body),
  },
  {
    name: "service_tier",
    refusal: /service tier is not supported/i,
    asked: ({ tier }) => tier !== undefined,
  },
  {
    name: "streamed tools",
    refusal: /tool use in streaming mode/i,
    asked: ({ body }) => body.stream === true,
  },
  {
    name: "stop_sequences",
    refusal: /doesn't support the stopSequences field/,
    asked: ({ body }) => (body.stop_sequences ?? []).length > 0,
  },
  {
    name: "system messages",
    refusal: /Unexpected role "system"|messages\.\d+\.role: |messages\.\d+\.member\.role/,
    asked: ({ body }) => body.messages.some(({ role }) => role === "system"),
  },
  {
    name: "system prompt",
    refusal: /doesn't support system messages/,
    asked: ({ body }) => (body.system ?? "").length > 0,
  },
  {
    name: "tool_choice",
    refusal: /toolConfig\.toolChoice/,
    asked: ({ body }) => /^(any|tool)$/.test(body.tool_choice?.type ?? "") || asksForFormat(body),
  },
];

/** All of them. */
export const OTHER_MEANS: readonly OtherMeans[] = TABLE.map(({ name }) => name);

/** What a refusal names that was asked for and other means can do; undefined if it names nothing of the kind. */
export function otherMeansOf(message: string, sent: Refused): OtherMeans | undefined {
  return TABLE.find(({ refusal, asked }) => refusal.test(message) && asked(sent))?.name;
}
