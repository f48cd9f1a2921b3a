/**
 * What keeps a webhook's address from reaching into the own network (server-side request forgery).
 *
 * @module
 */
import { assertText, ValidationError } from "../../core/mod.ts";
import { RequestError } from "../net/network-error.ts";
import { isLoopbackIp, isPublicIp, parseIp } from "./ip-address.ts";

/** What may be asked for. */
export interface EgressOptions {
  /**
   * Hosts that may be asked for, and no others: `"hooks.example.com"`, or `"*.example.com"` for every name below it. A
   * port counts where it is written. @default every public host
   */
  readonly allowHosts?: readonly string[];
  /** Whether addresses of this machine and of private networks may be asked for. @default `false` */
  readonly allowPrivate?: boolean;
  /** Whether plain `http` may be used. This machine may always be asked by it, where it may be asked. @default `false` */
  readonly allowHttp?: boolean;
}

/** The addresses of a host: what a resolver gives. */
export type ResolveHost = (hostname: string) => Promise<readonly string[]>;

/** Names that are never public, whatever they resolve to. */
const LOCAL_NAMES = /(?:^|\.)(?:localhost|local|localdomain|internal|intranet|lan|home|corp|private|home\.arpa)$/;
/** What a URL parser should have turned into an address. */
const LOOKS_NUMERIC = /(?:^|\.)(?:\d+|0x[0-9a-f]*)\.?$/i;

/** Decides which addresses may be asked for: before anything is asked, and again for what a name resolves to. */
export class EgressGuard {
  readonly #allowHosts: readonly string[] | undefined;
  readonly #allowPrivate: boolean;
  readonly #allowHttp: boolean;

  /**
   * Makes a guard.
   *
   * @param options What may be asked for.
   * @throws {ValidationError} If a host of the list is none.
   */
  constructor(options: EgressOptions = {}) {
    this.#allowHosts = options.allowHosts?.map((host, index) => {
      const text = assertText(host, `allowHosts[${index}]`, { maxLength: 255 }).toLowerCase();
      if (!/^(?:\*\.)?[a-z0-9.[\]:_-]+$/.test(text)) {
        throw new ValidationError(`allowHosts[${index}]`, `Cannot use 'allowHosts[${index}]': it must be a host name`);
      }
      return text;
    });
    this.#allowPrivate = options.allowPrivate ?? false;
    this.#allowHttp = options.allowHttp ?? false;
  }

  /**
   * Checks a URL before anything is asked of anybody: scheme, credentials, host, and the address where the host is one.
   *
   * @param text The URL.
   * @returns The URL, parsed.
   * @throws {RequestError} With code `egress-refused`. The message names no part of the URL: it may be a secret.
   */
  check(text: string): URL {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined) throw refused("it is no absolute URL");
    const host = url.hostname.replace(/\.$/, "").toLowerCase();
    const address = parseIp(host);
    this.#checkScheme(url, host, address);
    if (url.username !== "" || url.password !== "") throw refused("it has a user name or a password");
    this.#checkHost(url, host);
    if (this.#allowPrivate) return url;
    if (address !== undefined) {
      if (!isPublicIp(address)) throw refused("its address is not public");
      return url;
    }
    if (LOOKS_NUMERIC.test(host)) throw refused("its host is no name and no address");
    if (!host.includes(".") || LOCAL_NAMES.test(host)) throw refused("its host is a local name");
    return url;
  }

  /**
   * Checks what a name resolved to. One address that is not public refuses them all: who mixes them means no good.
   *
   * @param addresses The addresses.
   * @throws {RequestError} With code `egress-refused`, or `ENOTFOUND` when there are none.
   */
  checkAddresses(addresses: readonly string[]): void {
    if (addresses.length === 0) throw new RequestError("ENOTFOUND", "Cannot send: the host has no address", false);
    if (this.#allowPrivate) return;
    for (const text of addresses) {
      const address = parseIp(text);
      if (address === undefined || !isPublicIp(address)) throw refused("its host resolves to a private address");
    }
  }

  #checkScheme(url: URL, host: string, address: readonly number[] | undefined): void {
    if (url.protocol === "https:") return;
    if (url.protocol !== "http:") throw refused("its scheme is neither https nor http");
    const isOwn = host === "localhost" || (address !== undefined && isLoopbackIp(address));
    if (!this.#allowHttp && !(isOwn && this.#allowPrivate)) throw refused("its scheme is not https");
  }

  #checkHost(url: URL, host: string): void {
    if (this.#allowHosts === undefined) return;
    const withPort = url.port === "" ? host : `${host}:${url.port}`;
    const isListed = this.#allowHosts.some((each) =>
      each.startsWith("*.") ? host.endsWith(each.slice(1)) : each === host || each === withPort
    );
    if (!isListed) throw refused("its host is not among the allowed ones");
  }
}

function refused(why: string): RequestError {
  return new RequestError("egress-refused", `Cannot send to this address: ${why}`, false);
}
