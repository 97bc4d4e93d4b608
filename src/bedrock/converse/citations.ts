/**
 * Converse's citations as Anthropic's.
 *
 * Source: Bedrock API reference, Citation and CitationLocation ([T]); Anthropic, Citations ([T]).
 * @module
 */

interface Location {
  readonly documentIndex?: number;
  readonly searchResultIndex?: number;
  readonly start?: number;
  readonly end?: number;
  readonly url?: string;
}

interface ConverseCitation {
  readonly title?: string;
  readonly source?: string;
  readonly sourceContent?: readonly { readonly text?: string }[];
  readonly location?: Readonly<Record<string, Location | undefined>>;
}

/** Members of a JSON object. */
export type Members = Readonly<Record<string, unknown>>;

/** By the kind of location. */
const LOCATIONS: Readonly<
  Record<string, (location: Location, citation: ConverseCitation) => Members>
> = {
  documentChar: ({ documentIndex, start, end }, { title }) => ({
    type: "char_location",
    document_index: documentIndex ?? 0,
    document_title: title ?? null,
    start_char_index: start ?? 0,
    end_char_index: end ?? 0,
    file_id: null,
  }),
  documentPage: ({ documentIndex, start, end }, { title }) => ({
    type: "page_location",
    document_index: documentIndex ?? 0,
    document_title: title ?? null,
    start_page_number: start ?? 1,
    end_page_number: end ?? 1,
    file_id: null,
  }),
  documentChunk: ({ documentIndex, start, end }, { title }) => ({
    type: "content_block_location",
    document_index: documentIndex ?? 0,
    document_title: title ?? null,
    start_block_index: start ?? 0,
    end_block_index: end ?? 0,
    file_id: null,
  }),
  searchResultLocation: ({ searchResultIndex, start, end }, { title, source }) => ({
    type: "search_result_location",
    search_result_index: searchResultIndex ?? 0,
    source: source ?? "",
    title: title ?? null,
    start_block_index: start ?? 0,
    end_block_index: end ?? 0,
  }),
  web: ({ url }, { title }) => ({
    type: "web_search_result_location",
    url: url ?? "",
    title: title ?? null,
    encrypted_index: "",
  }),
};

/** By the kind of citation. */
const TO_LOCATION: Readonly<Record<string, (citation: Members) => Members>> = {
  char_location: (citation) => ({
    documentChar: {
      documentIndex: citation.document_index,
      start: citation.start_char_index,
      end: citation.end_char_index,
    },
  }),
  page_location: (citation) => ({
    documentPage: {
      documentIndex: citation.document_index,
      start: citation.start_page_number,
      end: citation.end_page_number,
    },
  }),
  content_block_location: (citation) => ({
    documentChunk: {
      documentIndex: citation.document_index,
      start: citation.start_block_index,
      end: citation.end_block_index,
    },
  }),
  search_result_location: (citation) => ({
    searchResultLocation: {
      searchResultIndex: citation.search_result_index,
      start: citation.start_block_index,
      end: citation.end_block_index,
    },
  }),
  web_search_result_location: ({ url }) => ({ web: { url } }),
};

/** Converse's citation of Anthropic's. */
export function toConverseCitation(citation: unknown): Members {
  const given = (citation ?? {}) as Members;
  const title = given.document_title ?? given.title;
  const { type } = given;
  const known = typeof type === "string" && Object.hasOwn(TO_LOCATION, type);
  const toLocation = known ? TO_LOCATION[type] : undefined;
  return {
    ...(typeof title === "string" ? { title } : {}),
    ...(typeof given.source === "string" ? { source: given.source } : {}),
    ...(typeof given.cited_text === "string"
      ? { sourceContent: [{ text: given.cited_text }] }
      : {}),
    ...(toLocation === undefined ? {} : { location: toLocation(given) }),
  };
}

/** Anthropic's citation; undefined for a kind of location that Anthropic has no name for. */
export function citationOf(citation: unknown): Members | undefined {
  const given = (citation ?? {}) as ConverseCitation;
  for (const [kind, location] of Object.entries(given.location ?? {})) {
    const map = LOCATIONS[kind];
    if (map === undefined || location === undefined) continue;
    const cited_text = (given.sourceContent ?? []).map(({ text }) => text ?? "").join("");
    return { ...map(location, given), cited_text };
  }
  return undefined;
}
