// A list of any length of which only what is seen is in the page, with the keys of a tree grid.
import { h, put, say } from "./dom.mjs";

/** Rows beyond the edges that are there already when somebody scrolls. */
const SPARE = 12;

/**
 * `columns`: each with `id`, `label`, `draw(cell, row)`, and `sort`, what a click on its head sorts by.
 * `acts`: `open(row)`, `toggle(row, open)`, `sort(by)`, `changed()` once another row is active.
 */
export class Grid {
  constructor({ label, columns, acts, key }) {
    this.columns = columns;
    this.acts = acts;
    this.key = key;
    this.rows = [];
    this.active = null;
    this.pool = new Map();
    this.height = 0;
    this.head = h("div.row.head", { role: "row", "aria-rowindex": "1" });
    this.body = h("div.rows", { role: "rowgroup" });
    this.element = h(
      "div.grid",
      { role: "treegrid", tabindex: "0", "aria-label": label, "aria-colcount": String(columns.length) },
      h("div.heads", { role: "rowgroup" }, this.head),
      this.body,
    );
    this.heads();
    this.element.addEventListener("scroll", () => this.draw(), { passive: true });
    this.element.addEventListener("keydown", (event) => this.pressed(event));
    this.body.addEventListener("click", (event) => this.clicked(event));
    new ResizeObserver(() => this.measure()).observe(this.element);
  }

  heads() {
    put(
      this.head,
      ...this.columns.map((column) => {
        const label =
          column.sort === undefined
            ? column.label
            : // Not on the way of the Tab key: the choice above the list does the same.
              h(
                "button.plain",
                { type: "button", tabindex: "-1", onclick: () => this.acts.sort(column.sort) },
                column.label,
              );
        return h(`span.cell.${column.id}`, { role: "columnheader", title: column.title ?? null }, label);
      }),
    );
  }

  /** Marks the column by which it is sorted. */
  sorted(by, turned) {
    this.columns.forEach((column, at) => {
      const cell = this.head.children[at];
      if (column.sort === by && by !== "tree") cell.setAttribute("aria-sort", turned ? "ascending" : "descending");
      else cell.removeAttribute("aria-sort");
    });
  }

  measure() {
    this.height = 0;
    this.draw();
  }

  /** Shows these rows. The one that is active stays so, if it is still there. */
  show(rows) {
    this.rows = rows;
    this.places = null;
    this.element.setAttribute("aria-rowcount", String(rows.length + 1));
    if (this.active !== null && this.place(this.active) === -1) this.active = null;
    this.draw();
  }

  place(key) {
    if (this.places === null) this.places = new Map(this.rows.map((row, at) => [this.key(row), at]));
    return this.places.get(key) ?? -1;
  }

  draw() {
    if (this.height === 0)
      this.height = Number.parseFloat(getComputedStyle(this.element).getPropertyValue("--row")) || 28;
    const { scrollTop, clientHeight } = this.element;
    if (clientHeight === 0) return;
    this.body.style.height = `${this.rows.length * this.height}px`;
    const first = Math.max(0, Math.floor(scrollTop / this.height) - SPARE);
    const last = Math.min(this.rows.length, Math.ceil((scrollTop + clientHeight) / this.height) + SPARE);
    const wanted = new Set();
    for (let at = first; at < last; at += 1) wanted.add(at);
    // The active row is named by the grid, and so has to be there.
    const active = this.active === null ? -1 : this.place(this.active);
    if (active !== -1) wanted.add(active);
    const free = [];
    for (const [at, row] of this.pool) {
      if (wanted.has(at)) continue;
      this.pool.delete(at);
      free.push(row);
    }
    for (const at of wanted) {
      let row = this.pool.get(at);
      if (row === undefined) {
        row = free.pop() ?? this.made();
        this.pool.set(at, row);
        row.style.transform = `translateY(${at * this.height}px)`;
      }
      this.drawn(row, at, at === active);
    }
    for (const row of free) row.remove();
    this.element.setAttribute("aria-activedescendant", active === -1 ? "" : this.pool.get(active).id);
  }

  made() {
    Grid.ids = (Grid.ids ?? 0) + 1;
    const cells = this.columns.map((column) => h(`span.cell.${column.id}`, { role: "gridcell" }));
    const row = h("div.row", { role: "row", id: `row-${Grid.ids}` }, ...cells);
    this.body.append(row);
    return row;
  }

  drawn(element, at, active) {
    const row = this.rows[at];
    const set = (name, value) => {
      const text = value === null ? null : String(value);
      if (element.getAttribute(name) === text) return;
      if (text === null) element.removeAttribute(name);
      else element.setAttribute(name, text);
    };
    element.row = row;
    set("aria-rowindex", at + 2);
    set("aria-level", row.level);
    set("aria-posinset", row.at);
    set("aria-setsize", row.of);
    set("aria-expanded", row.open);
    set("aria-selected", active);
    element.style.setProperty("--level", String(row.level - 1));
    element.classList.toggle("above", row.above);
    element.classList.toggle("chosen", row.chosen === true);
    this.columns.forEach((column, place) => column.draw(element.children[place], row));
  }

  /** Makes a row the active one, and brings it into sight. */
  go(at, { quiet = false } = {}) {
    if (this.rows.length === 0) return;
    const to = Math.max(0, Math.min(this.rows.length - 1, at));
    this.active = this.key(this.rows[to]);
    const heads = this.head.offsetHeight;
    const room = this.element.clientHeight - heads;
    const top = to * this.height;
    if (top < this.element.scrollTop) this.element.scrollTop = top;
    else if (top + this.height > this.element.scrollTop + room) this.element.scrollTop = top + this.height - room;
    this.draw();
    if (!quiet) this.acts.changed?.(this.rows[to]);
  }

  clicked(event) {
    const row = event.target.closest(".row")?.row;
    if (row === undefined) return;
    const at = this.place(this.key(row));
    if (at === -1) return;
    this.go(at, { quiet: true });
    if (event.target.closest(".twist") !== null && row.open !== null) this.acts.toggle(row, !row.open);
    else this.acts.open(row);
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== this.element) return;
    const at = this.active === null ? -1 : this.place(this.active);
    const row = this.rows[at];
    const page = Math.max(1, Math.floor(this.element.clientHeight / this.height) - 2);
    const steps = {
      ArrowDown: at + 1,
      ArrowUp: Math.max(0, at - 1),
      Home: 0,
      End: Infinity,
      PageDown: at + page,
      PageUp: at - page,
    };
    if (event.key in steps) this.go(steps[event.key]);
    else if (event.key === "ArrowRight" && row?.open === false) this.acts.toggle(row, true);
    else if (event.key === "ArrowRight" && row?.open === true) this.go(at + 1);
    else if (event.key === "ArrowLeft" && row?.open === true && !row.above && this.acts.toggle(row, false))
      return event.preventDefault();
    else if (event.key === "ArrowLeft" && row !== undefined) this.up(at);
    else if ((event.key === "Enter" || event.key === " ") && row !== undefined) this.acts.open(row);
    else return undefined;
    return event.preventDefault();
  }

  /** To the row above in the tree. */
  up(at) {
    const level = this.rows[at].level;
    for (let above = at - 1; above >= 0; above -= 1) {
      if (this.rows[above].level < level) return this.go(above);
    }
    return undefined;
  }
}

/** A cell of one text. */
export function text(of, title = null) {
  return (cell, row) => {
    say(cell, of(row));
    if (title !== null) cell.title = title(row);
  };
}
