/**
 * Faults that Bedrock tells of: each exception, as a status, as the first frame, in mid-stream, and at the very end.
 * @module
 */
import {
  type Act,
  always,
  EVENTS,
  type Fault,
  FRAMES,
  once,
  type Play,
  type View,
} from "./fault.ts";

interface Told {
  readonly name: string;
  readonly status: number;
  /** What the client gets. */
  readonly as: readonly [status: number, error: string];
  /** Whether it is tried again. */
  readonly again?: boolean;
}

/** Bedrock Runtime's errors, the common ones among them; sources in src/bedrock/errors.ts. */
const EXCEPTIONS: readonly Told[] = [
  { name: "ValidationException", status: 400, as: [400, "invalid_request_error"] },
  { name: "ConflictException", status: 400, as: [400, "invalid_request_error"] },
  { name: "SerializationException", status: 400, as: [400, "invalid_request_error"] },
  { name: "AccessDeniedException", status: 403, as: [403, "permission_error"] },
  { name: "UnrecognizedClientException", status: 403, as: [403, "permission_error"] },
  { name: "InvalidSignatureException", status: 403, as: [403, "permission_error"] },
  { name: "ExpiredTokenException", status: 403, as: [403, "permission_error"] },
  { name: "MissingAuthenticationTokenException", status: 403, as: [403, "permission_error"] },
  { name: "ResourceNotFoundException", status: 404, as: [404, "not_found_error"] },
  { name: "UnknownOperationException", status: 404, as: [404, "not_found_error"] },
  { name: "ModelTimeoutException", status: 408, as: [504, "timeout_error"], again: true },
  { name: "ModelErrorException", status: 424, as: [500, "api_error"], again: true },
  { name: "ModelStreamErrorException", status: 424, as: [500, "api_error"], again: true },
  { name: "ModelNotReadyException", status: 429, as: [529, "overloaded_error"], again: true },
  { name: "ThrottlingException", status: 429, as: [429, "rate_limit_error"], again: true },
  { name: "TooManyRequestsException", status: 429, as: [429, "rate_limit_error"], again: true },
  { name: "ServiceQuotaExceededException", status: 400, as: [429, "rate_limit_error"] },
  { name: "InternalServerException", status: 500, as: [500, "api_error"], again: true },
  { name: "InternalFailure", status: 500, as: [500, "api_error"], again: true },
  { name: "ServiceUnavailableException", status: 503, as: [529, "overloaded_error"], again: true },
  { name: "SomethingNewException", status: 400, as: [400, "invalid_request_error"] },
  { name: "SomethingElseException", status: 502, as: [500, "api_error"], again: true },
];

function http([status, error]: Told["as"], says?: RegExp): View {
  return { status, error, ...(says === undefined ? {} : { says }) };
}

/** The wording is Bedrock's own, but where it is the gateway's credential that is refused. */
function wording({ name }: Told): RegExp {
  return /^(Unrecognized|InvalidSig|ExpiredTok|MissingAuth)/.test(name)
    ? /gateway's own AWS credential was refused/
    : new RegExp(`Bedrock says ${name}`);
}

const asStatus: Fault[] = EXCEPTIONS.map((told) => {
  const play = (told.again ? always : once)(
    [{ refuse: told.name, status: told.status }],
    http(told.as, wording(told)),
  );
  return { name: `${told.name} as a status`, streaming: play, whole: play };
});

/** Anthropic's own envelope, as its endpoints send it. */
const ENVELOPES: readonly Told[] = [
  { name: "invalid_request_error", status: 400, as: [400, "invalid_request_error"] },
  { name: "authentication_error", status: 401, as: [403, "permission_error"] },
  { name: "permission_error", status: 403, as: [403, "permission_error"] },
  { name: "not_found_error", status: 404, as: [404, "not_found_error"] },
  { name: "request_too_large", status: 413, as: [413, "request_too_large"] },
  { name: "rate_limit_error", status: 429, as: [429, "rate_limit_error"], again: true },
  { name: "timeout_error", status: 504, as: [504, "timeout_error"], again: true },
  { name: "api_error", status: 500, as: [500, "api_error"], again: true },
  { name: "overloaded_error", status: 529, as: [529, "overloaded_error"], again: true },
];

const asEnvelope: Fault[] = ENVELOPES.map(({ name, status, as, again }) => {
  const body = JSON.stringify({
    type: "error",
    error: { type: name, message: `Bedrock says ${name}` },
  });
  const play = (again ? always : once)([{ refuse: body, status }], http(as));
  return { name: `${name} in Anthropic's envelope`, routes: EVENTS, streaming: play, whole: play };
});

/** Exceptions within a stream, as frames spell them. */
const IN_STREAM: readonly (Told & { readonly frames?: true })[] = [
  { name: "internalServerException", status: 0, as: [500, "api_error"], again: true },
  { name: "modelStreamErrorException", status: 0, as: [500, "api_error"], again: true },
  { name: "throttlingException", status: 0, as: [429, "rate_limit_error"], again: true },
  { name: "serviceUnavailableException", status: 0, as: [529, "overloaded_error"], again: true },
  {
    name: "modelTimeoutException",
    status: 0,
    as: [504, "timeout_error"],
    again: true,
    frames: true,
  },
  { name: "validationException", status: 0, as: [400, "invalid_request_error"], frames: true },
  { name: "expiredTokenException", status: 0, as: [403, "permission_error"], frames: true },
  { name: "somethingNewException", status: 0, as: [500, "api_error"], again: true },
];

/** In a stream that has begun. */
function broken(before: Act, what: Act, error: string): Play {
  return once([{ begin: "stream" }, before, what, { end: "body" }], { began: true, error });
}

const inStream: Fault[] = IN_STREAM.flatMap(({ name, as, again, frames }) => {
  const what: Act = { exception: name };
  const where = frames === undefined ? {} : { routes: FRAMES };
  const first = (again ? always : once)([{ begin: "stream" }, what, { end: "body" }], http(as));
  return [
    { name: `${name} as the first record`, ...where, streaming: first },
    {
      name: `${name} in mid-stream`,
      ...where,
      streaming: broken({ records: 4 }, what, as[1]),
    },
    {
      name: `${name} in the place of the last record`,
      ...where,
      streaming: broken({ records: { allBut: 1 } }, what, as[1]),
    },
  ];
});

const frames: Fault[] = [
  {
    name: "an error frame first",
    routes: FRAMES,
    streaming: always(
      [{ begin: "stream" }, { errorFrame: "InternalFailure" }, { end: "body" }],
      { status: 500, error: "api_error", says: /An error frame/ },
    ),
  },
  {
    name: "an error frame in mid-stream",
    routes: FRAMES,
    streaming: broken({ records: 3 }, { errorFrame: "InternalFailure" }, "api_error"),
  },
];

const again: Fault[] = [
  {
    name: "throttled twice, then served",
    streaming: {
      tries: [
        [{ refuse: "ThrottlingException", status: 429 }],
        [{ refuse: "ThrottlingException", status: 429 }],
        [{ begin: "stream" }, { records: "rest" }, { end: "body" }],
      ],
      view: { served: true },
      count: 3,
    },
    whole: {
      tries: [
        [{ refuse: "ThrottlingException", status: 429 }],
        [{ refuse: "ThrottlingException", status: 429 }],
        [{ whole: "usual" }],
      ],
      view: { served: true },
      count: 3,
    },
  },
  {
    name: "asked to come again later than the client has patience",
    streaming: once(
      [{ refuse: "ThrottlingException", status: 429, headers: { "retry-after": "30" } }],
      { status: 429, error: "rate_limit_error" },
    ),
    whole: once(
      [{ refuse: "ThrottlingException", status: 429, headers: { "retry-after": "30" } }],
      { status: 429, error: "rate_limit_error" },
    ),
  },
];

/** The rows. */
export const TOLD_FAULTS: readonly Fault[] = [
  ...asStatus,
  ...asEnvelope,
  ...inStream,
  ...frames,
  ...again,
];
