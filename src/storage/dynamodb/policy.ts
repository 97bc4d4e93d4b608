/**
 * What the store asks IAM for.
 * @module
 */

/** A statement of an IAM policy. */
export interface PolicyStatement {
  /** Its name. */
  readonly Sid: string;
  /** Always `Allow`. */
  readonly Effect: "Allow";
  /** What may be done. */
  readonly Action: readonly string[];
  /** To what. */
  readonly Resource: string;
  /** With which keys only. */
  readonly Condition?: Readonly<Record<string, unknown>>;
}

/** An IAM policy. */
export interface Policy {
  /** IAM's language. */
  readonly Version: "2012-10-17";
  /** What is allowed. */
  readonly Statement: readonly PolicyStatement[];
}

/** What a server and the commands do; a transaction is allowed by the actions that it consists of. */
const SERVE = [
  "dynamodb:BatchGetItem",
  "dynamodb:BatchWriteItem",
  "dynamodb:DeleteItem",
  "dynamodb:GetItem",
  "dynamodb:PutItem",
  "dynamodb:Query",
  "dynamodb:UpdateItem",
];
/** What `outcrop store init` does besides. */
const INIT = [
  "dynamodb:CreateTable",
  "dynamodb:DescribeTable",
  "dynamodb:DescribeTimeToLive",
  "dynamodb:UpdateTimeToLive",
];

/** The ARN of a table, in whichever account the credentials are of. */
export function tableArn(table: string, region: string): string {
  const partition = region.startsWith("cn-")
    ? "aws-cn"
    : region.startsWith("us-gov-")
    ? "aws-us-gov"
    : "aws";
  return `arn:${partition}:dynamodb:${region}:*:table/${table}`;
}

/** The policy that serving needs, and, apart from it, what making the table needs. */
export function storePolicy(arn: string, prefix: string): Policy {
  const only = prefix === "" ? {} : {
    Condition: { "ForAllValues:StringLike": { "dynamodb:LeadingKeys": [`${prefix}*`] } },
  };
  return {
    Version: "2012-10-17",
    Statement: [
      { Sid: "OutcropStore", Effect: "Allow", Action: SERVE, Resource: arn, ...only },
      { Sid: "OutcropStoreInit", Effect: "Allow", Action: INIT, Resource: arn },
    ],
  };
}
