// node --import ./test/support/register-on-node.mjs: "bun:test" means the shim beside this file.
import { registerHooks } from "node:module";

const SHIM = new URL("./bun-test-on-node.ts", import.meta.url).href;

registerHooks({
  resolve(specifier, context, nextResolve) {
    if (specifier === "bun:test") return { url: SHIM, format: "module-typescript", shortCircuit: true };
    return nextResolve(specifier, context);
  },
});
