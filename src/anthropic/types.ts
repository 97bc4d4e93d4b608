/**
 * Anthropic's Messages wire, as far as this program reads it. Every object keeps its unknown fields: we add,
 * change and remove keys, and never rebuild a body from a list of known ones.
 *
 * Shapes: Anthropic API reference, Messages; `@anthropic-ai/sdk` 1.12.0 types ([T]).
 * @module
 */

/** An object that keeps fields this program does not read. */
export interface Open {
  /** Any further field, as received. */
  readonly [field: string]: unknown;
}

/** A cache mark on a block, tool or request. */
export interface CacheControl extends Open {
  /** Always `ephemeral`. */
  readonly type: string;
  /** Life of the cached prefix; 5 minutes when absent. */
  readonly ttl?: "5m" | "1h";
}

/** A content block of any kind; `type` tells which. */
export interface ContentBlock extends Open {
  /** `text`, `image`, `tool_use`, `tool_result`, `thinking`, … */
  readonly type: string;
  /** Present on any block but thinking. */
  readonly cache_control?: CacheControl | null;
}

/** One message of a conversation. */
export interface InputMessage extends Open {
  /** `system` inside messages is an instruction in mid-conversation. */
  readonly role: "user" | "assistant" | "system";
  /** Text, or blocks. */
  readonly content: string | readonly ContentBlock[];
}

/** A tool the model may call. Custom tools have no `type` or `custom`. */
export interface Tool extends Open {
  /** Absent or `custom` for custom tools; else e.g. `bash_20250124`. */
  readonly type?: string;
  /** Up to 128 letters, digits, `_` and `-`. */
  readonly name: string;
  /** What the tool does. */
  readonly description?: string;
  /** JSON Schema of the input. */
  readonly input_schema?: Readonly<Record<string, unknown>>;
  /** Cache mark after this tool. */
  readonly cache_control?: CacheControl | null;
}

/** Which tool the model must or may call. */
export interface ToolChoice extends Open {
  /** `auto`, `any`, `tool` or `none`. */
  readonly type: string;
  /** The tool, for `tool`. */
  readonly name?: string;
  /** At most one call in the answer. */
  readonly disable_parallel_tool_use?: boolean;
}

/** Extended thinking. */
export interface Thinking extends Open {
  /** `enabled`, `adaptive`, `disabled` or `between_tools`. */
  readonly type: string;
  /** Tokens, at least 1,024; for `enabled`. */
  readonly budget_tokens?: number;
  /** `summarized`, `omitted` or `updates`. */
  readonly display?: string;
}

/** Body of `POST /v1/messages`, checked by `checkMessagesRequest`. */
export interface MessagesRequest extends Open {
  /** The model's public name, as the client wrote it. */
  readonly model: string;
  /** Most tokens of the answer; 0 only warms the cache. */
  readonly max_tokens: number;
  /** The conversation. */
  readonly messages: readonly InputMessage[];
  /** The system prompt. */
  readonly system?: string | readonly ContentBlock[];
  /** Answer as server-sent events. */
  readonly stream?: boolean;
  /** Tools. */
  readonly tools?: readonly Tool[];
  /** Tool choice. */
  readonly tool_choice?: ToolChoice;
  /** Extended thinking. */
  readonly thinking?: Thinking;
  /** Texts that end the answer. */
  readonly stop_sequences?: readonly string[];
  /** 0 to 1. */
  readonly temperature?: number;
  /** 0 to 1. */
  readonly top_p?: number;
  /** At least 0. */
  readonly top_k?: number;
  /** Opaque id of the end user. */
  readonly metadata?: Readonly<Record<string, unknown>> | null;
  /** `auto` or `standard_only`. */
  readonly service_tier?: string;
  /** A cache mark at the end of the conversation, wherever that is. */
  readonly cache_control?: CacheControl | null;
  /** Effort and output format. */
  readonly output_config?: Readonly<Record<string, unknown>> | null;
}

/** Token counts as Anthropic reports them; `input_tokens` is without what the cache gave or took. */
export interface Usage extends Open {
  /** Input tokens neither read from nor written to the cache. */
  readonly input_tokens: number;
  /** Tokens of the answer, thinking included. */
  readonly output_tokens: number;
  /** Input tokens written to the cache. */
  readonly cache_creation_input_tokens?: number | null;
  /** Input tokens read from the cache. */
  readonly cache_read_input_tokens?: number | null;
  /** Cache writes by life. */
  readonly cache_creation?: {
    /** Written for five minutes. */
    readonly ephemeral_5m_input_tokens: number;
    /** Written for an hour. */
    readonly ephemeral_1h_input_tokens: number;
  } | null;
  /** Tier that served: `standard`, `priority`, `batch`. */
  readonly service_tier?: string | null;
}

/** A whole answer. */
export interface Message extends Open {
  /** `msg_…`. */
  readonly id: string;
  /** Always `message`. */
  readonly type: "message";
  /** Always `assistant`. */
  readonly role: "assistant";
  /** The model that answered. */
  readonly model: string;
  /** The answer's blocks. */
  readonly content: readonly ContentBlock[];
  /** `end_turn`, `max_tokens`, `stop_sequence`, `tool_use`, `pause_turn`, `refusal`, … */
  readonly stop_reason: string | null;
  /** The text that ended the answer. */
  readonly stop_sequence: string | null;
  /** Token counts. */
  readonly usage: Usage;
}

/** First event of a stream. */
export interface MessageStartEvent extends Open {
  /** Always `message_start`. */
  readonly type: "message_start";
  /** The message so far: no content, `stop_reason` null. */
  readonly message: Message;
}

/** Opens a content block. */
export interface ContentBlockStartEvent extends Open {
  /** Always `content_block_start`. */
  readonly type: "content_block_start";
  /** Which block of the message, from 0. */
  readonly index: number;
  /** The block, still empty; blocks that do not stream come whole. */
  readonly content_block: ContentBlock;
}

/** A part of a content block: `text_delta`, `input_json_delta`, `thinking_delta`, `signature_delta`, `citations_delta`. */
export interface Delta extends Open {
  /** The kind of delta. */
  readonly type: string;
}

/** Adds to a content block. */
export interface ContentBlockDeltaEvent extends Open {
  /** Always `content_block_delta`. */
  readonly type: "content_block_delta";
  /** Which block of the message, from 0. */
  readonly index: number;
  /** What is added. */
  readonly delta: Delta;
}

/** Closes a content block. */
export interface ContentBlockStopEvent extends Open {
  /** Always `content_block_stop`. */
  readonly type: "content_block_stop";
  /** Which block of the message, from 0. */
  readonly index: number;
}

/** Stop reason and the final, cumulative usage. */
export interface MessageDeltaEvent extends Open {
  /** Always `message_delta`. */
  readonly type: "message_delta";
  /** How the message ended. */
  readonly delta: {
    /** Why the answer ended. */
    readonly stop_reason: string | null;
    /** The text that ended it. */
    readonly stop_sequence: string | null;
    /** Fields this program does not read. */
    readonly [field: string]: unknown;
  };
  /** Cumulative counts. */
  readonly usage: Partial<Usage>;
}

/** Last event of a stream. */
export interface MessageStopEvent extends Open {
  /** Always `message_stop`. */
  readonly type: "message_stop";
}

/** Keep-alive. */
export interface PingEvent extends Open {
  /** Always `ping`. */
  readonly type: "ping";
}

/** The events this program understands. Others pass through as they are. */
export type AnthropicEvent =
  | MessageStartEvent
  | ContentBlockStartEvent
  | ContentBlockDeltaEvent
  | ContentBlockStopEvent
  | MessageDeltaEvent
  | MessageStopEvent
  | PingEvent;
