/**
 * Faults of the connection and of the head: refused, reset, half said, untrue, of another kind.
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

const API_ERROR: View = { status: 500, error: "api_error" };

/** The same for both kinds of client. */
function both(play: Play): Pick<Fault, "streaming" | "whole"> {
  return { streaming: play, whole: play };
}

const STREAM: readonly Act[] = [{ begin: "stream" }, { records: "rest" }, { end: "body" }];
const WHOLE: readonly Act[] = [{ whole: "usual" }];

/** Fails once, and is then served. */
function thenServed(acts: readonly Act[]): Pick<Fault, "streaming" | "whole"> {
  const view: View = { served: true };
  return {
    streaming: { tries: [acts, STREAM], view, count: 2 },
    whole: { tries: [acts, WHOLE], view, count: 2 },
  };
}

const beforeTheHead: Fault[] = [
  { name: "closed before the head", ...both(always([{ then: "close" }], API_ERROR)) },
  { name: "reset before the head", ...both(always([{ then: "reset" }], API_ERROR)) },
  { name: "closed before the head, once", ...thenServed([{ then: "close" }]) },
  { name: "reset before the head, once", ...thenServed([{ then: "reset" }]) },
  {
    name: "silence before the head",
    streaming: once([{ then: "stall" }], { waited: true, error: "timeout_error" }, {
      passMs: 300_000,
    }),
    whole: once([{ then: "stall" }], { status: 504, error: "timeout_error" }, { passMs: 600_000 }),
  },
];

const HEADS: readonly (readonly [string, string])[] = [
  ["words that are no HTTP", "HELLO, this is no HTTP\r\n\r\n"],
  ["bytes that are no text", "\x16\x03\x01\x00\xff\x00\x00\x80\x81\xfe"],
  ["a status that is no number", "HTTP/1.1 abc OK\r\ncontent-length: 0\r\n\r\n"],
  ["half a status line", "HTTP/1.1 2"],
  ["half a head", "HTTP/1.1 200 OK\r\ncontent-type: appl"],
  ["a header without a colon", "HTTP/1.1 200 OK\r\nnonsense\r\ncontent-length: 0\r\n\r\n"],
  ["a length that is no number", "HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n{}"],
  ["two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}"],
  [
    "a chunk size that is no number",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhi\r\n",
  ],
  ["a chunk that is cut", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfff\r\nhi"],
  ["a head of a megabyte", `HTTP/1.1 200 OK\r\nx-long: ${"x".repeat(1_048_576)}\r\n\r\n`],
];

const heads: Fault[] = HEADS.map(([name, raw]) => ({
  name: `a head with ${name}`,
  ...both(always([{ raw }, { then: "close" }], API_ERROR)),
}));

const OTHER_ANSWERS: readonly (readonly [string, Act])[] = [
  ["a page of HTML", { whole: { text: "<html><body>Sign in</body></html>" }, type: "text/html" }],
  ["nothing", { whole: { text: "" } }],
  ["null", { whole: { text: "null" } }],
  ["a list", { whole: { text: "[]" } }],
  ["an empty object", { whole: { text: "{}" } }],
  ["a number", { whole: { text: "42" } }],
  ["text that is no JSON", { whole: { text: '{"type":"message",' } }],
  ["bytes that are no UTF-8", { whole: { text: "\xff\xfe\xfd" } }],
  [
    "another API's answer",
    { whole: { text: '{"object":"chat.completion","choices":[{"message":{"content":"hi"}}]}' } },
  ],
  ["an error under 200", { whole: { text: '{"message":"Unable to process","__type":"X"}' } }],
];

const otherAnswers: Fault[] = OTHER_ANSWERS.map(([name, act]) => ({
  name: `200 with ${name}`,
  ...both(always([act], API_ERROR)),
}));

const STATUSES: readonly (readonly [string, Act, View, number])[] = [
  [
    "a redirect",
    {
      refuse: "{}",
      status: 302,
      headers: { location: "https://elsewhere.example/" },
    },
    API_ERROR,
    1,
  ],
  ["204", { raw: "HTTP/1.1 204 No Content\r\n\r\n" }, API_ERROR, 3],
  [
    "HTML under 502",
    {
      whole: { text: "<html>Bad gateway</html>" },
      status: 502,
      type: "text/html",
    },
    API_ERROR,
    3,
  ],
  [
    "HTML under 503",
    {
      whole: { text: "<html>Busy</html>" },
      status: 503,
      type: "text/html",
    },
    { status: 529, error: "overloaded_error" },
    3,
  ],
  [
    "HTML under 403",
    {
      whole: { text: "<html>Blocked</html>" },
      status: 403,
      type: "text/html",
    },
    { status: 403, error: "permission_error" },
    1,
  ],
  ["nothing under 413", { whole: { text: "" }, status: 413 }, {
    status: 413,
    error: "request_too_large",
  }, 1],
  ["nothing under 500", { whole: { text: "" }, status: 500 }, API_ERROR, 3],
];

const statuses: Fault[] = STATUSES.map(([name, act, view, count]) => ({
  name: `an answer that is ${name}`,
  ...both({ tries: [[act]], view, count }),
}));

const errorsCut: Fault[] = [
  {
    name: "an error whose body is cut",
    ...both(always(
      [
        {
          raw: "HTTP/1.1 503 No\r\nx-amzn-errortype: ServiceUnavailableException:\r\n" +
            'content-length: 500\r\n\r\n{"message":"Serv',
        },
        { then: "close" },
      ],
      API_ERROR,
    )),
  },
];

/** Lengths that are untrue, and bodies that are cut: of a whole answer. */
const wholes: Fault[] = [
  {
    name: "a whole answer shorter than its length, and closed",
    whole: always([{ whole: "usual", told: 10 }, { then: "close" }], API_ERROR),
  },
  {
    name: "a whole answer longer than its length",
    whole: always([{ whole: "usual", told: -10 }, { then: "close" }], API_ERROR),
  },
  {
    name: "a whole answer of which nothing comes",
    whole: always([{ whole: "usual", share: 0 }, { then: "close" }], API_ERROR),
  },
  {
    name: "a whole answer cut in the middle, and closed",
    whole: always([{ whole: "usual", share: 0.5 }, { then: "close" }], API_ERROR),
  },
  {
    name: "a whole answer cut in the middle, and reset",
    whole: always([{ whole: "usual", share: 0.5 }, { then: "reset" }], API_ERROR),
  },
  {
    name: "a whole answer that stops in the middle",
    whole: once([{ whole: "usual", share: 0.5 }, { then: "stall" }], {
      status: 504,
      error: "timeout_error",
    }, { passMs: 600_000 }),
  },
  {
    name: "a whole answer shorter than its length, that stays",
    whole: once([{ whole: "usual", told: 1 }, { then: "stall" }], {
      status: 504,
      error: "timeout_error",
    }, { passMs: 600_000 }),
  },
  {
    name: "a whole answer in a drip of single bytes",
    whole: once([{ whole: "usual", drip: true }], { served: true }),
  },
  {
    name: "a whole answer in a drip of single bytes that stops",
    whole: once([{ whole: "usual", drip: true, share: 0.9 }, { then: "stall" }], {
      status: 504,
      error: "timeout_error",
    }, { passMs: 600_000 }),
  },
  {
    name: "a whole answer of a gigabyte, as its length tells",
    whole: always([{ whole: "usual", told: 1e9 }, { then: "stall" }], API_ERROR),
  },
  {
    name: "a whole answer of another content type",
    whole: once([{ whole: "usual", type: "text/plain" }], { served: true }),
  },
];

const streamsOfAnotherKind: Fault[] = [
  {
    name: "a stream of another content type",
    streaming: once(
      [{ begin: "stream", type: "text/html" }, { records: "rest" }, { end: "body" }],
      {
        served: true,
      },
    ),
  },
  {
    name: "a whole message in the place of a stream of frames",
    routes: FRAMES,
    streaming: always([{ whole: "usual" }], API_ERROR),
  },
  {
    name: "a whole message in the place of a stream of events",
    routes: EVENTS,
    streaming: always([{ whole: "usual" }], API_ERROR),
  },
];

const informational: Fault[] = [
  {
    name: "100 before the answer",
    streaming: once([{ raw: "HTTP/1.1 100 Continue\r\n\r\n" }, ...STREAM], { served: true }),
    whole: once([{ raw: "HTTP/1.1 100 Continue\r\n\r\n" }, ...WHOLE], { served: true }),
  },
];

const tls: Fault[] = [
  ["closed in the handshake", [{ then: "close" }]] as const,
  ["reset in the handshake", [{ then: "reset" }]] as const,
  ["answered in plain text", [{ raw: "HTTP/1.1 400 Bad Request\r\n\r\n" }, {
    then: "close",
  }]] as const,
  ["an alert", [{ raw: "\x15\x03\x03\x00\x02\x02\x28" }, { then: "close" }]] as const,
  ["half a record", [{ raw: "\x16\x03\x03\x01" }, { then: "close" }]] as const,
].map(([name, acts]) => ({
  name: `TLS: ${name}`,
  tls: acts,
  ...both(always([], API_ERROR)),
}));

const tlsSilent: Fault = {
  name: "TLS: silence in the handshake",
  tls: [{ then: "stall" }],
  // Two tries fit into the time in which another may begin.
  ...both({
    tries: [[]],
    view: { status: 504, error: "timeout_error" },
    count: 2,
    passMsEach: 4_000,
  }),
};

/** The rows. */
export const TRANSPORT_FAULTS: readonly Fault[] = [
  ...beforeTheHead,
  ...heads,
  ...otherAnswers,
  ...statuses,
  ...errorsCut,
  ...wholes,
  ...streamsOfAnotherKind,
  ...informational,
  ...tls,
  tlsSilent,
];
