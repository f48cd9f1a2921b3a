/**
 * Measures contenders against each other in one process: warm-up, then rounds in which each contender takes its turn in
 * a shuffled order, so that what the machine does meanwhile hits all alike. What counts is the median of the ratios
 * within the rounds; operations per second alone say more about the machine than about us.
 *
 * @module
 */
import process from "node:process";

/** One way of doing the work. */
export interface Contender {
  readonly name: string;
  /** What one call of `run` gets done. @default `1` */
  readonly operations?: number;
  /** The work. It is called as often as a sample needs. */
  readonly run: () => unknown;
  /** Before each call of `run`, outside the measured time: fill a queue, say. A sample is then timed call by call. */
  readonly prepare?: () => unknown;
  /** Once, when all rounds are done: close what is open. */
  readonly close?: () => unknown;
}

/** Settings of {@linkcode benchmark}. */
export interface BenchmarkOptions {
  /** The contender that ratios refer to: a peer, or the limit of what the machine can do. */
  readonly reference: string;
  /** What is counted, for the table. @default `"operations"` */
  readonly unit?: string;
  /** Rounds that count. At least 5. @default `7` */
  readonly rounds?: number;
  /** The least time of one sample. @default `250` */
  readonly sampleMs?: number;
}

/** What came of one contender. */
export interface ContenderResult {
  readonly name: string;
  /** The median of the rounds. */
  readonly operationsPerSecond: number;
  /** The median of the ratios to the reference within each round: 2 is twice as fast. */
  readonly ratio: number;
  /** Half the distance from the slowest to the fastest round, as a part of the median. */
  readonly spread: number;
  /** How long one operation takes, by the median. */
  readonly nanosecondsPerOperation: number;
}

/** What came of all. */
export interface BenchmarkResult {
  readonly title: string;
  readonly unit: string;
  readonly reference: string;
  readonly rounds: number;
  readonly runtime: string;
  readonly contenders: readonly ContenderResult[];
}

/**
 * Runs a benchmark and prints its table, or with `--json` among the arguments its result as one line of JSON.
 *
 * @example
 * ```ts
 * await benchmark("hand-off", [
 *   { name: "posthorn", operations: 1000, run: () => handOff(1000) },
 *   { name: "fastq.promise", operations: 1000, run: () => pushAll(1000) },
 * ], { reference: "fastq.promise" });
 * ```
 */
export async function benchmark(
  title: string,
  contenders: readonly Contender[],
  options: BenchmarkOptions,
): Promise<BenchmarkResult> {
  const { reference, unit = "operations", rounds = 7, sampleMs = 250 } = options;
  if (!Number.isInteger(rounds) || rounds < 5) {
    throw new RangeError(`Cannot measure "${title}": 'rounds' must be an integer of at least 5: ${rounds}`);
  }
  if (!contenders.some(({ name }) => name === reference)) {
    throw new RangeError(`Cannot measure "${title}": the reference "${reference}" is no contender`);
  }
  const rates = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  // Twice, so that what the first pass makes the runtime optimise is optimised for all.
  for (const contender of [...contenders, ...contenders]) await sample(contender, sampleMs);
  for (let round = 1; round <= rounds; round += 1) {
    if (process.stderr.isTTY) process.stderr.write(`\r${title}: round ${round} of ${rounds} `);
    for (const contender of shuffled(contenders)) {
      rates.get(contender.name)?.push(await sample(contender, sampleMs));
    }
  }
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  for (const { close } of contenders) await close?.();

  const base = rates.get(reference) ?? [];
  const results = contenders.map(({ name }): ContenderResult => {
    const own = rates.get(name) ?? [];
    const operationsPerSecond = median(own);
    return {
      name,
      operationsPerSecond,
      ratio: median(own.map((rate, round) => rate / (base[round] ?? Number.NaN))),
      spread: (Math.max(...own) - Math.min(...own)) / 2 / operationsPerSecond,
      nanosecondsPerOperation: 1e9 / operationsPerSecond,
    };
  });
  const result = { title, unit, reference, rounds, runtime: runtimeName(), contenders: results };
  print(process.argv.includes("--json") ? JSON.stringify(result) : tableOf(result));
  return result;
}

/** Operations per second over one sample. */
async function sample({ run, prepare, operations = 1 }: Contender, sampleMs: number): Promise<number> {
  collectGarbage();
  let spentMs = 0;
  let calls = 0;
  // Short work is timed in growing batches, or the clock would be what is measured.
  for (let batch = 1; spentMs < sampleMs; batch = prepare === undefined ? batch * 2 : 1) {
    await prepare?.();
    const begin = performance.now();
    for (let call = 0; call < batch; call += 1) {
      const pending = run();
      if (pending instanceof Promise) await pending;
    }
    spentMs += performance.now() - begin;
    calls += batch;
  }
  return calls * operations / (spentMs / 1000);
}

/** Lets no contender pay for the litter of the one before, where the runtime lets us (`--expose-gc`). */
function collectGarbage(): void {
  const collect: unknown = Reflect.get(globalThis, "gc");
  if (typeof collect === "function") collect();
}

function shuffled<Item>(items: readonly Item[]): Item[] {
  return items
    .map((item) => ({ item, order: Math.random() }))
    .sort((left, right) => left.order - right.order)
    .map(({ item }) => item);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

function runtimeName(): string {
  const { bun, deno, node } = process.versions as Readonly<Record<string, string | undefined>>;
  if (bun !== undefined) return `Bun ${bun}`;
  return deno === undefined ? `Node ${node}` : `Deno ${deno}`;
}

function tableOf({ title, unit, reference, rounds, runtime, contenders }: BenchmarkResult): string {
  const head = ["", `${unit}/s`, "ns each", "ratio", "spread"];
  const rows = contenders.map((each) => [
    each.name === reference ? `${each.name} (reference)` : each.name,
    rounded(each.operationsPerSecond),
    rounded(each.nanosecondsPerOperation),
    each.ratio.toFixed(each.ratio < 0.1 ? 4 : 2),
    `±${(each.spread * 100).toFixed(0)} %`,
  ]);
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  const lines = [head, ...rows].map((row) =>
    row.map((cell, column) => column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))
      .join("  ").trimEnd()
  );
  return [`${title} · ${runtime} · median of ${rounds} rounds`, ...lines.map((line) => `  ${line}`), ""].join("\n");
}

function rounded(value: number): string {
  const digits = value >= 100 ? 0 : 2;
  return value.toFixed(digits).replace(/\B(?=(\d{3})+(?!\d))(?<!\.\d*)/g, " ");
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
