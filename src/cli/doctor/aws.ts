/**
 * What `outcrop doctor` checks of AWS: credentials, region, clock.
 * @module
 */
import { bedrockHosts } from "../../bedrock/endpoint.ts";
import { BedrockError } from "../../bedrock/errors.ts";
import type { Config } from "../../config/schema.ts";
import type { Gateway } from "../gateway.ts";
import { deepestMessageOf, type Finding, messageOf } from "./finding.ts";

const ANSWER_WITHIN_MS = 10_000;
/** AWS refuses signatures that are further off (AWS General Reference, Signature Version 4). */
const MOST_SKEW_S = 300;
/** A clock that is kept right by the network is never so far off. */
const USUAL_SKEW_S = 30;

/** Looks whether there are credentials, and asks AWS for a list that costs nothing, to see whether it takes them. */
export async function checkCredentials({ credentials, catalog }: Gateway): Promise<Finding> {
  const check = "credentials";
  let which: string;
  try {
    which = await credentials.describe();
  } catch (error) {
    return { check, status: "failed", message: messageOf(error) };
  }
  try {
    await catalog.refresh(AbortSignal.timeout(ANSWER_WITHIN_MS));
    return { check, status: "ok", message: `${which}: AWS takes them, and lists its models` };
  } catch (error) {
    return { check, ...refusal(which, error) };
  }
}

function refusal(which: string, error: unknown): Pick<Finding, "status" | "message"> {
  if (!(error instanceof BedrockError)) {
    const message = `${which}: AWS's list of models did not come: ${messageOf(error)}`;
    return { status: "warning", message };
  }
  const { type, exception } = error;
  if (type !== "permission_error") {
    return { status: "warning", message: `${which}: not tried, as ${messageOf(error)}` };
  }
  if (exception === "AccessDeniedException" || exception.startsWith("HTTP ")) {
    return {
      status: "warning",
      message: `${which}: may not list models, so the built-in table serves alone: ` +
        "allow bedrock:ListFoundationModels and bedrock:ListInferenceProfiles",
    };
  }
  const remedy = /^(InvalidSignature|SignatureDoesNotMatch)/.test(exception)
    ? "see that the secret belongs to the key, and that the clock is right"
    : "renew them, or name others by aws.profile or the environment";
  return { status: "failed", message: `${which}: AWS refuses them (${exception}): ${remedy}` };
}

/** Looks whether the region's host answers, and by its answer whether this machine's clock is right. */
export async function checkRegion({ region, endpoint }: Config["aws"]): Promise<Finding[]> {
  const fips = Deno.env.get("AWS_USE_FIPS_ENDPOINT")?.toLowerCase() === "true";
  const { runtime } = bedrockHosts(region, endpoint, fips);
  const sentAt = Date.now();
  let date: string | null;
  try {
    const response = await fetch(runtime, {
      redirect: "manual",
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    date = response.headers.get("date");
    await response.body?.cancel();
  } catch (error) {
    const message = `${region}: ${runtime} cannot be reached (${deepestMessageOf(error)}): ` +
      "see that aws.region and aws.endpoint are right, and that the network, or HTTPS_PROXY, leads there";
    return [
      { check: "region", status: "failed", message },
      { check: "clock", status: "skipped", message: "nobody answers to compare with" },
    ];
  }
  return [
    { check: "region", status: "ok", message: `${region}: ${runtime} answers` },
    checkClock(date, (sentAt + Date.now()) / 2),
  ];
}

function checkClock(date: string | null, nowMs: number): Finding {
  const check = "clock";
  const theirs = Date.parse(date ?? "");
  if (Number.isNaN(theirs)) {
    return { check, status: "skipped", message: "the answer tells no time to compare with" };
  }
  const seconds = Math.round((nowMs - theirs) / 1_000);
  const off = Math.abs(seconds);
  if (off <= USUAL_SKEW_S) return { check, status: "ok", message: "as AWS's" };
  const message =
    `${off} s ${seconds > 0 ? "ahead of" : "behind"} AWS's, which refuses signatures ` +
    `from ${MOST_SKEW_S} s on: have it set by the network (NTP)`;
  return { check, status: off < MOST_SKEW_S ? "warning" : "failed", message };
}
