// <rb-tree>: folding and arrow keys for a tree that the server rendered (ARIA tree pattern).
// What is folded is remembered by node id, because live patches bring the server's unfolded markup.

const folded = new Set<string>();

function items(tree: Element): HTMLElement[] {
  return [...tree.querySelectorAll<HTMLElement>("[role=treeitem]")].filter((item) => item.offsetParent !== null);
}

function fold(item: HTMLElement, shut: boolean): void {
  if (!item.hasAttribute("aria-expanded")) return;
  if (shut) folded.add(item.id); else folded.delete(item.id);
  item.setAttribute("aria-expanded", String(!shut));
}

class Tree extends HTMLElement {
  private observer = new MutationObserver(() => this.restore());

  connectedCallback(): void {
    this.observer.observe(this, { childList: true, subtree: true });
    this.addEventListener("click", this.clicked);
    this.addEventListener("keydown", this.pressed);
    this.restore();
  }

  disconnectedCallback(): void {
    this.observer.disconnect();
    this.removeEventListener("click", this.clicked);
    this.removeEventListener("keydown", this.pressed);
  }

  private restore(): void {
    for (const item of this.querySelectorAll<HTMLElement>("[role=treeitem][aria-expanded]")) {
      const open = String(!folded.has(item.id));
      if (item.getAttribute("aria-expanded") !== open) item.setAttribute("aria-expanded", open);
    }
    const chosen = this.dataset.selected;
    for (const item of this.querySelectorAll<HTMLElement>("[role=treeitem]")) {
      const is = String(item.id === chosen);
      if (item.getAttribute("aria-selected") !== is) item.setAttribute("aria-selected", is);
    }
  }

  private clicked = (event: Event): void => {
    const target = event.target as Element;
    const item = target.closest<HTMLElement>("[role=treeitem]");
    if (!item) return;
    if (target.closest("[data-fold]")) {
      fold(item, item.getAttribute("aria-expanded") === "true");
      event.preventDefault();
    } else if (target.closest("a")) {
      this.dataset.selected = item.id;
      this.restore();
    }
  };

  private pressed = (event: KeyboardEvent): void => {
    const item = (event.target as Element).closest<HTMLElement>("[role=treeitem]");
    if (!item || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = items(this);
    const at = all.indexOf(item);
    const go = (to: HTMLElement | null | undefined): void => to?.querySelector<HTMLElement>("a")?.focus();
    switch (event.key) {
      case "ArrowDown": go(all[at + 1]); break;
      case "ArrowUp": go(all[at - 1]); break;
      case "Home": go(all[0]); break;
      case "End": go(all.at(-1)); break;
      case "ArrowRight":
        if (item.getAttribute("aria-expanded") === "false") fold(item, false); else go(all[at + 1]);
        break;
      case "ArrowLeft":
        if (item.getAttribute("aria-expanded") === "true") fold(item, true);
        else go(item.parentElement?.closest<HTMLElement>("[role=treeitem]"));
        break;
      default: return;
    }
    event.preventDefault();
  };
}

export function startTree(): void {
  customElements.define("rb-tree", Tree);
}
