/**
 * A posting of a usual request, for benchmarks.
 * @module
 */
import type { StoreWrite } from "../src/storage/store.ts";

/**
 * What the plugins `usage` and `budget` leave of a request.
 *
 * @param n Which request
 * @param key Whose: of a key there is one sum an hour, and one budget
 */
export function postingOf(n: number, key: string = "key_7f3k2m9x1c"): StoreWrite[] {
  const at = new Date(Date.UTC(2026, 10, 23) + n).toISOString();
  const id = `req_${String(n).padStart(24, "0")}`;
  const record = {
    id,
    at,
    key_id: key,
    key_name: "laptop",
    user: "ann",
    team: "platform",
    model: "claude-sonnet-4-5",
    model_id: "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
    base_model: "anthropic.claude-sonnet-4-5-20250929-v1:0",
    route: "invoke",
    tier: "default",
    region: "us-east-1",
    input_tokens: 1_234 + n,
    output_tokens: 567,
    cache_read_input_tokens: 89_012,
    cache_write_5m_tokens: 345,
    cache_write_1h_tokens: 0,
    nano_usd: 12_345_678,
    listed: true,
    estimated: false,
    total_ms: 4_321,
    first_byte_ms: 321,
    stop_reason: "end_turn",
    outcome: "ok",
    status: 200,
    error_type: null,
    user_agent: "claude-cli/2.1.197 (external, cli)",
    session_id: "01234567-89ab-cdef-0123-456789abcdef",
    agent_id: null,
    bedrock_request_id: "01234567-89ab-cdef-0123-456789abcdef",
  };
  const sort = JSON.stringify([at.slice(0, 13), record.key_id, "ann", "platform", record.model]);
  const counters = {
    requests: 1,
    input_tokens: 1_234 + n,
    output_tokens: 567,
    nano_usd: 12_345_678,
  };
  return [
    { key: ["plugin.usage/rollup/2026-11-23", sort], add: counters, expiresAt: 1_900_000_000_000 },
    {
      key: ["plugin.usage/records/2026-11-23", `${at}/${id}`],
      put: record,
      expiresAt: 1_800_000_000_000,
    },
    {
      key: ["plugin.budget/2026-11-23/day", record.key_id],
      add: { spent: 12_345_678, "held/0f9c2b7e-51d4": -12_345_678 },
    },
  ];
}
