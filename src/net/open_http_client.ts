/**
 * Chooses the HTTP client of the request path.
 * @module
 */
import { FetchHttpClient } from "./fetch_client.ts";
import { Http1Client } from "./http1_client.ts";
import type { HttpClient } from "./http_client.ts";

const PROXIES = [
  "HTTPS_PROXY",
  "https_proxy",
  "HTTP_PROXY",
  "http_proxy",
  "ALL_PROXY",
  "all_proxy",
];

/** The client for this environment. */
export function openHttpClient(env: (name: string) => string | undefined): HttpClient {
  return PROXIES.some((name) => (env(name) ?? "") !== "")
    ? new FetchHttpClient()
    : new Http1Client();
}
