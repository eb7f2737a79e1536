// What is known of a plugin, said once: `plugin<Counter>("counter", "1.0.0").schema(2).reads<CounterV1>(1);`

import { Actor, Layout, Repair, State } from "./actor";
import { Bytes } from "./bytes";
import { Refusal, RefusalKind } from "./errors";
import { Reader, Writer } from "./postcard";

/** A layout other than the current one. */
class Known {
  constructor(
    readonly schema: u32,
    readonly make: () => Layout,
    /** Whether a state is of this layout: what the one before it becomes. */
    readonly is: (state: State) => bool,
  ) {}
}

/** What the host is told of a plugin, and how its states are read. */
export class Plugin {
  schemaNumber: u32 = 1;
  mediaType: string = "application/json";
  /** Names and values in turn. */
  metadata: string[] = ["sdk", "baton-guest for AssemblyScript 0.1.0"];
  private layouts: Known[] = [];

  constructor(
    readonly name: string,
    readonly version: string,
    readonly make: () => Actor,
    private readonly is: (state: State) => bool,
  ) {}

  /** Number of the layout that `save` writes. Raise it by one with every change of layout. */
  schema(schema: u32): Plugin {
    this.schemaNumber = schema;
    return this;
  }

  /** Another layout that is read. The older ones must lead up to the current one without a gap. */
  reads<T extends Layout>(schema: u32): Plugin {
    this.layouts.push(
      new Known(
        schema,
        (): Layout => instantiate<T>(),
        // @ts-ignore: here T is a class
        (state: State): bool => state instanceof T,
      ),
    );
    return this;
  }

  /** Media type of message bodies, for an actor with `handleBytes`. */
  messages(mediaType: string): Plugin {
    this.mediaType = mediaType;
    return this;
  }

  license(license: string): Plugin {
    return this.about("license", license);
  }

  authors(authors: string): Plugin {
    return this.about("authors", authors);
  }

  /** Any other fact that the host is to show: `.about("homepage", "…")`. */
  about(name: string, value: string): Plugin {
    this.metadata.push(name);
    this.metadata.push(value);
    return this;
  }

  /** Oldest schema that is read. A gap in the chain is a panic, when the plugin is asked what it reads. */
  readsFrom(): u32 {
    const oldest = this.edge(false);
    const newest = this.edge(true);
    for (let schema = oldest; schema <= newest; schema++) {
      if (schema != this.schemaNumber && this.find(schema) === null) {
        const range = `${this.name} reads the schemas ${oldest} to ${newest}`;
        throw new Error(`${range}, but says nothing of ${schema}: add .reads<…>(${schema})`);
      }
    }
    return oldest;
  }

  readsTo(): u32 {
    return this.edge(true);
  }

  private edge(newest: bool): u32 {
    let edge = this.schemaNumber;
    for (let i = 0; i < this.layouts.length; i++) {
      const schema = this.layouts[i].schema;
      if (schema == this.schemaNumber) throw new Error(`schema ${schema} is the actor's own: its class reads it`);
      if (newest ? schema > edge : schema < edge) edge = schema;
    }
    return edge;
  }

  private find(schema: u32): Known | null {
    for (let i = 0; i < this.layouts.length; i++) {
      if (this.layouts[i].schema == schema) return this.layouts[i];
    }
    return null;
  }

  save(actor: Actor): Bytes {
    const writer = new Writer();
    actor.save(writer);
    return writer.out;
  }

  /** Reads a state of any layout that is known, and brings it to the current one. */
  load(schema: u32, data: Bytes): Loaded {
    const current = this.schemaNumber;
    const other = this.find(schema);
    if (other === null && schema != current) {
      const range = `${this.readsFrom()} to ${this.readsTo()}`;
      return refused(RefusalKind.Incompatible, `schema ${schema} is not among ${range}`);
    }
    let state: State = other ? other.make() : this.make();
    const reader = new Reader(data);
    state.load(reader);
    if (reader.problem === null && reader.left > 0) reader.fail(`${reader.left} bytes are left over`);
    const problem = reader.problem;
    if (problem !== null) return refused(RefusalKind.Corrupt, `state of schema ${schema}: ${problem}`);
    for (let step = schema; step != current; step = step < current ? step + 1 : current) {
      const repair = new Repair();
      state = (state as Layout).become(repair);
      const why = repair.problem;
      if (why !== null) {
        if (schema < current) return refused(RefusalKind.Corrupt, `state of schema ${schema}: ${why}`);
        return refused(
          RefusalKind.Incompatible,
          `state of schema ${schema}: there is no way back to ${current}: ${why}`,
        );
      }
      this.checkStep(step, step < current ? step + 1 : current, state);
    }
    const actor = state as Actor;
    const broken = actor.validate();
    if (broken !== null) return refused(RefusalKind.Corrupt, `state of schema ${schema} breaks a rule: ${broken}`);
    return new Loaded(actor, null);
  }

  private checkStep(from: u32, to: u32, state: State): void {
    const next = this.find(to);
    if (next ? next.is(state) : this.is(state)) return;
    throw new Error(`the layout of schema ${from} does not become that of ${to}: see its \`become\``);
  }
}

/** An actor with its state, or why there is none. */
export class Loaded {
  constructor(
    readonly actor: Actor | null,
    readonly refusal: Refusal | null,
  ) {}
}

function refused(kind: RefusalKind, why: string): Loaded {
  return new Loaded(null, new Refusal(kind, why));
}

let registered: Plugin | null = null;

/**
 * Makes a plugin of an actor, once, at the end of `assembly/index.ts`. The class has no parameters in its constructor.
 */
export function plugin<T extends Actor>(name: string, version: string): Plugin {
  if (registered) throw new Error("a module holds one plugin: `plugin` was called twice");
  const made = new Plugin(
    name,
    version,
    (): Actor => instantiate<T>(),
    // @ts-ignore: here T is a class
    (state: State): bool => state instanceof T,
  );
  registered = made;
  return made;
}

/** The one that was made. */
export function thePlugin(): Plugin {
  const made = registered;
  if (!made) throw new Error('there is no plugin: assembly/index.ts ends with `plugin<MyActor>("name", "1.0.0");`');
  return made;
}
