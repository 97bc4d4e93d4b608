/**
 * Pictures and documents as Converse wants them.
 *
 * Source: Bedrock API reference, ImageBlock and DocumentBlock ([T]).
 * @module
 */
import { ApiError } from "../../anthropic/error.ts";
import { checkList, checkName, checkObject, checkString } from "../../anthropic/field.ts";
import type { ContentBlock } from "../../anthropic/types.ts";

/** A content block of Converse. */
export type ConverseBlock = Readonly<Record<string, unknown>>;

const DOCUMENT_FORMATS: ReadonlyMap<unknown, string> = new Map(Object.entries({
  "application/pdf": "pdf",
  "text/plain": "txt",
  "text/csv": "csv",
  "text/html": "html",
  "text/markdown": "md",
  "application/msword": "doc",
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
  "application/vnd.ms-excel": "xls",
  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}));

/** Base64 of the first bytes of each format: a media type that lies is refused by Bedrock, the bytes are not. */
const MAGIC: readonly (readonly [prefix: string, format: string])[] = [
  ["iVBORw0KGgo", "png"],
  ["/9j/", "jpeg"],
  ["R0lGOD", "gif"],
  ["UklGR", "webp"],
];
const IMAGE_FORMATS: ReadonlyMap<unknown, string> = new Map(Object.entries({
  "image/png": "png",
  "image/jpeg": "jpeg",
  "image/jpg": "jpeg",
  "image/gif": "gif",
  "image/webp": "webp",
}));

/** Blocks that can be nothing but text; empty ones are left out. */
function textsOf(content: unknown, path: string): { text: string }[] {
  return checkList(content, path).flatMap((item, index) => {
    const { type, text } = checkObject(item, `${path}.${index}`);
    if (type !== "text") {
      throw new ApiError(
        "invalid_request_error",
        `${path}.${index}.type: only text can stand here on this route`,
      );
    }
    const words = checkString(text, `${path}.${index}.text`);
    return words.trim() === "" ? [] : [{ text: words }];
  });
}

interface Source {
  readonly type?: unknown;
  readonly media_type?: unknown;
  readonly data?: unknown;
  readonly content?: unknown;
}

function refuseSource(path: string, type: unknown): never {
  throw new ApiError(
    "invalid_request_error",
    `${path}.source.type: '${
      String(type)
    }' sources are not available here: send the content as base64`,
  );
}

/** An image block. */
export function imageBlock(block: ContentBlock, path: string): ConverseBlock {
  const source = block.source as Source;
  if (source.type !== "base64") return refuseSource(path, source.type);
  const data = String(source.data);
  const format = MAGIC.find(([prefix]) => data.startsWith(prefix))?.[1] ??
    IMAGE_FORMATS.get(source.media_type);
  if (format === undefined) {
    throw new ApiError(
      "invalid_request_error",
      `${path}.source.media_type: Input should be ${[...IMAGE_FORMATS.keys()].join(", ")}`,
    );
  }
  return { image: { format, source: { bytes: data } } };
}

/** Names of documents, as Converse takes them: each once in a request. */
export class DocumentNames {
  readonly #used = new Set<string>();

  /** The title in letters, digits, single spaces, `-`, `()` and `[]`; a number behind it where it was used before. */
  take(title: unknown): string {
    const wanted = typeof title === "string" ? title : "";
    const legal = wanted.replace(/[^a-zA-Z0-9\s\-()[\]]/g, " ").replace(/\s+/g, " ").trim().slice(
      0,
      180,
    );
    const base = legal === "" ? "document" : legal;
    let name = base;
    for (let count = 2; this.#used.has(name); count++) name = `${base} ${count}`;
    this.#used.add(name);
    return name;
  }
}

function documentSource(source: Source, path: string): { format: string; source: ConverseBlock } {
  if (source.type === "base64") {
    const format = DOCUMENT_FORMATS.get(source.media_type);
    if (format !== undefined) return { format, source: { bytes: String(source.data) } };
    throw new ApiError(
      "invalid_request_error",
      `${path}.source.media_type: Input should be 'application/pdf'`,
    );
  }
  if (source.type === "text") return { format: "txt", source: { text: String(source.data) } };
  if (source.type === "content") {
    const content = typeof source.content === "string"
      ? [{ text: source.content }]
      : textsOf(source.content, `${path}.source.content`);
    return { format: "txt", source: { content } };
  }
  return refuseSource(path, source.type);
}

/** A document block. */
export function documentBlock(
  block: ContentBlock,
  path: string,
  { names, cites }: { names: DocumentNames; cites: boolean },
): ConverseBlock {
  const { format, source } = documentSource(block.source as Source, path);
  return {
    document: {
      format,
      name: names.take(block.title),
      source,
      ...(typeof block.context === "string" && block.context !== ""
        ? { context: block.context }
        : {}),
      ...(cites && asksToCite(block) ? { citations: { enabled: true } } : {}),
    },
  };
}

/** Whether a document or search result is to be cited. */
export function asksToCite({ citations }: ContentBlock): boolean {
  return (citations as { enabled?: unknown } | null | undefined)?.enabled === true;
}

/** A search result, and whether it may be cited. */
export interface SearchResult {
  /** Where it is from. */
  readonly source: string;
  /** Its title. */
  readonly title: string;
  /** Its text. */
  readonly content: readonly { readonly text: string }[];
  /** Whether citations are asked for. */
  readonly cited: boolean;
}

/**
 * Reads a search result block.
 *
 * @throws {ApiError} `invalid_request_error` that names the field
 */
export function readSearchResult(block: ContentBlock, path: string): SearchResult {
  return {
    source: checkName(block.source, `${path}.source`),
    title: checkName(block.title, `${path}.title`),
    content: textsOf(block.content, `${path}.content`),
    cited: asksToCite(block),
  };
}

/** A search result block. */
export function searchResultBlock({ cited, ...result }: SearchResult): ConverseBlock {
  return { searchResult: { ...result, ...(cited ? { citations: { enabled: true } } : {}) } };
}

/** A search result for models that have no such block. */
export function searchResultText({ title, source, content }: SearchResult): ConverseBlock {
  return { text: `${title} (${source})\n${content.map(({ text }) => text).join("\n")}` };
}
