// The keyboard: g then a letter goes somewhere, Ctrl K searches, j and k walk rows, y shows YAML, ? explains.
import { openDialog } from "./pieces";

let pending = 0;

function typing(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement;
  if (target instanceof HTMLInputElement) return !/^(checkbox|radio|button|submit)$/.test(target.type);
  return target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName);
}

function walk(step: number): void {
  const links = [...document.querySelectorAll<HTMLElement>("[data-row-link]")].filter((link) => link.offsetParent !== null);
  if (!links.length) return;
  const at = links.indexOf(document.activeElement as HTMLElement);
  const to = at < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + step));
  links[to].focus();
  links[to].scrollIntoView({ block: "nearest" });
}

export function openSearch(): void {
  openDialog("search");
  const input = document.getElementById("search-input");
  if (input instanceof HTMLInputElement) { input.focus(); input.select(); }
}

function walkHits(event: KeyboardEvent): void {
  const hits = [...document.querySelectorAll<HTMLElement>("#search-hits a")];
  if (!hits.length) return;
  const at = hits.findIndex((hit) => hit.classList.contains("is-current"));
  if (event.key === "Enter") { hits[Math.max(0, at)].click(); event.preventDefault(); return; }
  const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
  if (!step) return;
  event.preventDefault();
  hits[at]?.classList.remove("is-current");
  const to = hits[(at + step + hits.length) % hits.length];
  to.classList.add("is-current");
  to.scrollIntoView({ block: "nearest" });
}

export function startKeys(): void {
  document.addEventListener("click", (event) => {
    if ((event.target as Element).closest("[data-open-search]")) openSearch();
  });
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      openSearch();
      return;
    }
    if ((event.target as HTMLElement).id === "search-input") { walkHits(event); return; }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event) || document.querySelector("dialog[open]")) return;
    if (pending) {
      window.clearTimeout(pending);
      pending = 0;
      document.querySelector<HTMLAnchorElement>(`.rail a[data-key="${CSS.escape(event.key)}"]`)?.click();
      return;
    }
    switch (event.key) {
      case "g": pending = window.setTimeout(() => { pending = 0; }, 900); break;
      case "j": walk(1); break;
      case "k": walk(-1); break;
      case "/": {
        const filter = document.querySelector<HTMLInputElement>("[data-filter]");
        if (!filter) return openSearch();
        event.preventDefault();
        filter.focus();
        break;
      }
      case "y": document.querySelector<HTMLElement>("[data-yaml]")?.click(); break;
      case "c": document.querySelector<HTMLAnchorElement>('.rail a[data-key="n"]')?.click(); break;
      case "?": openDialog("shortcuts"); break;
      default:
    }
  });
}
