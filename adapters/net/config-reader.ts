/**
 * Reads the options of a backend out of a configuration, collecting everything that is wrong.
 *
 * @module
 */
import { type BackendConfig, ConfigError, type ConfigIssue, kindOf } from "../../core/mod.ts";

/** Reads options key by key; {@link ConfigReader.done} throws what it found wrong, all at once. */
export class ConfigReader {
  readonly #config: BackendConfig;
  readonly #issues: ConfigIssue[] = [];

  /** @param config The options. */
  constructor(config: BackendConfig) {
    this.#config = config;
  }

  /** Notes something wrong. */
  refuse(path: string, message: string): void {
    this.#issues.push({ path, message });
  }

  /** A text that must be there. `""` when it is not: the error comes with {@link ConfigReader.done}. */
  requiredText(key: string): string {
    const value = this.text(key);
    if (value === undefined && this.#issues.every(({ path }) => path !== key)) this.refuse(key, "is required");
    return value ?? "";
  }

  /** A text that is not empty. */
  text(key: string): string | undefined {
    const value = this.#config[key];
    if (value === undefined || value === null) return undefined;
    // YAML reads an unquoted id as a number; only where no digit was lost is it the id that was written.
    if (typeof value === "number" && Number.isSafeInteger(value)) return String(value);
    if (typeof value === "string" && value !== "") return value;
    this.refuse(key, `must be a text that is not empty, not ${kindOf(value)}`);
    return undefined;
  }

  /** A text or a list of texts, as a list. */
  texts(key: string): readonly string[] | undefined {
    const value = this.#config[key];
    if (value === undefined || value === null) return undefined;
    const list: readonly unknown[] = Array.isArray(value) ? value : [value];
    const texts: string[] = [];
    for (const [index, item] of list.entries()) {
      if (typeof item === "string" && item !== "") texts.push(item);
      else if (typeof item === "number" && Number.isSafeInteger(item)) texts.push(String(item));
      else {
        this.refuse(
          Array.isArray(value) ? `${key}.${index}` : key,
          `must be a text that is not empty, not ${kindOf(item)}`,
        );
      }
    }
    return texts;
  }

  /** `true` or `false`. */
  flag(key: string): boolean | undefined {
    const value = this.#config[key];
    if (value === undefined || value === null) return undefined;
    if (typeof value === "boolean") return value;
    this.refuse(key, `must be true or false, not ${kindOf(value)}`);
    return undefined;
  }

  /** A number of seconds, as milliseconds. */
  secondsAsMs(key: string): number | undefined {
    const value = this.number(key);
    return value === undefined ? undefined : value * 1_000;
  }

  /** A number above zero. */
  number(key: string): number | undefined {
    const value = this.#config[key];
    if (value === undefined || value === null) return undefined;
    if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
    this.refuse(key, `must be a number above zero, not ${kindOf(value)}`);
    return undefined;
  }

  /** Texts by name. */
  textMap(key: string): Readonly<Record<string, string>> | undefined {
    const value = this.#config[key];
    if (value === undefined || value === null) return undefined;
    if (typeof value !== "object" || Array.isArray(value)) {
      this.refuse(key, `must be texts by name, not ${kindOf(value)}`);
      return undefined;
    }
    const texts: Record<string, string> = {};
    for (const [name, item] of Object.entries(value)) {
      if (typeof item === "string") texts[name] = item;
      else this.refuse(`${key}.${name}`, `must be a text, not ${kindOf(item)}`);
    }
    return texts;
  }

  /**
   * Ends the reading.
   *
   * @throws {ConfigError} If anything was wrong.
   */
  done(): void {
    if (this.#issues.length > 0) throw new ConfigError(this.#issues);
  }

  /**
   * Ends the reading and makes the backend; what its constructor refuses is part of what is wrong.
   *
   * @param make Makes it from what was read.
   * @throws {ConfigError} If anything was wrong.
   */
  build<Backend>(make: () => Backend): Backend {
    this.done();
    try {
      return make();
    } catch (error) {
      if (!(error instanceof Error) || !("argument" in error) || typeof error.argument !== "string") throw error;
      throw new ConfigError([{ path: snakeCase(error.argument), message: error.message }], { cause: error });
    }
  }
}

/** `phoneNumberId` as the configuration spells it. */
function snakeCase(name: string): string {
  return name.replace(/Ms$/, "").replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
