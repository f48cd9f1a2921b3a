// Brings node_modules to what package-lock.json says, when it is not there yet.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** Installs the development packages if they are missing or differ from the lock file. */
export async function ensureInstalled() {
  if (isInstalled()) return;
  process.stdout.write("Installing the development packages (npm ci) …\n");
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
      cwd: ROOT,
      stdio: ["ignore", "inherit", "inherit"],
      shell: process.platform === "win32",
    });
    if (status === 0) return;
    await new Promise((resolve) => setTimeout(resolve, attempt * 2000));
  }
  throw new Error("Cannot install the development packages: npm ci failed three times");
}

function isInstalled() {
  const wanted = packagesOf("package-lock.json");
  const found = packagesOf("node_modules/.package-lock.json");
  if (wanted === undefined || found === undefined) return false;
  return Object.entries(wanted).every(([place, { version, link, optional, peer }]) =>
    // The list in dev/ is no package to be found; those for other platforms are in the lock file and never in the tree.
    !place.startsWith("node_modules/") || link || found[place]?.version === version ||
    (found[place] === undefined && (optional || peer))
  );
}

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(new URL(`../${file}`, import.meta.url), "utf8")).packages;
  } catch {
    return undefined;
  }
}
