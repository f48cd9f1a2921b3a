/**
 * A `fetch` that sends a request once.
 *
 * @module
 */

/** The slice of `fetch` that is used. */
export type FetchLike = (url: string, init: RequestInit) => Promise<Response>;

/**
 * The platform's `fetch`, kept from sending a request twice.
 *
 * Deno repeats a request by itself when the connection ends before an answer came, though the server may have taken it
 * (denoland/deno#35610, and on kept connections since): a message would go out twice, and nobody would know. It repeats
 * only what it has in memory, so a body goes in as a stream there. HTTP/2 sends it as before; HTTP/1.1 in chunks.
 *
 * Use it in a backend of your own, wherever a request must not arrive twice unseen.
 *
 * @returns A `fetch`, to be called as a free function.
 *
 * @example
 * ```ts
 * import { createOnceFetch } from "posthorn/webhook";
 *
 * const fetchOnce = createOnceFetch();
 *
 * async function page(text: string, signal: AbortSignal): Promise<number> {
 *   const response = await fetchOnce("https://pager.example.com/pages", { method: "POST", body: text, signal });
 *   await response.body?.cancel();
 *   return response.status;
 * }
 * console.log(typeof page); // function
 * ```
 */
export function createOnceFetch(): FetchLike {
  if (!Reflect.has(globalThis, "Deno")) return (url, init) => fetch(url, init);
  return function fetchOnce(url, init) {
    const { body } = init;
    if (typeof body !== "string" && !(body instanceof Uint8Array)) return fetch(url, init);
    const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
    const stream = new ReadableStream<Uint8Array>({
      start(controller): void {
        if (bytes.length > 0) controller.enqueue(bytes);
        controller.close();
      },
    });
    const streamed: RequestInit & { readonly duplex: "half" } = { ...init, body: stream, duplex: "half" };
    return fetch(url, streamed);
  };
}
