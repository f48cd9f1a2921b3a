import { afterAll, beforeAll, describe, it } from "bun:test";
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { parse } from "yaml";
import { configJsonSchema, loadConfig } from "../../adapters/config/mod.ts";
import { exportedNames, listedNames } from "./exported-names.ts";
import { blocksOf, type CodeBlock, linksOf, type Page, PAGES, proseOf, ROOT } from "./pages.ts";

const MANIFEST: { readonly exports: Record<string, string>; readonly tasks: Record<string, unknown> } = JSON.parse(
  readFileSync(new URL("deno.json", ROOT), "utf8"),
);
const SCRIPTS: Record<string, unknown> = JSON.parse(readFileSync(new URL("package.json", ROOT), "utf8")).scripts;
const IMPORT = /^import (?:type )?\{([^}]*)\} from "([^"]+)";$/gm;
const README: Page = PAGES[0] ?? assert.fail("no README");
/** The pages for users: the code in CONTRIBUTING.md is the repository's own. */
const FOR_USERS: readonly Page[] = PAGES.filter(({ path }) => path === "README.md" || path.startsWith("docs/"));

/** The module of an entry point such as `posthorn/http`. */
function moduleOf(specifier: string): URL | undefined {
  const target = MANIFEST.exports[specifier.replace(/^posthorn/, ".")];
  return target === undefined ? undefined : new URL(target, ROOT);
}

/** What a block imports from Posthorn, each with its entry point. */
function importsOf(code: string): readonly { readonly name: string; readonly specifier: string }[] {
  return Array.from(code.matchAll(IMPORT)).flatMap(([, list = "", specifier = ""]) =>
    /^posthorn(?:\/|$)/.test(specifier) ? listedNames(list, "inner").map((name) => ({ name, specifier })) : []
  );
}

/** The anchors a page has, as they are made of its headings. */
function anchorsOf(page: Page): ReadonlySet<string> {
  const headings = proseOf(page).matchAll(/^#+ (.+)$/gm);
  return new Set(
    Array.from(
      headings,
      ([, words = ""]) => words.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-"),
    ),
  );
}

/** Every key a configuration may have, at any depth. */
function keysOf(value: unknown, found: Set<string> = new Set()): Set<string> {
  if (typeof value !== "object" || value === null) return found;
  for (const [key, member] of Object.entries(value)) {
    if (key === "properties") { for (const name of Object.keys(member)) found.add(name); }
    keysOf(member, found);
  }
  return found;
}

/** The cells of the columns of a page that have a key as their heading. */
function documentedKeys(page: Page): readonly string[] {
  const found: string[] = [];
  let column = -1;
  for (const line of proseOf(page).split("\n")) {
    const cells = line.startsWith("|") ? line.split("|").slice(1, -1).map((cell) => cell.trim()) : [];
    if (cells.length === 0) column = -1;
    else if (column === -1) {
      column = cells.findIndex((cell) => /^key\b/i.test(cell));
      if (column === -1) column = cells.length; // a table about something else
    } else {
      for (const [, name = ""] of (cells[column] ?? "").matchAll(/`([^`]+)`/g)) found.push(...name.split("."));
    }
  }
  return found;
}

describe("documentation", () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "posthorn-docs-"));

  /** The block as a module of this repository; what it does stands in a function, so that loading it does nothing. */
  function moduleFrom({ code }: CodeBlock, index: number): URL {
    const imports: string[] = [];
    const body = code.replaceAll(IMPORT, (statement: string, _list: string, specifier: string) => {
      const target = moduleOf(specifier);
      imports.push(target === undefined ? statement : statement.replace(`"${specifier}"`, `"${target.href}"`));
      return "";
    });
    const file = path.join(folder, `block-${index}.mts`);
    writeFileSync(file, `${imports.join("\n")}\nexport async function example() {\n${body}\n}\n`);
    return pathToFileURL(file);
  }

  beforeAll(() => assert.ok(FOR_USERS.length > 5));
  afterAll(() => rmSync(folder, { recursive: true }));

  it("documentation: every link leads to a file, and to a heading of it", () => {
    const broken = PAGES.flatMap((page) =>
      linksOf(page).filter((link) => {
        const [target = "", anchor] = link.split("#");
        if (!existsSync(new URL(target, ROOT))) return true;
        const aim = PAGES.find((each) => each.path === target);
        return anchor !== undefined && aim !== undefined && !anchorsOf(aim).has(anchor);
      }).map((link) => `${page.path}: ${link}`)
    );
    assert.deepEqual(broken, []);
  });

  it("documentation: every file of the repository that is named exists", () => {
    const named = PAGES.flatMap((page) =>
      Array.from(
        page.text.matchAll(/(?<![\w/.:-])(?:examples|docs|scripts|test|adapters|core|bench)\/[\w./-]*\w/g),
        ([file]) => `${page.path}: ${file}`,
      )
    );
    assert.ok(named.length > 10, String(named.length));
    assert.deepEqual(named.filter((each) => !existsSync(new URL(each.split(": ")[1] ?? "", ROOT))), []);
  });

  it("documentation: every promise is shown by tests that are there, and every one that a test names is promised", () => {
    const page = PAGES.find(({ path }) => path === "docs/guarantees.md") ?? assert.fail("no such page");
    const rows = Array.from(page.text.matchAll(/^\| (G\d+) .*\|([^|]*)\| (yes|no) +\|$/gm), (row) => ({
      number: row[1] ?? "",
      tests: Array.from((row[2] ?? "").matchAll(/`(test\/[^`]+)`/g), ([, file = ""]) => file),
      isLong: row[3] === "yes",
    }));
    assert.equal(rows.length, page.text.match(/^\| G\d+ /gm)?.length);
    assert.ok(rows.length > 35, String(rows.length));
    for (const { number, tests, isLong } of rows) {
      assert.ok(tests.length > 0 && tests.every((file) => /\.(?:test|suite)\.ts$/.test(file)), number);
      const text = tests.map((file) => readFileSync(new URL(file, ROOT), "utf8")).join("\n");
      // In the file, or in what it is made with.
      const knowsLong = /describeLong|POSTHORN_LONG|isLong\(|mutations\(|describeStoreModel/.test(text);
      if (isLong) assert.ok(knowsLong, `${number}: ${tests.join()} has no longer run`);
    }
    const told = new Set(rows.map(({ number }) => number));
    for (const name of readdirSync(new URL("test/", ROOT), { recursive: true, encoding: "utf8" })) {
      if (!/\.(?:test|suite)\.ts$/.test(name)) continue;
      const text = readFileSync(new URL(`test/${name}`, ROOT), "utf8");
      for (const [, list = ""] of text.matchAll(/\(((?:[GSPLC]\d+, )*G\d+)[,)]/g)) {
        for (const number of list.match(/G\d+/g) ?? []) assert.ok(told.has(number), `${name} shows ${number}`);
      }
    }
  });

  it("documentation: every page can be reached from the README", () => {
    const reached = new Set([README.path]);
    for (const from of reached) {
      const page = PAGES.find((each) => each.path === from);
      for (const link of page === undefined ? [] : linksOf(page)) reached.add(link.split("#")[0] ?? "");
    }
    assert.deepEqual(PAGES.map((page) => page.path).filter((each) => !reached.has(each)), []);
  });

  it("documentation: the README names every entry point, and no other", () => {
    const named = Array.from(README.text.matchAll(/^\| `(posthorn[^`]*)` /gm), ([, name]) => name);
    const known = Object.keys(MANIFEST.exports).map((key) => key.replace(/^\./, "posthorn"));
    assert.deepEqual(named.toSorted(), known.toSorted());
  });

  it("documentation: every task and script that is named exists", () => {
    const all = PAGES.map(({ text }) => text).join("\n");
    const tasks = Array.from(all.matchAll(/\bdeno(?:@[\d.]+)? task ([\w:]+)/g), ([, name = ""]) => name);
    const scripts = Array.from(all.matchAll(/\bnpm run ([\w:]+)/g), ([, name = ""]) => name);
    assert.ok(tasks.length > 2 && scripts.length > 2);
    assert.deepEqual(tasks.filter((name) => MANIFEST.tasks[name] === undefined), []);
    assert.deepEqual(scripts.filter((name) => SCRIPTS[name] === undefined), []);
  });

  it("documentation: every name that is imported is exported, types included", () => {
    const imported = FOR_USERS.flatMap((page) => blocksOf(page, "ts")).flatMap(({ code, place }) =>
      importsOf(code).map((each) => ({ ...each, place }))
    );
    assert.ok(imported.length > 20, String(imported.length));
    const missing = imported.filter(({ name, specifier }) => {
      const module = moduleOf(specifier);
      return module === undefined || !exportedNames(module).has(name);
    });
    assert.deepEqual(missing, []);
  });

  it("documentation: every name of Posthorn that is called is imported on its page", () => {
    const values = exportedNames(moduleOf("posthorn") ?? assert.fail("no entry point"));
    const missing: string[] = [];
    for (const page of FOR_USERS) {
      const known = new Set<string>();
      for (const { code, place } of blocksOf(page, "ts")) {
        for (const { name } of importsOf(code)) known.add(name);
        for (const [, name = ""] of code.matchAll(/(?<![.\w])(?:new )?([A-Za-z]\w*)(?:<[^>]*>)?[(.]/g)) {
          if (values.has(name) && !known.has(name)) missing.push(`${place}: ${name}`);
        }
        // What is used without being declared comes from an earlier block of the page.
        for (const [, name = ""] of code.matchAll(/\bconst (\w+)/g)) known.add(name);
        if (/(?<![.\w])app\./.test(code) && !known.has("app")) missing.push(`${place}: app`);
      }
    }
    assert.deepEqual(missing, []);
  });

  it("documentation: every block of TypeScript is well formed, and can be loaded with what it imports", async () => {
    const faults: string[] = [];
    for (const [index, block] of FOR_USERS.flatMap((page) => blocksOf(page, "ts")).entries()) {
      try {
        await import(moduleFrom(block, index).href);
      } catch (error) {
        faults.push(`${block.place}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    assert.deepEqual(faults, []);
  });

  it("documentation: every configuration can be used", async () => {
    const blocks = FOR_USERS.flatMap((page) => blocksOf(page, "yaml"));
    assert.ok(blocks.length > 5, String(blocks.length));
    const faults: string[] = [];
    for (const { code, place } of blocks) {
      try {
        const { warnings } = await loadConfig(wholeConfig(code), { env: variable });
        for (const warning of warnings) faults.push(`${place}: ${warning}`);
      } catch (error) {
        faults.push(`${place}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    assert.deepEqual(faults, []);
  });

  it("documentation: every key in a table of keys exists", () => {
    const known = keysOf(configJsonSchema());
    const named = FOR_USERS.flatMap((page) => documentedKeys(page).map((key) => `${page.path}: ${key}`));
    assert.ok(named.length > 150, String(named.length));
    assert.deepEqual(named.filter((each) => !known.has(each.split(": ")[1] ?? "")), []);
  });

  it("documentation: every block of JSON is JSON", () => {
    for (const { code, place } of PAGES.flatMap((page) => blocksOf(page, "json"))) {
      assert.doesNotThrow(() => JSON.parse(code), place);
    }
  });
});

/** A value that will do for a variable of that name. */
function variable(name: string): string {
  if (name.endsWith("_URL")) {
    return `https://${name.startsWith("DISCORD") ? "discord.com/api/webhooks" : "hooks.slack.com"}/1`;
  }
  return name.startsWith("TELEGRAM") ? "123456:ABC-DEF" : `whsec_${"A".repeat(32)}`;
}

/** A configuration as it is; of a piece that shows backends by name, one around it, with the channels it names. */
function wholeConfig(code: string): string {
  const value: unknown = parse(code);
  assert.ok(typeof value === "object" && value !== null, code);
  if (!Object.values(value).every((each) => typeof each?.type === "string")) return code;
  const channels: readonly string[] = Object.values(value).flatMap((each) => each.channels ?? []);
  const backends = { ...Object.fromEntries(channels.map((name) => [name, { type: "noop" }])), ...value };
  return JSON.stringify({ communications: { enabled: true, backends } });
}
