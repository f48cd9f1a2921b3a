/**
 * The runtime's own modules, where it has them: asked for at run time, so that no file is tied to a runtime.
 *
 * @module
 */

/**
 * Finds a built-in module. Node from 22.3, Deno from 2.1, Bun from 1.2 and Workers with `nodejs_compat` have a way to
 * ask.
 *
 * @param name Its name: `"node:crypto"`.
 * @param functions The functions it must have, so that the type is no mere claim.
 * @returns The module, or `undefined` where there is none, or none with these functions.
 */
export function builtinModule<Module extends object>(
  name: string,
  functions: readonly (keyof Module & string)[],
): Module | undefined {
  const host: unknown = Reflect.get(globalThis, "process");
  if (typeof host !== "object" || host === null || !("getBuiltinModule" in host)) return undefined;
  const { getBuiltinModule } = host;
  if (typeof getBuiltinModule !== "function") return undefined;
  const module: unknown = Reflect.apply(getBuiltinModule, host, [name]);
  return hasFunctions<Module>(module, functions) ? module : undefined;
}

function hasFunctions<Module extends object>(
  module: unknown,
  functions: readonly (keyof Module & string)[],
): module is Module {
  return typeof module === "object" && module !== null &&
    functions.every((each) => typeof Reflect.get(module, each) === "function");
}
