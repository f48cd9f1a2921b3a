/**
 * Saying which package is missing, and how to get it.
 *
 * @module
 */

/**
 * Whether a module could not be loaded because this package is not installed.
 *
 * @param name The package.
 * @param error What loading threw: every runtime has the package in quotes in the message.
 */
export function isMissing(name: string, error: unknown): boolean {
  if (!(error instanceof Error) || !/cannot find|could not find|not a dependency/i.test(error.message)) return false;
  return error.message.includes(`'${name}`) || error.message.includes(`"${name}`);
}
