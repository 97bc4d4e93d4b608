/**
 * How the code reads, executed rather than asked for: a plugin of `deno lint`.
 *
 * - `outcrop/max-lines`: a file has at most 300 lines.
 * - `outcrop/error-message`: an error's message begins with a capital letter and has no final period.
 * - `outcrop/no-empty-catch`: a failure is handled, or told why it need not be.
 * - `outcrop/no-console`: output goes through the terminal or the log.
 * @module
 */

const MOST_LINES = 300;
const ERRORS = new Set(["Error", "TypeError", "RangeError", "SyntaxError"]);

/** Literal text at the beginning and at the end of a message; undefined where it is not literal. */
function literalEnds(
  node: Deno.lint.Expression,
): { start: string | undefined; end: string | undefined } {
  if (node.type === "Literal" && typeof node.value === "string") {
    return { start: node.value, end: node.value };
  }
  if (node.type === "TemplateLiteral") {
    const first = node.quasis[0]?.cooked ?? "";
    const last = node.quasis.at(-1)?.cooked ?? "";
    return { start: first === "" ? undefined : first, end: last === "" ? undefined : last };
  }
  if (node.type === "BinaryExpression" && node.left.type !== "PrivateIdentifier") {
    return { start: literalEnds(node.left).start, end: literalEnds(node.right).end };
  }
  return { start: undefined, end: undefined };
}

const plugin: Deno.lint.Plugin = {
  name: "outcrop",
  rules: {
    "max-lines": {
      create(context) {
        return {
          Program(node) {
            const lines = context.sourceCode.text.trimEnd().split("\n").length;
            if (lines <= MOST_LINES) return;
            context.report({
              node,
              message: `A file must have at most ${MOST_LINES} lines: this one has ${lines}`,
              hint: "Give what has a reason of its own to change a file of its own",
            });
          },
        };
      },
    },
    "error-message": {
      create(context) {
        return {
          NewExpression(node) {
            const { callee } = node;
            if (callee.type !== "Identifier" || !ERRORS.has(callee.name)) return;
            const message = node.arguments[0];
            if (message === undefined || message.type === "SpreadElement") return;
            const { start, end } = literalEnds(message);
            if (start !== undefined && !/^\p{Lu}/u.test(start)) {
              context.report({
                node: message,
                message:
                  "An error's message must begin with a capital letter: name the action that failed first",
              });
            }
            if (end !== undefined && /\.$/.test(end)) {
              context.report({
                node: message,
                message: "An error's message must not end with a period",
              });
            }
          },
        };
      },
    },
    "no-empty-catch": {
      create(context) {
        return {
          CatchClause(node) {
            if (node.body.body.length > 0) return;
            context.report({
              node,
              message: "A catch must do something with the failure",
              hint: "Handle it, throw it on with its cause, or return what stands for it",
            });
          },
        };
      },
    },
    "no-console": {
      create(context) {
        return {
          MemberExpression(node) {
            if (node.object.type !== "Identifier" || node.object.name !== "console") return;
            context.report({
              node,
              message: "Output must go through src/cli/terminal.ts or the log",
            });
          },
        };
      },
    },
  },
};

export default plugin;
