// The live dot, and the flash of what changed. The stream itself is htmx's SSE extension.

type State = "off" | "live" | "stale" | "gone";
const STALE_AFTER_MS = 35_000; // the server says something at least every 15 s

let silence = 0;

function show(state: State): void {
  const words = { off: "", live: "Live", stale: "Stale: reconnecting", gone: "Gone" };
  for (const dot of document.querySelectorAll<HTMLElement>("[data-live-dot]")) {
    dot.dataset.liveDot = state;
    const text = dot.querySelector("span");
    if (text) text.textContent = words[state];
  }
}

function heard(): void {
  show("live");
  window.clearTimeout(silence);
  silence = window.setTimeout(() => show("stale"), STALE_AFTER_MS);
}

export function startLive(): void {
  document.addEventListener("htmx:sseOpen", (event) => {
    heard();
    const source = (event as CustomEvent).detail.source as EventSource;
    source.addEventListener("ping", heard);
  });
  document.addEventListener("htmx:sseMessage", heard);
  document.addEventListener("htmx:sseError", () => show("stale"));
  document.addEventListener("htmx:sseClose", (event) => {
    window.clearTimeout(silence);
    if ((event as CustomEvent).detail?.type === "message") show("gone");
  });
  // A row whose revision changed flashes once. Rows that morphing adds are new to the reader: they flash too.
  new MutationObserver((changes) => {
    for (const change of changes) {
      if (change.type === "attributes") flash(change.target as HTMLElement);
    }
  }).observe(document.body, { subtree: true, attributes: true, attributeFilter: ["data-rev"] });
}

function flash(element: HTMLElement): void {
  element.classList.remove("flash");
  void element.offsetWidth; // lets the animation start again
  element.classList.add("flash");
  element.addEventListener("animationend", () => element.classList.remove("flash"), { once: true });
}
