// The frame: where one is, how the host is, and the keys.
import { Actors } from "./actors.mjs";
import { Api } from "./api.mjs";
import { Attention, wanting } from "./attention.mjs";
import { button, dialog, field, h, put, say } from "./dom.mjs";
import { Events } from "./events.mjs";
import { help, HostView } from "./host.mjs";
import { Live } from "./live.mjs";
import { Plugins } from "./plugins.mjs";
import { address, readRoute, tokenIn, VIEWS } from "./route.mjs";
import { Store } from "./store.mjs";
import { count, moment, plain, span } from "./text.mjs";

const VIEW_LABELS = {
  actors: "Actors",
  attention: "Attention",
  plugins: "Plugins",
  events: "Events",
  store: "Store",
  host: "Host",
};
const MADE = { actors: Actors, attention: Attention, plugins: Plugins, events: Events, store: Store, host: HostView };
const SCHEME = "baton-scheme";
const SCHEMES = { auto: "as the system", light: "light", dark: "dark" };

class Page {
  constructor() {
    this.api = new Api(sessionStorage);
    this.live = new Live(this.api);
    this.views = {};
    this.at = { view: null };
    this.frame();
    this.scheme(localStorage.getItem(SCHEME) ?? "auto");
    addEventListener("hashchange", () => this.route());
    addEventListener("keydown", (event) => this.pressed(event));
    this.live.addEventListener("change", () => this.update());
    this.live.addEventListener("locked", () => this.unlock());
    // Times that are shown grow older.
    setInterval(() => this.drawState(), 1_000);
    this.route();
    this.live.begin();
  }

  frame() {
    const find = (id) => document.getElementById(id);
    Object.assign(this, { main: find("main"), state: find("state"), banner: find("banner"), nav: find("nav") });
    this.links = VIEWS.map((view, at) => {
      const badge = h("span.badge", { hidden: true });
      const link = h(
        "a",
        { href: address(view), title: `${VIEW_LABELS[view]} (${at + 1})` },
        h("span", {}, VIEW_LABELS[view]),
        badge,
      );
      return { view, link, badge };
    });
    put(this.nav, ...this.links.map(({ link }) => link));
    this.switch = find("scheme");
    this.switch.addEventListener("click", () => this.turn());
    find("token").addEventListener("click", () => this.askToken(""));
    find("help").addEventListener("click", () => this.help());
  }

  scheme(wanted) {
    this.wanted = Object.hasOwn(SCHEMES, wanted) ? wanted : "auto";
    if (this.wanted === "auto") delete document.documentElement.dataset.scheme;
    else document.documentElement.dataset.scheme = this.wanted;
    const label = `Colours: ${SCHEMES[this.wanted]}`;
    this.switch.title = label;
    this.switch.setAttribute("aria-label", label);
  }

  turn() {
    const all = Object.keys(SCHEMES);
    this.scheme(all[(all.indexOf(this.wanted) + 1) % all.length]);
    localStorage.setItem(SCHEME, this.wanted);
  }

  /** Goes to an address; in place of the one before, where one only moves along. */
  go(to, instead = false) {
    if (!instead) {
      location.hash = to;
      return;
    }
    history.replaceState(null, "", to);
    this.route();
  }

  route() {
    const token = tokenIn(location.hash);
    if (token !== null) {
      this.api.use(token);
      history.replaceState(null, "", location.pathname);
      this.live.begin();
    }
    const asked = readRoute(location.hash);
    const changed = asked.view !== this.at.view;
    this.at = asked;
    this.view = this.views[asked.view] ??= new MADE[asked.view](this);
    if (changed) put(this.main, this.view.element);
    for (const { view, link } of this.links) {
      if (view === asked.view) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    this.view.route(asked);
    this.update();
  }

  update() {
    this.view.update();
    this.drawState();
    const { urgent } = wanting(this.live.grown);
    for (const { view, badge } of this.links) {
      if (view !== "attention") continue;
      badge.hidden = urgent.length === 0;
      say(badge, count(urgent.length));
    }
    const worry = urgent.length === 0 ? "" : `(${urgent.length}) `;
    document.title = `${worry}${this.view.title()} · Baton`;
  }

  drawState() {
    const { live } = this;
    const { health, link } = live;
    document.body.dataset.link = link;
    const words = { connecting: "connecting", there: health?.state ?? "", gone: "gone", locked: "token wanted" };
    const news = link !== "there" ? "" : live.streams === true ? "live" : "polling";
    const text = JSON.stringify([words[link], news, health?.actors, health?.held, health?.failed]);
    if (text !== this.drawn) {
      this.drawn = text;
      const dot = h("span.dot", { "aria-hidden": "true" });
      const numbers =
        health === null
          ? []
          : [
              h("span.figure", {}, h("b", {}, count(health.actors)), ` ${health.actors === 1 ? "actor" : "actors"}`),
              health.held > 0 ? h("span.figure.p-held", {}, h("b", {}, count(health.held)), " held") : null,
              health.failed > 0 ? h("span.figure.p-failed", {}, h("b", {}, count(health.failed)), " failed") : null,
            ];
      put(
        this.state,
        h("span.link", {}, dot, ` ${words[link]}`),
        news === "" ? null : h("span.news", {}, news),
        ...numbers,
      );
    }
    const banner = this.bannerText();
    this.banner.hidden = banner === null;
    say(this.banner, banner ?? "");
  }

  bannerText() {
    const { live } = this;
    if (live.link === "gone") {
      const since = live.lost === null ? "" : ` since ${moment(live.lost)} (${span(Date.now() - live.lost)})`;
      const kept = live.health === null ? "" : " What is shown is what was known then.";
      return `The host does not answer${since}: ${plain(live.why ?? "")}. It is tried again.${kept}`;
    }
    if (live.link === "locked") return `The host wants a token: ${plain(live.why ?? "")}`;
    if (live.refused !== null) return `This token may not look at the actors: ${plain(live.refused)}`;
    if (live.health?.store_trouble) return `The store: ${plain(live.health.store_trouble)}`;
    if (live.health?.state === "stopping") return "The host is stopping.";
    return null;
  }

  unlock() {
    if (this.asking === true) return;
    this.askToken(this.api.token === null ? "" : "The token that was used is not known to the host, or no more.");
  }

  async askToken(why) {
    if (this.asking === true) return;
    this.asking = true;
    const input = h("input", { type: "password", autocomplete: "off", spellcheck: "false", autofocus: true });
    const token = await dialog("Token", (close) =>
      h(
        "form",
        {
          onsubmit: (event) => {
            event.preventDefault();
            close(input.value.trim());
          },
        },
        why === "" ? null : h("p.warn", {}, why),
        h(
          "p",
          {},
          "Over the network the host answers only with a bearer token from its file of tokens. It is kept for this tab, and gone when the tab is closed.",
        ),
        field("Token", input),
        h(
          "div.actions",
          {},
          button("Without one", () => close(""), { kind: "quiet" }),
          h("button.main", {}, "Use it"),
        ),
      ),
    );
    this.asking = false;
    if (token === null) return;
    this.api.use(token === "" ? null : token);
    this.live.begin();
  }

  async help() {
    if (document.querySelector("dialog") !== null) return;
    await dialog("Keys", help);
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog") !== null) return;
    const typing = event.target.closest?.("input, textarea, select") !== null;
    if (event.key === "Escape") {
      if (typing) event.target.blur();
      else if (this.view.escape?.()) event.preventDefault();
      return;
    }
    if (typing) return;
    const view = VIEWS[Number(event.key) - 1];
    if (view !== undefined) this.go(address(view));
    else if (event.key === "/" && this.view.search) this.view.search.focus();
    else if (event.key === "?") this.help();
    else if (event.key === "r") this.live.look();
    else if (event.key === "[" || event.key === "]") this.side(event.key === "]" ? 1 : -1);
    else return;
    event.preventDefault();
  }

  side(step) {
    const tabs = [...document.querySelectorAll(".tabs [role=tab]")];
    const at = tabs.findIndex((tab) => tab.getAttribute("aria-selected") === "true");
    if (at !== -1) this.go(tabs[(at + step + tabs.length) % tabs.length].getAttribute("href"), true);
  }
}

new Page();
