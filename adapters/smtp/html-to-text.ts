/**
 * The plain text of an HTML message: the library's own, under the name it has here.
 *
 * @module
 */
export { htmlToText } from "../../core/mod.ts";
