import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { describe, it } from "bun:test";

/** Runs a program on Node and gives back which packages and adapters it loaded. */
function loadedBy(source: string): Promise<readonly string[]> {
  const root = new URL("../../../", import.meta.url).href;
  const program = `
    import { registerHooks } from "node:module";
    const loaded = new Set();
    registerHooks({
      resolve(specifier, context, next) {
        const result = next(specifier, context);
        const package_ = /node_modules\\/((?:@[^/]+\\/)?[^/]+)\\//.exec(result.url)?.[1];
        const adapter = /\\/adapters\\/([^/]+)\\//.exec(result.url)?.[1];
        if (package_ ?? adapter) loaded.add(package_ ?? "./" + adapter);
        return result;
      },
    });
    const { createApplication } = await import(${JSON.stringify(`${root}adapters/app/mod.ts`)});
    const app = await createApplication(${source});
    await app.stop();
    console.log(JSON.stringify([...loaded].sort()));
  `;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", "--input-type=module", "-"], {
      cwd: fileURLToPath(root),
    });
    let out = "";
    let err = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => void (out += chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => void (err += chunk));
    child.on("error", reject);
    child.on("close", (code) => code === 0 ? resolve(JSON.parse(out)) : reject(new Error(err)));
    child.stdin.end(program);
  });
}

describe("createApplication, what it loads", () => {
  it("createApplication() loads no package but valibot for an object without networks", async () => {
    assert.deepEqual(await loadedBy(`{}`), ["./app", "./config", "valibot"]);
  });

  it("createApplication() loads the YAML parser for a text, and the one network it names", async () => {
    const source = JSON.stringify(
      "communications: { enabled: true, backends: { a: { type: whatsapp, token: t, phone_number_id: 1 } } }",
    );
    const loaded = await loadedBy(source);
    assert.ok(loaded.includes("yaml") && loaded.includes("./whatsapp"), loaded.join());
    for (const unwanted of ["grammy", "nodemailer", "hono", "./telegram", "./smtp", "./emulator", "./sqlite"]) {
      assert.ok(!loaded.includes(unwanted), unwanted);
    }
  });

  it("createApplication() loads nothing of a backend that is not enabled", async () => {
    const loaded = await loadedBy(`{ communications: { enabled: true, backends: {
      a: { type: "telegram", token: "1:a", enabled: false } } } }`);
    assert.deepEqual(loaded, ["./app", "./config", "valibot"]);
  });
});
