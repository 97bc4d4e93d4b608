/**
 * Which IP addresses are anybody's: what is fetched for a client must not reach into the gateway's own network.
 *
 * Source: IANA IPv4 and IPv6 Special-Purpose Address Registries.
 * @module
 */

/** IPv4 blocks that are not public: address and prefix length. */
const PRIVATE_V4: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["168.63.129.16", 32], // public by its number, but within Azure the host that a machine runs on
  ["169.254.0.0", 16], // link-local, and the metadata services of clouds
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
];

/** IPv6 blocks inside 2000::/3 that are not public, or hold an IPv4 address that may not be: first groups. */
const PRIVATE_V6: readonly (readonly [prefix: bigint, bits: number])[] = [
  [0x2001n << 112n, 23], // protocol assignments, Teredo among them
  [0x20010db8n << 96n, 32],
  [0x2002n << 112n, 16], // 6to4
  [0x3fffn << 112n, 20],
];

function v4Number(address: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(address);
  const parts = match?.slice(1).map(Number);
  if (parts === undefined || parts.some((part) => part > 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

function isPublicV4(value: number): boolean {
  return !PRIVATE_V4.some(([block, bits]) => {
    const size = 2 ** (32 - bits);
    return Math.floor(value / size) === Math.floor((v4Number(block) ?? 0) / size);
  });
}

function v6Number(address: string): bigint | undefined {
  let text = address.split("%", 1)[0] ?? "";
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (tail !== null) {
    const v4 = v4Number(tail[2] ?? "");
    if (v4 === undefined) return undefined;
    text = `${tail[1]}${(v4 >>> 16).toString(16)}:${(v4 & 0xffff).toString(16)}`;
  }
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const groups = (half: string | undefined) =>
    half === undefined || half === "" ? [] : half.split(":");
  const [head, rest] = [groups(halves[0]), groups(halves[1])];
  const missing = 8 - head.length - rest.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const all = [...head, ...Array<string>(missing).fill("0"), ...rest];
  if (!all.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  return all.reduce((sum, group) => (sum << 16n) + BigInt(`0x${group}`), 0n);
}

/** Whether an address is public. What is no address is not. IPv6 addresses that hold an IPv4 one are not. */
export function isPublicAddress(address: string): boolean {
  const v4 = v4Number(address);
  if (v4 !== undefined) return isPublicV4(v4);
  const v6 = v6Number(address);
  if (v6 === undefined || v6 >> 125n !== 1n) return false; // global unicast is 2000::/3, and nothing else is
  return !PRIVATE_V6.some(([prefix, bits]) =>
    v6 >> BigInt(128 - bits) === prefix >> BigInt(128 - bits)
  );
}
