// The supervision tree as rows of a list. Pure.

/** All phases, those that want attention first. */
export const PHASES = [
  "failed",
  "held",
  "restarting",
  "stopping",
  "starting",
  "continuing",
  "suspended",
  "running",
  "asleep",
  "down",
];

/** Where a node stands: an actor's phase, else what its supervisor knows. */
export function phaseOf(node) {
  const state = node.child?.state;
  if (state === "failed" || state === "down") return state;
  return node.actor?.phase ?? state ?? "down";
}

/** Children and actors as one tree: every node by its name, and the names below each, in the order of their start. */
export function grow(tree, actors) {
  const nodes = new Map();
  const below = new Map([[null, []]]);
  const known = new Map(actors.map((actor) => [actor.name, actor]));
  const add = (name, child, actor) => {
    nodes.set(name, { name, child, actor, supervisor: child?.supervisor ?? null });
  };
  for (const child of tree) add(child.name, child, known.get(child.name) ?? null);
  // Told of by the one list and not yet, or no more, by the other.
  for (const actor of actors) if (!nodes.has(actor.name)) add(actor.name, null, actor);
  for (const node of nodes.values()) {
    if (node.supervisor !== null && !nodes.has(node.supervisor)) node.supervisor = null;
    const siblings = below.get(node.supervisor);
    if (siblings === undefined) below.set(node.supervisor, [node.name]);
    else siblings.push(node.name);
  }
  return { nodes, below };
}

/** The supervisors above a node, from the root down. */
export function pathOf(grown, name) {
  const path = [];
  let above = grown.nodes.get(name)?.supervisor ?? null;
  while (above !== null && path.length < 128) {
    path.unshift(above);
    above = grown.nodes.get(above)?.supervisor ?? null;
  }
  return path;
}

/** How many actors and supervisors stand below a node. */
export function countBelow(grown, name) {
  const found = { actors: 0, supervisors: 0 };
  const open = [...(grown.below.get(name) ?? [])];
  while (open.length > 0) {
    const next = open.pop();
    if (grown.nodes.get(next)?.child?.supervises) {
      found.supervisors += 1;
      open.push(...(grown.below.get(next) ?? []));
    } else {
      found.actors += 1;
    }
  }
  return found;
}

/** How many actors are in which phase. */
export function phases(grown) {
  const counts = new Map();
  for (const node of grown.nodes.values()) {
    if (node.child?.supervises && phaseOf(node) === "running") continue;
    const phase = phaseOf(node);
    counts.set(phase, (counts.get(phase) ?? 0) + 1);
  }
  return counts;
}

/** Whether a node is looked for. All words of the search must be in its name, its plugin or its supervisor's name. */
function matcher({ query = "", phases: wanted = new Set(), plugin = "" }) {
  const words = query
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  return (node) => {
    if (wanted.size > 0 && !wanted.has(phaseOf(node))) return false;
    if (wanted.size > 0 && node.child?.supervises && phaseOf(node) === "running") return false;
    if (plugin !== "" && node.actor?.plugin !== plugin) return false;
    const about = `${node.name} ${node.actor?.plugin ?? ""}`.toLowerCase();
    return words.every((word) => about.includes(word));
  };
}

const NUMBERS = {
  mailbox: (node) => node.actor?.waiting,
  latency: (node) => node.actor?.turn_us?.p99,
  memory: (node) => node.actor?.memory_bytes,
  rate: (node) => node.rate,
  handled: (node) => node.actor?.handled,
  restarts: (node) => Math.max(node.actor?.restarts ?? 0, node.child?.restarts ?? 0),
  generation: (node) => node.actor?.generation,
};

/** What rows can be sorted by; `tree` is the order of the tree. */
export const SORTS = {
  tree: "tree",
  name: "name",
  phase: "phase",
  plugin: "plugin",
  mailbox: "mailbox",
  latency: "latency",
  memory: "memory",
  rate: "messages per second",
  handled: "handled",
  restarts: "restarts",
  generation: "generation",
};

function comparer(by) {
  const byName = (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
  if (by === "name") return byName;
  if (by === "phase") return (a, b) => PHASES.indexOf(phaseOf(a)) - PHASES.indexOf(phaseOf(b)) || byName(a, b);
  if (by === "plugin") {
    const of = (node) => `${node.actor?.plugin ?? "~"} ${node.actor?.version ?? ""}`;
    return (a, b) => (of(a) < of(b) ? -1 : of(a) > of(b) ? 1 : byName(a, b));
  }
  const number = (node) => NUMBERS[by](node) ?? -1;
  return (a, b) => number(b) - number(a) || byName(a, b);
}

/** The rows to show: all that match, in the order of the tree with what stands above them, or sorted without it. */
export function rows(grown, wish) {
  const matches = matcher(wish);
  const { sort = "tree", turned = false, collapsed = new Set() } = wish;
  if (sort !== "tree") {
    const found = [...grown.nodes.values()].filter(matches).sort(comparer(sort));
    if (turned) found.reverse();
    return found.map((node, at) => ({ node, level: 1, above: false, open: null, at: at + 1, of: found.length }));
  }
  const filtered = (wish.query ?? "").trim() !== "" || (wish.phases?.size ?? 0) > 0 || (wish.plugin ?? "") !== "";
  return filtered ? matchingTree(grown, matches) : wholeTree(grown, collapsed);
}

function wholeTree(grown, collapsed) {
  const found = [];
  const walk = (above, level) => {
    const names = grown.below.get(above) ?? [];
    names.forEach((name, at) => {
      const node = grown.nodes.get(name);
      const open = node.child?.supervises ? !collapsed.has(name) : null;
      found.push({ node, level, above: false, open, at: at + 1, of: names.length });
      if (open) walk(name, level + 1);
    });
  };
  walk(null, 1);
  return found;
}

function matchingTree(grown, matches) {
  // Who matches, and who stands above somebody who does.
  const kept = new Map();
  for (const node of grown.nodes.values()) {
    if (!matches(node)) continue;
    kept.set(node.name, true);
    let above = node.supervisor;
    while (above !== null && !kept.has(above)) {
      kept.set(above, false);
      above = grown.nodes.get(above)?.supervisor ?? null;
    }
  }
  const found = [];
  const walk = (above, level) => {
    const names = (grown.below.get(above) ?? []).filter((name) => kept.has(name));
    names.forEach((name, at) => {
      const node = grown.nodes.get(name);
      const open = node.child?.supervises ? true : null;
      found.push({ node, level, above: !kept.get(name), open, at: at + 1, of: names.length });
      if (open) walk(name, level + 1);
    });
  };
  walk(null, 1);
  return found;
}
