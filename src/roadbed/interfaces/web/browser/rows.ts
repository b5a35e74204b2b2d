// Lists and maps in forms: rows are added from the server's <template> and taken out again.

function next(rows: Element): number {
  const numbers = [...rows.querySelectorAll<HTMLElement>(":scope > [data-row]")].map((row) => Number(row.dataset.row));
  return numbers.length ? Math.max(...numbers) + 1 : 0;
}

function add(list: HTMLElement): void {
  const rows = list.querySelector<HTMLElement>(":scope > [data-rows]");
  const template = list.querySelector<HTMLTemplateElement>(":scope > template");
  if (!rows || !template) return;
  const number = String(next(rows));
  const holder = document.createElement("div");
  holder.innerHTML = template.innerHTML.replaceAll(list.dataset.token ?? "", number);
  const row = holder.firstElementChild as HTMLElement;
  row.dataset.row = number;
  rows.append(row);
  window.htmx.process(row);
  row.querySelector<HTMLElement>("input:not([type=hidden]), select, textarea")?.focus();
  changed(list);
}

function changed(element: Element): void {
  element.dispatchEvent(new Event("change", { bubbles: true }));
}

export function startRows(): void {
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLElement>("[data-add-row], [data-drop-row]");
    if (!button) return;
    event.preventDefault();
    const list = button.closest<HTMLElement>("[data-list]");
    if (!list) return;
    if (button.hasAttribute("data-add-row")) {
      add(list);
    } else {
      button.closest("[data-row]")?.remove();
      list.querySelector<HTMLElement>(":scope > [data-add-row]")?.focus();
      changed(list);
    }
  });
}
