import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { run } from "./support.ts";

const QUIET = `
communications:
  enabled: true
  backends:
    quiet: { type: noop, labels: [alerts, page] }
    loud: { type: noop, labels: [page], min_severity: error }
    off: { type: noop, labels: [alerts], enabled: false }
`;
const files = { "posthorn.yaml": QUIET };

describe("runCli", () => {
  it("runCli() lists its commands", async () => {
    for (const args of [["--help"], ["-h"], ["help"]]) {
      const { code, out } = await run(args);
      assert.equal(code, 0);
      assert.match(out, /^Usage: posthorn COMMAND/);
      for (const name of ["send", "check", "explain"]) assert.match(out, new RegExp(`^  ${name} `, "m"));
    }
    const without = await run([]);
    assert.equal(without.code, 2);
    assert.match(without.err, /^Usage/);
  });

  it("runCli() explains each command", async () => {
    for (const name of ["send", "check", "explain"]) {
      for (const args of [[name, "--help"], [name, "-h"], ["help", name]]) {
        const { code, out, err } = await run(args);
        assert.deepEqual([code, err], [0, ""]);
        assert.match(out, new RegExp(`^Usage: posthorn ${name} `, "m"));
        assert.match(out, /-c, --config FILE/);
        assert.match(out, /exit code/);
      }
    }
  });

  it("runCli() says what is wrong with a call, with code 2 and one line of help", async () => {
    const table: readonly (readonly [readonly string[], string])[] = [
      [["sned"], "posthorn: unknown command sned; did you mean send?"],
      [["frobnicate"], "posthorn: unknown command frobnicate; posthorn --help lists them"],
      [["constructor"], "posthorn: unknown command constructor; posthorn --help lists them"],
      [["send", "--lable", "x"], "posthorn send: unknown option --lable; did you mean --label?"],
      [["send", "-x"], "posthorn send: unknown option -x"],
      [["send", "--label"], "posthorn send: --label needs a value: --label LABEL"],
      [["send", "-l", "a", "-l", "b", "x"], "posthorn send: -l is given twice"],
      [["check", "--json=yes"], "posthorn check: --json takes no value"],
      [["check", "a.yaml"], "posthorn check: check takes no text; name the file with --config FILE"],
      [["explain", "two", "texts"], "posthorn explain: more than one text: put it in quotes"],
      [["send", "two", "texts"], "posthorn send: more than one text: put it in quotes"],
      [["send"], 'posthorn send: there is no text: posthorn send --label LABEL "TEXT"'],
      [["send", "-s", "warn", "x"], "posthorn send: --severity must be one of debug, info, warning, error, critical"],
      [["send", "-s", "eror", "x"], "did you mean error?"],
      [["send", "--timeout", "soon", "x"], "posthorn send: --timeout must be a time such as 30s or 5m"],
      [["check", "-c", "no.yaml"], "posthorn check: cannot read no.yaml: there is no such file"],
      [["send", "--env-file", "no.env", "x"], "posthorn send: cannot read no.env: there is no such file"],
    ];
    for (const [args, said] of table) {
      const { code, out, err } = await run(args, { files });
      assert.deepEqual([code, out], [2, ""], args.join(" "));
      assert.ok(err.includes(said), `${args.join(" ")}: ${err}`);
      assert.ok(err.split("\n").length <= 3, err);
    }
    const { err } = await run(["check"]);
    assert.match(err, /cannot read posthorn\.yaml: there is no such file; name one with --config FILE/);
  });

  it("check says what would start", async () => {
    const config = `
store: { type: sqlite, path: ./p.db }
communications:
  enabled: true
  backends:
    tg: { type: telegram, token: "\${TOKEN}", listen_to_commands: true, webhook_secret: s, labels: [default, alerts] }
    mail: { type: email, host: mail.example.com, from_address: a@b.example, labels: [alerts], min_severity: error }
    old: { type: email, host: mail.example.com, port: 465, from_address: a@b.example, enabled: false }
    group: { type: fallback, channels: [tg, mail], labels: [page] }
channels:
  jobs: { type: work_queue }
`;
    const { code, out, err } = await run(["check", "--config", "c.yaml"], {
      files: { "c.yaml": config },
      env: { TOKEN: "123:abc" },
    });
    assert.deepEqual([code, err], [0, ""]);
    assert.match(out, /^c\.yaml can be used\nstore: sqlite \.\/p\.db\nbackends:\n/);
    assert.match(out, /^ {2}tg +telegram +labels default, alerts +receives$/m);
    assert.match(out, /^ {2}mail +email +labels alerts +from error up; mail\.example\.com:587, STARTTLS, required$/m);
    assert.match(out, /^ {2}old +email +not enabled$/m);
    assert.match(out, /^ {2}group +fallback +labels page$/m);
    assert.match(out, /^ {2}jobs +work_queue$/m);
    assert.match(out, /neither use_tls nor start_tls is given: requiring STARTTLS \(port 587\)/);
    assert.ok(!out.includes("123:abc"));
  });

  it("check says it as JSON, without secrets", async () => {
    const { code, out } = await run(["check", "--json"], { files });
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(out), {
      ok: true,
      file: "posthorn.yaml",
      store: "memory (gone with the process)",
      enabled: true,
      backends: [
        { name: "quiet", type: "noop", enabled: true, labels: ["alerts", "page"], receives: false },
        { name: "loud", type: "noop", enabled: true, labels: ["page"], minSeverity: "error", receives: false },
        { name: "off", type: "noop", enabled: false, labels: ["alerts"], receives: false },
      ],
      channels: [],
      warnings: [],
    });
  });

  it("check lists every problem with its path and line", async () => {
    const broken = `
communications:
  enabled: true
  backends:
    a: { type: telegrm }
    b: { type: email, from_adress: x, host: "\${NO_SUCH}" }
`;
    const asText = await run(["check"], { files: { "posthorn.yaml": broken } });
    assert.deepEqual([asText.code, asText.out], [2, ""]);
    assert.deepEqual(asText.err.split("\n"), [
      "posthorn.yaml cannot be used: 4 problems",
      "  communications.backends.b.host: the environment variable NO_SUCH is not set (line 6)",
      '  communications.backends.a.type: unknown backend type; did you mean "telegram"? (line 5)',
      "  communications.backends.b.from_address: is missing (line 6)",
      "  communications.backends.b.from_adress: unknown key; did you mean from_address? (line 6)",
      "",
    ]);
    const asJson = await run(["check", "--json"], { files: { "posthorn.yaml": broken } });
    assert.equal(asJson.code, 2);
    const { ok, problems } = JSON.parse(asJson.out);
    assert.deepEqual([ok, problems.length, problems[1].path], [false, 4, "communications.backends.a.type"]);
  });

  it("check finds what only the backends themselves know, even when nothing is enabled", async () => {
    const config = `
communications:
  backends:
    mail: { type: email, host: mail.example.com, from_address: a@b.example, allow_insecure: true }
`;
    const { code, err } = await run(["check"], { files: { "posthorn.yaml": config } });
    assert.equal(code, 2);
    assert.match(err, /communications\.backends\.mail\.allow_insecure: Cannot send in clear text to another machine/);
  });

  it("explain says who would get a message and why not the others", async () => {
    const page = await run(["explain", "--label", "page", "Disk usage at 95%"], { files });
    assert.equal(page.code, 0);
    assert.deepEqual(page.out.split("\n"), [
      "label page, severity info: would go to",
      "  quiet  its own destination",
      "and not to",
      "  loud  severity info is below its minimum error",
      "",
    ]);
    const nobody = await run(["explain", "-l", "nope", "--json"], { files });
    assert.equal(nobody.code, 1);
    assert.deepEqual(JSON.parse(nobody.out), {
      ok: false,
      label: "nope",
      reaches: [],
      others: [
        { backend: "quiet", reason: "label", detail: 'label "nope" is not among its labels: alerts, page' },
        { backend: "loud", reason: "label", detail: 'label "nope" is not among its labels: page' },
      ],
    });
    const to = await run(["explain", "-l", "page", "-s", "critical", "--to", "a", "--to", "b", "--json"], { files });
    assert.deepEqual(JSON.parse(to.out).reaches, [
      { backend: "quiet", recipients: ["a", "b"] },
      { backend: "loud", recipients: ["a", "b"] },
    ]);
  });

  it("explain says that nobody gets anything where communications are not enabled", async () => {
    const off = { "posthorn.yaml": QUIET.replace("enabled: true", "enabled: false") };
    const page = await run(["explain", "-l", "alerts"], { files: off });
    assert.equal(page.code, 1);
    assert.match(page.out, /would go to\n {2}quiet/);
    assert.equal(page.err, "nothing is sent: set communications.enabled to true\n");
    const json = await run(["send", "-l", "alerts", "--dry-run", "--json", "hello"], { files: off });
    assert.equal(json.code, 1);
    const { ok, enabled, reaches } = JSON.parse(json.out);
    assert.deepEqual([ok, enabled, reaches], [false, false, [{ backend: "quiet", recipients: [null] }]]);
  });

  it("explain guesses which label was meant", async () => {
    const { code, out } = await run(["explain", "-l", "alert"], { files });
    assert.equal(code, 1);
    assert.match(out, /^label alert, severity info: nobody would get it; did you mean alerts\?\n/);
  });

  it("explain shows the channels of a group in their order, and what would be left out", async () => {
    const config = `
communications:
  enabled: true
  backends:
    chat: { type: noop, labels: [] }
    mail: { type: email, host: localhost, allow_insecure: true, from_address: a@b.example, labels: [] }
    both: { type: fallback, channels: [mail, chat], policy: parallel, labels: [] }
    page: { type: fallback, channels: [chat, both], confirm: read, within: 5m, labels: [page] }
`;
    const page = await run(["explain", "-l", "page"], { files: { "posthorn.yaml": config } });
    assert.deepEqual(page.out.split("\n").slice(0, 6), [
      "label page, severity info: would go to",
      "  page         one of these after the other, until one has it read within 300 s",
      "    1. chat    its own destination",
      "    2. both    all of these at once, until one takes it",
      "      1. mail  left out: the channel has no recipient for this message",
      "      2. chat  its own destination",
    ]);
    const json = await run(["explain", "-l", "page", "--to", "email:a@example.com", "--json"], {
      files: { "posthorn.yaml": config },
    });
    assert.deepEqual(JSON.parse(json.out).reaches, [{
      backend: "page",
      policy: "ordered",
      confirm: "read",
      within: 300,
      channels: [
        { backend: "chat", skip: "no recipient is meant for this channel", recipients: [] },
        {
          backend: "both",
          policy: "parallel",
          confirm: "accepted",
          channels: [
            { backend: "mail", recipients: ["a@example.com"] },
            { backend: "chat", skip: "no recipient is meant for this channel", recipients: [] },
          ],
        },
      ],
    }]);
  });

  it("send prints one line per delivery and ends with 0 when all were accepted", async () => {
    const { code, out, err } = await run(["send", "-l", "page", "-s", "error", "--to", "x", "hello"], { files });
    assert.deepEqual([code, err], [0, ""]);
    assert.match(out, /^message \S+\n {2}quiet {2}x {2}accepted.*\n {2}loud {3}x {2}accepted.*\n$/);
  });

  it("send shows by which channel of a group a message went", async () => {
    const config = `
communications:
  enabled: true
  backends:
    chat: { type: noop, labels: [] }
    mail: { type: noop, labels: [] }
    page: { type: fallback, channels: [mail, chat], labels: [page] }
`;
    const { code, out } = await run(["send", "-l", "page", "--to", "chat:7", "hello"], {
      files: { "posthorn.yaml": config },
    });
    assert.equal(code, 0);
    const lines = out.split("\n").slice(1).map((line) => line.split(/ {2,}/).filter((cell) => cell !== ""));
    assert.deepEqual(lines, [
      ["page", "by its channels", "accepted", "delivered"],
      ["chat", "7", "accepted", "no-op"],
      [],
    ]);
  });

  it("send wants a text from somewhere", async () => {
    for (const input of [undefined, "", "\n"]) {
      const { code, err } = await run(["send", "-l", "alerts"], { files, ...(input === undefined ? {} : { input }) });
      assert.equal(code, 2);
      assert.match(err, /there is no text: posthorn send --label LABEL "TEXT"/);
    }
  });

  it("send says it as JSON", async () => {
    const { code, out } = await run(["send", "-l", "alerts", "--id", "m-1", "--json", "hello"], { files });
    assert.equal(code, 0);
    const { ok, messageId, deliveries, undelivered } = JSON.parse(out);
    assert.deepEqual([ok, messageId, undelivered], [true, "m-1", []]);
    assert.deepEqual(deliveries.map(({ backend, status }: { backend: string; status: string }) => [backend, status]), [
      ["quiet", "accepted"],
    ]);
  });

  it("send ends with 1 and says why when nobody would get it", async () => {
    const { code, out } = await run(["send", "-l", "nope", "hello"], { files });
    assert.equal(code, 1);
    assert.match(out, /nobody would get it/);
    assert.match(out, /quiet +label "nope" is not among its labels/);
  });

  it("send --dry-run sends nothing", async () => {
    const { code, out } = await run(["send", "-l", "alerts", "--dry-run", "hello"], { files });
    assert.equal(code, 0);
    assert.match(out, /would go to\n {2}quiet/);
  });

  it("send refuses when communications are not enabled", async () => {
    const off = QUIET.replace("enabled: true", "enabled: false");
    const { code, err } = await run(["send", "-l", "alerts", "x"], { files: { "posthorn.yaml": off } });
    assert.equal(code, 2);
    assert.match(err, /nothing is sent: set communications\.enabled to true/);
  });

  it("send refuses a message that is none, by the name of its field", async () => {
    const { code, err } = await run(["send", "-l", "alerts", "a\u0000b"], { files });
    assert.equal(code, 2);
    assert.match(err, /Cannot accept 'message': it contains a control character/);
  });

  it("--env-file gives variables, and the environment wins over it", async () => {
    const config = `
communications:
  enabled: true
  backends:
    a: { type: noop, labels: ["\${ONE}", "\${TWO}"] }
`;
    const { out } = await run(["check", "--json", "--env-file", "one.env", "--env-file", "two.env"], {
      files: { "posthorn.yaml": config, "one.env": "ONE=1 # first\nTWO='from one'\n", "two.env": "TWO=from two\n" },
      env: { ONE: "environment" },
    });
    assert.deepEqual(JSON.parse(out).backends[0].labels, ["environment", "from two"]);
  });

  it("runCli() prints no character that moves a cursor, wherever it comes from", async () => {
    const nasty = "\u001b[31m\u009b\u202e";
    const config = `communications: { enabled: true, backends: { a: { type: noop, labels: ["${nasty}"] } } }`;
    const results = [
      await run([nasty]),
      await run(["check", "-c", nasty]),
      await run(["explain", "-l", nasty], { files }),
      await run(["send", `--${nasty}`], { files }),
      await run(["check"], { files: { "posthorn.yaml": config } }),
    ];
    for (const { out, err } of results) {
      // deno-lint-ignore no-control-regex -- control characters are what this looks for
      assert.doesNotMatch(out + err, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    }
  });
});
