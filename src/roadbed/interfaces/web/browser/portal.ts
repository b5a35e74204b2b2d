// The portal's browser side: htmx with server-sent events and morphing, and the small islands that pages use.
// Loaded once per page, at its end; everything works by event delegation, because htmx replaces parts of pages.
import htmx from "htmx.org";
import "htmx-ext-sse";
import { Idiomorph } from "idiomorph/dist/idiomorph.esm.js";
import { startKeys } from "./keys";
import { startLive } from "./live";
import { startPieces } from "./pieces";
import { startRows } from "./rows";
import { startTree } from "./tree";

declare global {
  interface Window { htmx: typeof htmx; Idiomorph: typeof Idiomorph }
}

window.htmx = htmx;
window.Idiomorph = Idiomorph;

// What morphing needs is told without htmx's own extension, which builds functions from text: the content
// security policy forbids that.
htmx.defineExtension("morph", {
  isInlineSwap: (style: string) => style === "morph:outerHTML",
  handleSwap(style: string, target: Element, fragment: Node) {
    if (style !== "morph" && !style.startsWith("morph:")) return false;
    const content = fragment instanceof DocumentFragment ? fragment.children : fragment;
    const options = {
      morphStyle: (style.split(":")[1] ?? "outerHTML") as "innerHTML" | "outerHTML",
      ignoreActiveValue: true, // what is being typed stays
      // The server sends no styles (the policy would refuse them); those that are there came from a person's
      // resizing, or from the browser.
      callbacks: { beforeAttributeUpdated: (name: string) => name !== "style" },
    };
    // Comments and texts between elements are nothing that a page needs.
    return Idiomorph.morph(target, content as never, options) as unknown as Node[];
  },
});

startLive();
startTree();
startRows();
startPieces();
startKeys();
