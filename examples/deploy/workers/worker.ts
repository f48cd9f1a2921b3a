// Cloudflare Workers: one Durable Object is the store and runs the bot. See wrangler.jsonc beside this file.
import { createWorker, type PosthornWorker } from "../../../adapters/app/worker.ts";
import { CONFIG, route } from "../bot.ts";

const worker: PosthornWorker = createWorker(CONFIG, { onStart: route, logger: console });
export const PosthornObject: PosthornWorker["PosthornObject"] = worker.PosthornObject;
export default worker;
