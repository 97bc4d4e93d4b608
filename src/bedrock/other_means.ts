/**
 * What a model refuses in the way it was asked, and what is then done by other means: nothing is left out.
 *
 * Source: refusals as recorded ([L]); which families are known to refuse stands in the tables.
 * @module
 */
import type { MessagesRequest } from "../anthropic/types.ts";
import { asksForFormat } from "./format/asked.ts";

/** What is done by other means: a format by a tool, tools without a stream, stop sequences and choices by us. */
export type OtherMeans =
  | "output_config.format"
  | "streamed tools"
  | "stop_sequences"
  | "tool_choice";

interface Row {
  readonly name: OtherMeans;
  /** Matches the refusals that name it. */
  readonly refusal: RegExp;
  /** Whether a body asks for it. */
  readonly asked: (body: MessagesRequest) => boolean;
}

const TABLE: readonly Row[] = [
  {
    name: "output_config.format",
    refusal: /output_config\.format|output_format|outputConfig|textFormat|structured outputs?/i,
    asked: asksForFormat,
  },
  {
    name: "streamed tools",
    refusal: /tool use in streaming mode/i,
    asked: ({ stream }) => stream === true,
  },
  {
    name: "stop_sequences",
    refusal: /doesn't support the stopSequences field/,
    asked: ({ stop_sequences }) => (stop_sequences ?? []).length > 0,
  },
  {
    name: "tool_choice",
    refusal: /toolConfig\.toolChoice/,
    asked: (body) => /^(any|tool)$/.test(body.tool_choice?.type ?? "") || asksForFormat(body),
  },
];

/** All of them. */
export const OTHER_MEANS: readonly OtherMeans[] = TABLE.map(({ name }) => name);

/** What a refusal names that the body asks for and other means can do; undefined if it names nothing of the kind. */
export function otherMeansOf(message: string, body: MessagesRequest): OtherMeans | undefined {
  return TABLE.find(({ refusal, asked }) => refusal.test(message) && asked(body))?.name;
}
