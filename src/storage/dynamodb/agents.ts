/**
 * Connections to DynamoDB that are kept open.
 *
 * The runtime sends a request again, unasked, when a connection that was kept open closes: also one that we close
 * because no answer comes, and one that breaks when DynamoDB is at work already. An addition would then be made twice.
 * What is sent again is for the store to decide, so these connections do not say that they were used before.
 *
 * @module
 */
import * as http from "node:http";
import * as https from "node:https";
import type { Duplex } from "node:stream";

const SETTINGS = { keepAlive: true, maxSockets: 256 } as const;

class PlainAgent extends http.Agent {
  override reuseSocket(socket: Duplex, request: http.ClientRequest): void {
    super.reuseSocket(socket, request);
    request.reusedSocket = false;
  }
}

class SecureAgent extends https.Agent {
  override reuseSocket(socket: Duplex, request: http.ClientRequest): void {
    super.reuseSocket(socket, request);
    request.reusedSocket = false;
  }
}

/** The agents of one client, as the SDK's handler takes them. */
export function keptAgents(): { httpAgent: http.Agent; httpsAgent: https.Agent } {
  return { httpAgent: new PlainAgent(SETTINGS), httpsAgent: new SecureAgent(SETTINGS) };
}
