/**
 * The pages of the documentation, and the code blocks in them.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";

/** Where the repository begins. */
export const ROOT: URL = new URL("../../", import.meta.url);

/** A page. */
export interface Page {
  /** From the root: `docs/cli.md`. */
  readonly path: string;
  readonly text: string;
}

/** A block between two lines of three backticks. */
export interface CodeBlock {
  readonly language: string;
  readonly code: string;
  /** Its page and line, for messages. */
  readonly place: string;
}

/** All pages a reader may open: the README first, then those in `docs/`, and what else the README names. */
export const PAGES: readonly Page[] = [
  "README.md",
  ...readdirSync(new URL("docs/", ROOT)).filter((name) => name.endsWith(".md")).toSorted().map((name) =>
    `docs/${name}`
  ),
  "CONTRIBUTING.md",
  "CHANGES.md",
].map((path) => ({ path, text: readFileSync(new URL(path, ROOT), "utf8") }));

/** The blocks of a page, in one language or in all. */
export function blocksOf({ path, text }: Page, language?: string): readonly CodeBlock[] {
  return Array.from(text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm), (match) => ({
    language: match[1] ?? "",
    code: match[2] ?? "",
    place: `${path}:${text.slice(0, match.index).split("\n").length}`,
  })).filter((block) => language === undefined || block.language === language);
}

/** The prose of a page: everything but its code blocks. */
export function proseOf({ text }: Page): string {
  return text.replaceAll(/^```[\s\S]*?^```$/gm, "");
}

/** Where the links of a page lead, from the root, without those that leave the repository. */
export function linksOf(page: Page): readonly string[] {
  return Array.from(proseOf(page).matchAll(/\]\(([^)\s]+)\)/g), ([, target = ""]) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => new URL(target, new URL(page.path, "file:///")))
    .map(({ pathname, hash }) => pathname.slice(1) + hash);
}
