/**
 * The HTTP client where a proxy is named in the environment: the runtime's own knows what to do with it.
 * @module
 */
import type { HttpAnswer, HttpClient, HttpRequest } from "./http_client.ts";

/** `fetch`, which knows of proxies. */
export class FetchHttpClient implements HttpClient {
  /** See {@link HttpClient.send}. */
  async send({ url, method, headers, body, signal }: HttpRequest): Promise<HttpAnswer> {
    const { protocol, host, pathname, search } = url;
    const response = await fetch(`${protocol}//${host}${pathname}${search}`, {
      method,
      headers,
      signal,
      redirect: "manual",
      ...(method === "GET" ? {} : { body }),
    });
    const reader = response.body?.getReader();
    return {
      status: response.status,
      header: (name) => response.headers.get(name),
      body: {
        read: async () => (await reader?.read())?.value,
        cancel: () => void reader?.cancel().catch(() => undefined), // it has failed already
      },
    };
  }

  /** See {@link HttpClient.close}; its connections are the runtime's. */
  close(): void {}
}
