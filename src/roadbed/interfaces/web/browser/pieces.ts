// Small behaviours: copying, dialogs, the rail, rows that are links, the theme before the page asks.

function toast(text: string): void {
  const place = document.getElementById("toasts");
  if (!place) return;
  const message = document.createElement("div");
  message.className = "toast";
  message.textContent = text;
  place.append(message);
  window.setTimeout(() => message.remove(), 2500);
}

async function copy(button: HTMLElement): Promise<void> {
  const from = button.dataset.copyFrom;
  const source = from ? document.getElementById(from) : null;
  const text = button.dataset.copy ?? (source instanceof HTMLTextAreaElement ? source.value : source?.textContent) ?? "";
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied");
  } catch {
    toast("The browser does not allow copying here: select the text and copy it by hand");
  }
}

export function openDialog(id: string): void {
  const dialog = document.getElementById(id);
  if (dialog instanceof HTMLDialogElement && !dialog.open) dialog.showModal();
}

function toggleRail(): void {
  const slim = document.documentElement.dataset.rail === "slim";
  document.documentElement.dataset.rail = slim ? "wide" : "slim";
  document.cookie = `roadbed_rail=${slim ? "wide" : "slim"}; path=/; max-age=31536000; samesite=lax`;
}

const UNITS: [number, string][] = [[31_536_000, "y"], [86_400, "d"], [3_600, "h"], [60, "m"], [1, "s"]];

// As the server words ages (words.age), so that they go on without asking it.
function age(seconds: number): string {
  for (const [at, [size, unit]] of UNITS.entries()) {
    const count = Math.floor(seconds / size);
    if (count) {
      const minutes = unit === "h" && count < 10 ? Math.floor((seconds % size) / UNITS[at + 1][0]) : 0;
      return minutes ? `${count}h${minutes}m` : `${count}${unit}`;
    }
  }
  return "0s";
}

function tick(): void {
  for (const time of document.querySelectorAll<HTMLTimeElement>("time.age")) {
    const then = Date.parse(time.dateTime);
    if (!Number.isNaN(then)) time.textContent = age(Math.max(0, (Date.now() - then) / 1000));
  }
}

export function startPieces(): void {
  window.setInterval(tick, 5_000);
  // A refused form begins where it has to be mended.
  document.querySelector<HTMLElement>('#create-form [aria-invalid="true"]')?.focus();
  document.addEventListener("click", (event) => {
    const target = event.target as Element;
    const copies = target.closest<HTMLElement>("[data-copy], [data-copy-from]");
    if (copies) { void copy(copies); return; }
    if (target.closest("[data-toggle-rail]")) { toggleRail(); return; }
    const opens = target.closest<HTMLElement>("[data-open-dialog]");
    if (opens) { openDialog(opens.dataset.openDialog ?? ""); return; }
    const closes = target.closest("[data-close-dialog]");
    if (closes) { closes.closest("dialog")?.close(); return; }
    if (target instanceof HTMLDialogElement) { target.close(); return; } // a click on the backdrop
    const row = target.closest<HTMLElement>("tr[data-href]");
    const chosen = window.getSelection()?.toString();
    if (row && !chosen && !target.closest("a, button, input, label")) {
      row.querySelector<HTMLAnchorElement>("a")?.click();
    }
  });
  // A dialog that the server sent opens as soon as it is here.
  document.addEventListener("htmx:afterSwap", (event) => {
    const dialog = (event.target as Element).querySelector?.("dialog[data-auto-open]");
    if (dialog instanceof HTMLDialogElement && !dialog.open) dialog.showModal();
  });
  // A form's YAML is never replaced under the hands of somebody who is typing in it.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { target } = (event as CustomEvent).detail as { target: Element };
    if (target.id === "yaml" && target === document.activeElement) {
      (event as CustomEvent).detail.shouldSwap = false;
    }
  });
  // Deleting needs the name; the button says so by waking up.
  document.addEventListener("input", (event) => {
    const input = event.target as HTMLInputElement;
    if (input.dataset.confirms === undefined) return;
    const button = input.form?.querySelector<HTMLButtonElement>("button[type=submit]");
    if (button) button.disabled = input.value !== input.dataset.confirms;
  });
  // A two-space step in YAML, and Escape then Tab to leave, as editors do.
  document.addEventListener("keydown", (event) => {
    const area = event.target;
    if (!(area instanceof HTMLTextAreaElement) || !area.classList.contains("code-input")) return;
    if (event.key === "Tab" && !event.shiftKey && area.dataset.leaving === undefined) {
      event.preventDefault();
      area.setRangeText("  ", area.selectionStart, area.selectionEnd, "end");
      area.dispatchEvent(new Event("input", { bubbles: true }));
    } else if (event.key === "Escape") {
      area.dataset.leaving = "";
    } else if (event.key !== "Tab") {
      delete area.dataset.leaving;
    }
  });
  document.addEventListener("change", (event) => {
    const select = event.target as HTMLElement;
    if (select.hasAttribute("data-submits")) (select as HTMLSelectElement).form?.requestSubmit();
  });
  document.addEventListener("htmx:responseError", () => toast("The portal refused that; load the page again"));
  document.addEventListener("htmx:sendError", () => toast("The portal cannot be reached"));
}
