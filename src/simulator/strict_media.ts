/**
 * Refuses pictures and documents that Converse refuses, in its words.
 *
 * Source: Bedrock API reference, ImageBlock and DocumentBlock; exact wording as recorded.
 * @module
 */
import { type Json, object, objects, words } from "./conversation.ts";
import { validation } from "./coral.ts";

const MOST_IMAGES = 20;
const MOST_DOCUMENTS = 5;
const DOCUMENT_FORMATS = /^(pdf|csv|doc|docx|xls|xlsx|html|txt|md)$/;
const DOCUMENT_NAME = /^(?!.*\s\s)[a-zA-Z0-9\s\-()[\]]{1,200}$/;

function checkImage(image: Json): void {
  if (!/^(png|jpeg|gif|webp)$/.test(words(image.format))) {
    throw validation(
      `Value '${
        words(image.format)
      }' at 'image.format' failed to satisfy constraint: Member must satisfy enum value set: [png, jpeg, gif, webp]`,
    );
  }
}

function checkDocument(document: Json): void {
  if (!DOCUMENT_NAME.test(words(document.name))) {
    throw validation(
      "The document file name can only contain alphanumeric characters, whitespace characters, hyphens, parentheses, and square brackets. The name can't contain more than one consecutive whitespace character.",
    );
  }
  if (document.format !== undefined && !DOCUMENT_FORMATS.test(words(document.format))) {
    throw validation(
      `Value '${words(document.format)}' at 'document.format' failed to satisfy constraint`,
    );
  }
  const { bytes } = object(document.source);
  if (bytes !== undefined && document.citations !== undefined && document.format !== "pdf") {
    throw validation(
      "The model returned the following errors: messages.0.content.1.image.source.bytes: The PDF specified was not valid.",
    );
  }
}

/**
 * Checks the pictures and documents of a request.
 *
 * @throws {CoralError} In Bedrock's words
 */
export function checkMedia(messages: readonly Json[]): void {
  const names: string[] = [];
  let images = 0;
  for (const { content } of messages) {
    const outer = objects(content);
    const inner = outer.flatMap(({ toolResult }) => objects(object(toolResult).content));
    if (inner.some(({ document }) => object(document).citations !== undefined)) {
      throw validation("Citations are not supported in tool result documents.");
    }
    for (const { image, document } of [...outer, ...inner]) {
      if (image !== undefined) {
        images++;
        checkImage(object(image));
      }
      if (document === undefined) continue;
      names.push(words(object(document).name));
      checkDocument(object(document));
    }
    const bare = outer.some(({ document }) => document !== undefined) &&
      !outer.some(({ text }) => text !== undefined);
    if (bare) {
      throw validation("A text block is required in a message that contains a document.");
    }
  }
  if (new Set(names).size < names.length) {
    throw validation("The messages contain documents of the same name: each must have its own.");
  }
  if (images > MOST_IMAGES) throw validation(`A maximum of ${MOST_IMAGES} images may be provided.`);
  if (names.length > MOST_DOCUMENTS) {
    throw validation(`A maximum of ${MOST_DOCUMENTS} documents may be provided.`);
  }
}
