import assert from "node:assert/strict";
import { afterAll, describe, it } from "bun:test";
import { SqliteStore } from "../../../adapters/sqlite/mod.ts";
import { Child, isLong, linesOf } from "./processes.ts";
import { envelope, Folder } from "./support.ts";

const folder = new Folder();
afterAll(() => folder.remove());

const PROCESSES = 4;
const MESSAGES = isLong() ? 100_000 : 2_000;

describe("SqliteStore", () => {
  it(
    `claim() leases no message and no lane twice at once: ${PROCESSES} processes of 4 workers, ${MESSAGES} messages`,
    async () => {
      const file = folder.newFile();
      const log = `${file}.log`;
      const store = new SqliteStore({ path: file });
      for (let start = 0; start < MESSAGES; start += 1_000) {
        const messages = Array.from({ length: Math.min(1_000, MESSAGES - start) }, (_, offset) => {
          const index = start + offset;
          return envelope(`m${index}`, index % 2 === 0 ? {} : { orderingKey: `lane${index % 30}` });
        });
        await store.append("q", messages, { mode: "queue" });
      }
      const children = Array.from({ length: PROCESSES }, (_, index) => new Child(["share", file, log, `p${index}`]));
      await Promise.all(children.map((child) => child.finished()));
      assert.equal((await store.stats("q")).stored, 0);
      await store.close();

      const out = new Map<string, string>();
      const ends = new Map<string, number>();
      const overlaps: string[] = [];
      const lastOfLane = new Map<string, number>();
      let finished = 0;
      for (const [word, id = "", lane = "-", token = ""] of linesOf(log)) {
        if (word === "finished") finished++;
        assert.notEqual(word, "lost", `the lease of ${id} was lost`);
        const places = lane === "-" ? [`message ${id}`] : [`message ${id}`, `lane ${lane}`];
        if (word === "start") {
          for (const place of places) {
            if (out.has(place)) overlaps.push(`${place}: ${out.get(place)} and ${token}`);
            out.set(place, token);
          }
          if (lane !== "-" && !ends.has(id)) {
            const index = Number(id.slice(1));
            assert.ok(index > (lastOfLane.get(lane) ?? -1), `${id} came after m${lastOfLane.get(lane)} of ${lane}`);
            lastOfLane.set(lane, index);
          }
        }
        if (word === "end") {
          for (const place of places) if (out.get(place) === token) out.delete(place);
          ends.set(id, (ends.get(id) ?? 0) + 1);
        }
      }
      assert.deepEqual(overlaps, []);
      assert.equal(finished, PROCESSES * 4);
      assert.equal(ends.size, MESSAGES);
      assert.ok([...ends.values()].some((count) => count > 1), "some were released and given again");
    },
    isLong() ? 3_600_000 : 300_000,
  );
});
