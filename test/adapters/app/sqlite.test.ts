import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "bun:test";
import { ConfigError } from "../../../core/mod.ts";
import { createApplication } from "../../../adapters/app/mod.ts";

let directory = "";

beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), "posthorn-app-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

describe("createApplication with SQLite", () => {
  it("createApplication() keeps everything in the file the configuration names, and closes it", async () => {
    const config = `
store: { type: sqlite, path: "\${FILE}", synchronous: normal, busy_timeout: 1s }
communications: { enabled: true, backends: { ops: { type: noop, labels: [alerts] } } }
channels: { jobs: { type: work_queue } }
`;
    const env = { FILE: path.join(directory, "posthorn.db") };
    const first = await createApplication(config, { env });
    assert.equal(first.store.capabilities.durable, true);
    const report = await first.emit({ message: "hello", label: "alerts" });
    await report.settled();
    await first.channels.get("jobs")?.write("somebody", { task: 1 });
    await first.stop();
    await assert.rejects(first.store.getState("k"), { code: "store" });
    const second = await createApplication(config, { env });
    try {
      const events = await second.ledger.eventsOf(report.messageId);
      assert.deepEqual(events.map(({ status }) => status), ["queued", "attempting", "accepted"]);
      assert.equal((await second.channels.get("jobs")?.stats())?.stored, 1);
    } finally {
      await second.stop();
    }
  });

  it("createApplication() refuses a file that cannot be opened, by the path of the setting", async () => {
    const source = { store: { type: "sqlite", path: path.join(directory, "no", "such", "directory.db") } };
    const error = await createApplication(source).then(() => undefined, (thrown: unknown) => thrown);
    assert.ok(error instanceof ConfigError, String(error));
    assert.equal(error.issues[0]?.path, "store.path");
  });
});
