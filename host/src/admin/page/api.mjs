// The way to the host: requests, problems, and the stream of events.

/** How long an answer may take, in milliseconds, unless told. */
const ANSWER_MS = 15_000;
/** Where the token is kept: for this tab alone. */
const TOKEN = "baton-token";
/** Longest event of a stream that is taken, in characters. */
const EVENT_CHARS = 4 << 20;

/** What the host refused, in its own words. */
export class Problem extends Error {
  constructor(status, told) {
    super(told.detail ?? told.title ?? `the host answered with ${status}`);
    this.status = status;
    this.code = told.code ?? String(status);
    this.title = told.title ?? "It was refused";
    this.hint = told.hint ?? null;
    this.hold = told.hold ?? null;
    this.failure = told.failure ?? null;
  }
}

/** Nobody answered. */
export class Gone extends Error {
  constructor(why) {
    super(why);
    this.code = "gone";
    this.title = "The host does not answer";
    this.hint = null;
  }
}

/** The name of an actor or a plugin as a part of a path. */
export function named(name) {
  return encodeURIComponent(name);
}

/** Parameters of a request; those that are null or undefined are left out. */
export function query(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined);
  const text = given.map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join("&");
  return text === "" ? "" : `?${text}`;
}

/** Cuts a stream of server-sent events into events. */
export class Frames {
  constructor() {
    this.rest = "";
  }

  /** The events that are whole after `text`. */
  push(text) {
    const lines = (this.rest + text).replace(/\r\n/g, "\n").split("\n\n");
    this.rest = lines.pop();
    if (this.rest.length > EVENT_CHARS) throw new Gone("an event is too long");
    return lines.map((block) => Frames.read(block)).filter((event) => event.data !== null);
  }

  static read(block) {
    const event = { id: null, event: "message", data: null };
    for (const line of block.split("\n")) {
      const [, field, value] = /^([a-z]+): ?(.*)$/.exec(line) ?? [];
      if (field === "data") event.data = event.data === null ? value : `${event.data}\n${value}`;
      else if (field === "id" || field === "event") event[field] = value;
    }
    return event;
  }
}

export class Api {
  constructor(storage) {
    this.storage = storage;
    this.token = storage.getItem(TOKEN);
  }

  /** Keeps a token for this tab; null forgets it. */
  use(token) {
    this.token = token;
    if (token === null) this.storage.removeItem(TOKEN);
    else this.storage.setItem(TOKEN, token);
  }

  headers(more = {}) {
    return this.token === null ? more : { ...more, Authorization: `Bearer ${this.token}` };
  }

  /** The answer, whatever it is of; a refusal is thrown as a [Problem], silence as [Gone]. */
  async fetch(method, path, { body = null, headers = {}, timeout = ANSWER_MS, signal = null } = {}) {
    const signals = [signal, timeout === null ? null : AbortSignal.timeout(timeout)].filter((one) => one !== null);
    let response;
    try {
      response = await fetch(path, {
        method,
        body,
        headers: this.headers(headers),
        signal: AbortSignal.any(signals),
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
        referrerPolicy: "no-referrer",
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      const late = error.name === "TimeoutError";
      throw new Gone(late ? `no answer within ${timeout / 1_000} s` : "the connection failed");
    }
    if (!response.ok) throw await Api.problem(response);
    return response;
  }

  static async problem(response) {
    let told = {};
    try {
      told = JSON.parse(await response.text());
    } catch {
      // Whoever stands between answers in words of his own.
    }
    return new Problem(response.status, typeof told === "object" && told !== null ? told : {});
  }

  async json(method, path, options = {}) {
    const response = await this.fetch(method, path, options);
    try {
      return await response.json();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Gone("the answer broke off");
    }
  }

  get(path, options = {}) {
    return this.json("GET", path, options);
  }

  post(path, options = {}) {
    return this.json("POST", path, options);
  }

  /** Follows the events from `after` on, or from the oldest that is kept, until `signal`; tells each to `heard`, and that it listens to `open`. */
  async events(after, { open, heard, signal }) {
    const headers = { Accept: "text/event-stream", ...(after === null ? {} : { "Last-Event-ID": String(after) }) };
    const path = `/v1/events${after === null ? "?since=0" : ""}`;
    const response = await this.fetch("GET", path, { headers, timeout: null, signal });
    open();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const frames = new Frames();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      for (const frame of frames.push(value)) heard(JSON.parse(frame.data));
    }
  }
}
