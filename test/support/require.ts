/**
 * Tests that need more than the runtime: a browser, a mail server, a broker, or much time. Where the thing is missing,
 * one skipped test says so ("not run: …"); naming it in `POSTHORN_REQUIRE` turns that into a failure.
 *
 * @module
 */
import { describe, it } from "bun:test";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";

interface Program {
  /** Names to look for, best first. An absolute path is taken as it is. */
  readonly names: readonly string[];
  /** How Debian calls it. */
  readonly debian: string;
}

/** A program that a test may need. */
export type ProgramName = "chromium" | "exim" | "nats" | "redis" | "strace";

/** The programs a test may ask for. `.ci/run` installs them; its list and this one go together. */
const PROGRAMS: Readonly<Record<ProgramName, Program>> = {
  chromium: {
    names: ["chromium", "chromium-browser", "google-chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium"],
    debian: "chromium",
  },
  exim: { names: ["exim4", "exim"], debian: "exim4-daemon-light" },
  nats: { names: ["nats-server"], debian: "nats-server" },
  redis: { names: ["redis-server"], debian: "redis-server" },
  strace: { names: ["strace"], debian: "strace" },
};

/**
 * Where a program is, or `undefined`. `POSTHORN_<NAME>` (for example `POSTHORN_CHROMIUM`) names another place than the
 * usual ones.
 */
export function pathOfProgram(name: ProgramName): string | undefined {
  const chosen = process.env[`POSTHORN_${name.toUpperCase()}`];
  if (chosen) return existsSync(chosen) ? chosen : undefined;
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  for (const each of PROGRAMS[name].names) {
    const paths = each.startsWith("/") ? [each] : folders.map((folder) => join(folder, each));
    const found = paths.find((path) => existsSync(path));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether `POSTHORN_REQUIRE` (a comma-separated list) names this program: then its absence is a failure. */
export function isRequired(name: string): boolean {
  return (process.env["POSTHORN_REQUIRE"] ?? "").split(",").some((each) => each.trim() === name);
}

/**
 * `describe` for tests that need a program. The body gets the path of it.
 *
 * @example
 * ```ts
 * describeWith("chromium", "the emulator page", (chromium) => {
 *   it("answers what is typed", async () => {
 *     const browser = await launch(chromium);
 *   });
 * });
 * ```
 */
export function describeWith(program: ProgramName, name: string, body: (path: string) => void): void {
  const path = pathOfProgram(program);
  if (path !== undefined) {
    describe(name, () => body(path));
    return;
  }
  const { debian } = PROGRAMS[program];
  describe(name, () => {
    if (isRequired(program)) {
      it(`needs ${program}`, () => {
        throw new Error(`Cannot run "${name}" as ${program} is not installed, and POSTHORN_REQUIRE names it`);
      });
    } else {
      it.skip(`not run: ${program} is not installed (Debian package ${debian})`);
    }
  });
}

/** `describe` for tests that take minutes: they run where `POSTHORN_LONG` is `1` (`npm run test:long`). */
export function describeLong(name: string, body: () => void): void {
  if (process.env["POSTHORN_LONG"] === "1") {
    describe(name, body);
  } else {
    describe(name, () => {
      it.skip("not run: takes long, and POSTHORN_LONG is not 1");
    });
  }
}
