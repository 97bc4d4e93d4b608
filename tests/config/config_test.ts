import assert from "node:assert/strict";
import { knownKeys } from "../../src/config/known_keys.ts";
import { DEFAULT_PLUGINS } from "../../src/config/schema.ts";
import { ConfigError, loadConfig, parseConfig } from "../../src/config/load.ts";
import { CONFIG_TEMPLATE } from "../../src/config/template.ts";

const ENV: Record<string, string> = { PORT: "9001", DIGITS: "12345", EMPTY: "", HOST: "0.0.0.0" };
const env = (name: string) => ENV[name];
const parse = (text: string) => parseConfig(text, { file: "config.yaml", env });

/** What is wrong, and each line of the message. */
const WRONG: Record<string, [text: string, ...lines: RegExp[]]> = {
  "an unknown key": [
    "modles: {}",
    /^config\.yaml:1:1 modles: unknown key 'modles': did you mean 'models'\?$/,
  ],
  "an unknown key far down": [
    "listen:\n  host: a\n  prt: 3\n",
    /^config\.yaml:3:3 listen\.prt: unknown key 'prt': did you mean 'port'\?$/,
  ],
  "an unknown key like no other": [
    "log:\n  zzzzzzzz: 1",
    /^config\.yaml:2:3 log\.zzzzzzzz: unknown key 'zzzzzzzz': known here: level, format$/,
  ],
  "a wrong type": [
    "listen:\n  port: abc",
    /^config\.yaml:2:3 listen\.port: expected number, received string: it is "abc"$/,
  ],
  "a number out of bounds": [
    "listen:\n  port: 70000",
    /^config\.yaml:2:3 listen\.port: .*65535.*: it is 70000$/,
  ],
  "a wrong word": [
    "models:\n  claude_route: converze",
    /^config\.yaml:2:3 models\.claude_route: expected one of .*"converse".*: it is "converze"$/,
  ],
  "an endpoint that is no URL": ["aws:\n  endpoint: foo", /^config\.yaml:2:3 aws\.endpoint: /],
  "a region that is none": [
    "aws: { region: Europe }",
    /^config\.yaml:1:8 aws\.region: expected an AWS region such as us-east-1: it is "Europe"$/,
  ],
  "a role that is no ARN": [
    "aws:\n  role_arn: admin",
    /^config\.yaml:2:3 aws\.role_arn: expected the ARN of an IAM role: it is "admin"$/,
  ],
  "an alias without a model": [
    "models:\n  aliases:\n    a: { tier: flex }",
    /^config\.yaml:3:5 models\.aliases\.a\.model: expected string, .*: nothing is there$/,
  ],
  "a fault inside an alias": [
    "models:\n  aliases:\n    a:\n      model: x\n      tier: cheap",
    /^config\.yaml:5:7 models\.aliases\.a\.tier: expected one of .*: it is "cheap"$/,
  ],
  "an alias of the wrong kind": [
    "models:\n  aliases:\n    a: 3",
    /^config\.yaml:3:5 models\.aliases\.a: expected a model, or \{ model, .*: it is 3$/,
  ],
  "an unknown key inside an alias": [
    "models:\n  aliases:\n    a: { model: x, rout: converse }",
    /^config\.yaml:3:20 models\.aliases\.a\.rout: unknown key 'rout': did you mean 'route'\?$/,
  ],
  "a rule on betas without its action": [
    "models:\n  betas:\n    new-*:\n      - { routes: [invoke] }",
    /^config\.yaml:4:9 models\.betas\.new-\*\.0\.action: .*nothing is there$/,
  ],
  "a beta that could not stand in a header": [
    'models:\n  betas:\n    a: "b, c"',
    /^config\.yaml:3:5 models\.betas\.a: expected forward, drop or another name, or a list of/,
  ],
  "a tier that does not exist": [
    "tiers: { default: cheap }",
    /^config\.yaml:1:10 tiers\.default: expected one of .*"flex"/,
  ],
  "a store that does not exist": [
    "store:\n  use: redis",
    /^config\.yaml:2:3 store\.use: expected use: memory, use: deno_kv or use: dynamodb: it is "redis"$/,
  ],
  "a table that DynamoDB would not name so": [
    "store:\n  use: dynamodb\n  table: my table",
    /^config\.yaml:3:3 store\.table: expected 3 to 255 letters, digits, .*: it is "my table"$/,
  ],
  "a key of another kind of store": [
    "store:\n  use: memory\n  path: keys.db",
    /^config\.yaml:3:3 store\.path: unknown key 'path': known here: use\b/,
  ],
  "more workers than there can be": [
    "listen:\n  workers: 1000",
    /^config\.yaml:2:3 listen\.workers: expected a whole number from 1 to 256, or auto: one for each core: it is 1000$/,
  ],
  "a time that is none": [
    "store:\n  use: deno_kv\n  keys_valid_while_down: 0s",
    /^config\.yaml:3:3 store\.keys_valid_while_down: expected a duration such as 30s, 15m or 12h: it is "0s"$/,
  ],
  "workers that would not share their store": [
    "listen: { workers: auto }\nstore: { use: memory }",
    /^config\.yaml:2:10 store\.use: expected a store that workers share, such as deno_kv, or listen\.workers: 1: each worker would have keys and limits of its own/,
  ],
  "a plugin without a name": [
    "plugins:\n  - with: {}",
    /^config\.yaml:2:5 plugins\.0\.use: expected string, received undefined: nothing is there$/,
  ],
  "a policy that does not exist": [
    "plugins:\n  - use: auth\n    on_error: ignore",
    /^config\.yaml:3:5 plugins\.0\.on_error: expected one of .*: it is "ignore"$/,
  ],
  "a list where a map must be": ["- 1", /^config\.yaml:1:1 expected object, received array$/],
  "text that is no YAML": ["a: [", /^config\.yaml:\d+:\d+ not valid YAML: /],
  "a key that stands twice": [
    "log: {}\nlog: {}",
    /^config\.yaml:2:1 this key stands twice: keep one$/,
  ],
  "a variable that is not set": [
    "aws:\n  region: ${NOWHERE}",
    /^config\.yaml:2:11 aws\.region: environment variable NOWHERE is not set: set it, or give a default as \$\{NOWHERE:-default\}$/,
  ],
  "a variable that is not set, beside another fault": [
    "plugins:\n  - use: auth\n    with:\n      master_key: ${NOWHERE}\nlog:\n  level: loud",
    /^config\.yaml:4:19 plugins\.0\.with\.master_key: environment variable NOWHERE is not set/,
    /^config\.yaml:6:3 log\.level: /,
  ],
  "a variable that is not written as one": [
    "plugins:\n  - use: auth\n    with:\n      master_key: ${KEY-abc}",
    /^config\.yaml:4:19 plugins\.0\.with\.master_key: this '\$\{' begins no variable: write /,
  ],
  "a variable whose value YAML takes for an alias": [
    "listen:\n  port: ${NOWHERE:-*x}",
    /^config\.yaml:2:3 listen\.port: expected number, received string: it is "\*x"$/,
  ],
  "a glob without quotes": [
    "models:\n  aliases:\n    *haiku*: x",
    /^config\.yaml:3:14 not valid YAML: .*: put quotes around a text that begins with \*$/,
  ],
  "an alias of YAML without its anchor": [
    "log: *nope",
    /^config\.yaml:1:6 no anchor &nope stands before \*nope: put quotes /,
  ],
  "anchors that multiply": [
    "a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c]",
    /^config\.yaml:1:1 anchors are used too often: write out what they stand for$/,
  ],
  "a variable that YAML takes for a map": [
    "listen: { port: ${PORT} }",
    /not valid YAML: .*: put quotes around a \$\{…\} inside \{ \} or \[ \]$/,
    /./,
    /./,
  ],
  "a variable of the wrong type": [
    "listen:\n  port: ${HOST}",
    /^config\.yaml:2:3 listen\.port: expected number, received string: it is "0\.0\.0\.0"$/,
  ],
  "two faults at once": [
    "listen:\n  port: x\nlog:\n  level: loud",
    /^config\.yaml:2:3 listen\.port: /,
    /^config\.yaml:4:3 log\.level: /,
  ],
};

for (const [what, [text, ...lines]] of Object.entries(WRONG)) {
  Deno.test(`parseConfig() tells the place of ${what}`, () => {
    assert.throws(() => parse(text), (error: Error) => {
      assert.ok(error instanceof ConfigError);
      const told = error.message.split("\n");
      assert.equal(told.length, lines.length, error.message);
      told.forEach((line, index) => assert.match(line, lines[index] ?? /^$/));
      return true;
    });
  });
}

Deno.test("parseConfig() takes an empty text for all defaults, and freezes what it gives", () => {
  const { config } = parse("");
  assert.equal(config.listen.port, 8000);
  assert.equal(config.listen.host, "127.0.0.1");
  assert.deepEqual(config.plugins, DEFAULT_PLUGINS.map((use) => ({ use })));
  assert.throws(() => Object.assign(config.listen, { port: 1 }), TypeError);
});

Deno.test("parseConfig() puts variables in place, with the type that the schema wants", () => {
  const { config } = parse(
    'listen:\n  port: ${PORT}\n  host: "${DIGITS}"\naws:\n  region: us-${SIDE:-west}-2\n  profile: ${EMPTY:-}\nlog:\n  level: ${LEVEL:-debug}\n',
  );
  assert.deepEqual([config.listen.port, config.listen.host], [9001, "12345"]);
  assert.deepEqual([config.aws.region, config.aws.profile], ["us-west-2", null]);
  assert.equal(config.log.level, "debug");
});

Deno.test("parseConfig() leaves $${ as it is, and variables in keys and comments alone", () => {
  const { config } = parse(
    '# ${NOWHERE}\nmodels:\n  aliases:\n    a: sim.$${x}\n    "${k}": sim.echo\n',
  );
  assert.deepEqual(config.models.aliases, { a: "sim.${x}", "${k}": "sim.echo" });
});

Deno.test("parseConfig() resolves paths against the file", () => {
  const { config } = parseConfig(
    "store: { use: deno_kv, path: ./a/keys.db }\nplugins: [{ use: ./mine.ts }, { use: auth }]",
    {
      file: "/etc/outcrop/config.yaml",
      env,
    },
  );
  assert.deepEqual(config.store, {
    use: "deno_kv",
    path: "/etc/outcrop/a/keys.db",
    journal: "/etc/outcrop/a/keys.journal",
    journal_mb: 1_024,
    keys_valid_while_down: "15m",
  });
  assert.deepEqual(config.plugins.map(({ use }) => use), ["/etc/outcrop/mine.ts", "auth"]);
});

Deno.test("parseConfig() puts the journal beside the store, where it is told, or nowhere", () => {
  const journalOf = (store: string) => {
    const { config } = parseConfig(`store: { use: deno_kv, ${store} }`, {
      file: "/etc/c.yaml",
      env,
    });
    return config.store.use === "memory" ? undefined : config.store.journal;
  };
  assert.deepEqual(
    ["", "path: /data/a", "path: ':memory:'", "journal: ./j", "journal: /j", "journal: null"]
      .map(journalOf),
    ["/etc/outcrop.journal", "/data/a.journal", null, "/etc/j", "/j", null],
  );
});

Deno.test("loadConfig() says how to get a file that is not there", () => {
  assert.throws(
    () => loadConfig("/nowhere/config.yaml", { env }),
    /^ConfigError: \/nowhere\/config\.yaml:1:1 the file is not there: 'outcrop init' writes one/,
  );
});

Deno.test("the shipped config.yaml is what the defaults are", () => {
  const shipped = parseConfig(CONFIG_TEMPLATE, { file: "/srv/config.yaml", env: () => undefined });
  const defaults = parseConfig("", { file: "/srv/config.yaml", env: () => undefined });
  assert.deepEqual(shipped.config, defaults.config);
});

Deno.test("the shipped config.yaml tells of every key", () => {
  const tops = knownKeys([]);
  const keys = [
    ...tops,
    ...tops.flatMap((top) => knownKeys([top])),
    ...knownKeys(["models", "aliases", "any"]),
    ...knownKeys(["tiers", "rules", 0]),
    ...knownKeys(["plugins", 0]),
    ...knownKeys(["aws", "endpoint"]),
  ];
  assert.ok(keys.length > 35);
  for (const key of keys) assert.match(CONFIG_TEMPLATE, new RegExp(`(^|[\\s{#])${key}:`, "m"), key);
});

Deno.test("the shipped config.yaml is valid with every commented line in use, and uses every key then", () => {
  // Prose has one space behind its #, a setting the indentation of its place.
  const settings = /^# (?= {2,})/gm;
  const text = CONFIG_TEMPLATE.replace(settings, "");
  const { config, locate } = parseConfig(text, { file: "/srv/config.yaml", env: () => undefined });
  assert.deepEqual(Object.keys(config.models.aliases).length, 3);
  assert.deepEqual(config.tiers.rules, [{ models: "qwen.*", tier: "flex" }]);
  assert.deepEqual(config.plugins.map(({ use }) => use), [
    ...DEFAULT_PLUGINS,
    "/srv/plugins/my_policy.ts",
  ]);
  const paths = [
    ...knownKeys([]).flatMap((top) =>
      knownKeys([top], top === "store" ? config.store.use : undefined).map((key) => [top, key])
    ),
    ...knownKeys(["tiers", "rules", 0]).map((key) => ["tiers", "rules", 0, key]),
    ...knownKeys(["plugins", 0]).map((key) => ["plugins", DEFAULT_PLUGINS.length - 1, key]),
  ];
  for (const path of paths) {
    const { line, column } = locate(path);
    const there = text.split("\n")[line - 1]?.slice(column - 1) ?? "";
    assert.ok(there.startsWith(`${path.at(-1)}:`), `${path.join(".")} is not in use: ${there}`);
  }
});
