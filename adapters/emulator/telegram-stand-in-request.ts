/**
 * The parameters of a call to the Bot API, as JSON, as a form, or with files.
 *
 * @module
 */

/** A file that came with a call. */
export interface TelegramStandInFile {
  /** The name it was given. */
  readonly filename: string;
  /** Its content. */
  readonly bytes: Uint8Array;
}

/** The parameters of a call. */
export interface TelegramStandInParameters {
  /** By name; JSON where the parameter is JSON. */
  readonly values: Readonly<Record<string, unknown>>;
  /** Files by the name they are attached under. */
  readonly files: ReadonlyMap<string, TelegramStandInFile>;
}

/**
 * Reads the parameters of a call.
 *
 * @param request The request.
 * @returns The parameters, or `undefined` when the body cannot be read.
 */
export async function readParameters(request: Request): Promise<TelegramStandInParameters | undefined> {
  const type = request.headers.get("content-type") ?? "";
  const values: Record<string, unknown> = Object.fromEntries(new URL(request.url).searchParams);
  const boundary = /^multipart\/form-data;.*boundary="?([^";]+)/i.exec(type)?.[1];
  if (boundary !== undefined) {
    const parts = readMultipart(new Uint8Array(await request.arrayBuffer()), boundary);
    const files = new Map<string, TelegramStandInFile>();
    for (const { name, filename, bytes } of parts) {
      if (filename === undefined) values[name] = fromForm(new TextDecoder().decode(bytes));
      else files.set(name, { filename, bytes });
    }
    return { values, files };
  }
  const text = await request.text();
  if (/^application\/x-www-form-urlencoded/i.test(type)) {
    for (const [name, value] of new URLSearchParams(text)) values[name] = fromForm(value);
  } else if (text !== "") {
    try {
      Object.assign(values, JSON.parse(text));
    } catch {
      return undefined;
    }
  }
  return { values, files: new Map() };
}

/** In a form, what is not a text is JSON. A text may look like JSON too; only what must be an object is read so. */
function fromForm(value: string): unknown {
  if (!/^[[{]/.test(value)) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

interface Part {
  readonly name: string;
  readonly filename: string | undefined;
  readonly bytes: Uint8Array;
}

function readMultipart(body: Uint8Array, boundary: string): readonly Part[] {
  const encoder = new TextEncoder();
  const delimiter = encoder.encode(`--${boundary}`);
  const blank = encoder.encode("\r\n\r\n");
  const parts: Part[] = [];
  let from = indexOf(body, delimiter, 0);
  while (from >= 0) {
    const begin = from + delimiter.length + 2;
    const next = indexOf(body, delimiter, begin);
    if (next < 0) break;
    const head = indexOf(body, blank, begin);
    if (head >= 0 && head < next) {
      const headers = new TextDecoder().decode(body.subarray(begin, head));
      const name = /;\s*name="([^"]*)"/i.exec(headers)?.[1];
      const filename = /;\s*filename="?([^"\r\n;]*)/i.exec(headers)?.[1];
      if (name !== undefined) parts.push({ name, filename, bytes: body.slice(head + blank.length, next - 2) });
    }
    from = next;
  }
  return parts;
}

function indexOf(bytes: Uint8Array, wanted: Uint8Array, from: number): number {
  const first = wanted[0] ?? 0;
  for (let at = bytes.indexOf(first, from); at >= 0; at = bytes.indexOf(first, at + 1)) {
    let length = 1;
    while (length < wanted.length && bytes[at + length] === wanted[length]) length += 1;
    if (length === wanted.length) return at;
  }
  return -1;
}
