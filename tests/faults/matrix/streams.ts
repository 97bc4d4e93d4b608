/**
 * Faults of a stream that nobody tells of: cut at each class of byte, corrupt, lying, silent, senseless.
 * @module
 */
import type { Corruption } from "../../../src/simulator/frames.ts";
import {
  type Act,
  always,
  type ByteClass,
  EVENTS,
  type Fault,
  FRAMES,
  once,
  type Play,
  type View,
} from "./fault.ts";

const API_ERROR: View = { status: 500, error: "api_error" };
const SERVED: View = { served: true };
const CUT: View = { began: true, error: "api_error" };

const BYTES: readonly ByteClass[] = [
  "first byte",
  "length",
  "prelude checksum",
  "headers",
  "payload",
  "checksum",
  "all but the last byte",
];

function begun(...acts: Act[]): Act[] {
  return [{ begin: "stream" }, { records: 4 }, ...acts];
}

/** Ways in which a stream that is cut can end. */
const ENDS: readonly (readonly [string, Act])[] = [
  ["the body ends", { end: "body" }],
  ["the connection closes", { then: "close" }],
  ["the connection is reset", { then: "reset" }],
];

const cuts: Fault[] = BYTES.flatMap((cutIn) =>
  ENDS.map(([how, end]): Fault => ({
    name: `cut in ${cutIn}: ${how}`,
    streaming: once(begun({ cutIn }, end), CUT),
  }))
);

const firstCuts: Fault[] = BYTES.map((cutIn) => ({
  name: `the first record cut in ${cutIn}`,
  streaming: always([{ begin: "stream" }, { cutIn }, { then: "close" }], API_ERROR),
}));

const betweenRecords: Fault[] = [
  ...ENDS.map(([how, end]): Fault => ({
    name: `cut between two records: ${how}`,
    streaming: once(begun(end), CUT),
  })),
  ...ENDS.map(([how, end]): Fault => ({
    name: `cut before the last record: ${how}`,
    routes: ["invoke", "messages", "mantle"],
    streaming: once([{ begin: "stream" }, { records: { allBut: 1 } }, end], CUT),
  })),
  {
    name: "cut before usage is told, behind the end of the message: the connection closes",
    routes: ["converse"],
    streaming: once([{ begin: "stream" }, { records: { allBut: 1 } }, { then: "close" }], CUT),
  },
  {
    name: "a stream that tells no usage",
    routes: ["converse"],
    streaming: once([{ begin: "stream" }, { records: { allBut: 1 } }, { end: "body" }], SERVED),
  },
  ...ENDS.map(([how, end]): Fault => ({
    name: `a stream without a record: ${how}`,
    streaming: always([{ begin: "stream" }, end], API_ERROR),
  })),
];

const CORRUPTIONS: readonly Corruption[] = [
  "crc",
  "prelude",
  "length",
  "headers",
  "payload",
  "longer",
  "shorter",
  "huge",
  "headers_longer",
  "no_room",
];

const corruptFrames: Fault[] = CORRUPTIONS.flatMap((corrupt): Fault[] => [
  {
    name: `a corrupt frame: ${corrupt}`,
    routes: FRAMES,
    streaming: once(begun({ corrupt }, { records: "rest" }, { end: "body" }), CUT),
  },
  {
    name: `a corrupt first frame: ${corrupt}`,
    routes: FRAMES,
    streaming: always(
      [{ begin: "stream" }, { corrupt }, { records: "rest" }, { end: "body" }],
      API_ERROR,
    ),
  },
]);

const corruptEvents: Fault[] = [
  {
    name: "an event that is no JSON",
    routes: EVENTS,
    streaming: once(begun({ corrupt: "json" }, { records: "rest" }, { end: "body" }), CUT),
  },
  {
    name: "a first event that is no JSON",
    routes: EVENTS,
    streaming: always(
      [{ begin: "stream" }, { corrupt: "json" }, { records: "rest" }, { end: "body" }],
      API_ERROR,
    ),
  },
];

const SILENT: View = { began: true, error: "timeout_error" };

const silence: Fault[] = [
  {
    name: "silence before the first record",
    streaming: once([{ begin: "stream" }, { then: "stall" }], {
      waited: true,
      error: "timeout_error",
    }, { passMs: 300_000 }),
  },
  {
    name: "silence in mid-stream",
    streaming: once(begun({ then: "stall" }), SILENT, { passMs: 300_000 }),
  },
  {
    name: "silence within a record",
    streaming: once(begun({ cutIn: "payload" }, { then: "stall" }), SILENT, { passMs: 300_000 }),
  },
  {
    name: "silence before the last record",
    streaming: once(
      [{ begin: "stream" }, { records: { allBut: 1 } }, { then: "stall" }],
      SILENT,
      { passMs: 300_000 },
    ),
  },
  {
    name: "silence behind the last record",
    streaming: once([{ begin: "stream" }, { records: "rest" }, { then: "stall" }], SERVED, {
      passMs: 1_000,
    }),
  },
];

function served(...acts: Act[]): Play {
  return once([{ begin: "stream" }, ...acts], SERVED);
}

const harmless: Fault[] = [
  { name: "a drip of single bytes", streaming: served({ drip: "rest" }, { end: "body" }) },
  {
    name: "a reset behind the last record",
    streaming: served({ records: "rest" }, { then: "reset" }),
  },
  {
    name: "a close behind the last record",
    streaming: served({ records: "rest" }, { then: "close" }),
  },
  {
    name: "junk behind the last record",
    streaming: served({ records: "rest" }, { text: "\x00\x01junk that is no record\x02" }, {
      end: "body",
    }),
  },
  {
    name: "a frame of a kind that is not known",
    routes: FRAMES,
    streaming: served(
      { records: 3 },
      { frame: "somethingNew", payload: '{"a":1}' },
      { records: "rest" },
      { end: "body" },
    ),
  },
  {
    name: "comments and events that are not known",
    routes: EVENTS,
    streaming: served(
      { records: 3 },
      { text: ": keep-alive\n\n" },
      { records: "rest" },
      { end: "body" },
    ),
  },
];

const senseless: Fault[] = [
  {
    name: "a payload that is no JSON, under right checksums",
    routes: ["converse"],
    streaming: once(
      begun({ frame: "contentBlockDelta", payload: "{no json" }, { records: "rest" }, {
        end: "body",
      }),
      CUT,
    ),
  },
  {
    name: "a chunk without bytes",
    routes: ["invoke"],
    streaming: once(
      begun({ frame: "chunk", payload: "{}" }, { records: "rest" }, { end: "body" }),
      CUT,
    ),
  },
  {
    name: "a chunk that is no base64",
    routes: ["invoke"],
    streaming: once(
      begun({ frame: "chunk", payload: '{"bytes":"%%%"}' }, { records: "rest" }, { end: "body" }),
      CUT,
    ),
  },
  {
    name: "a chunk whose event has no type",
    routes: ["invoke"],
    streaming: once(
      begun({ frame: "chunk", payload: '{"bytes":"e30="}' }, { records: "rest" }, { end: "body" }),
      CUT,
    ),
  },
  {
    name: "a payload of nothing",
    routes: FRAMES,
    streaming: once(
      begun({ frame: "contentBlockDelta", payload: "" }, { frame: "chunk", payload: "" }, {
        records: "rest",
      }, { end: "body" }),
      CUT,
    ),
  },
];

/** The rows. */
export const STREAM_FAULTS: readonly Fault[] = [
  ...cuts,
  ...firstCuts,
  ...betweenRecords,
  ...corruptFrames,
  ...corruptEvents,
  ...silence,
  ...harmless,
  ...senseless,
];
