import { readFile, writeFile } from 'node:fs/promises';
import { componentEmbed, componentNew } from '@bytecodealliance/jco';
const embedded = await componentEmbed({ binary: await readFile('tally.core.wasm'), witSource: await readFile('wit/actor/0.1.0/actor.wit', 'utf8'), world: 'actor' });
await writeFile('tally.wasm', embedded);
await writeFile('tally.component.wasm', await componentNew(embedded, []));
