/** What package.json tells VS Code, against what it tells about. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readCatalog } from '../../src/models/catalog';

interface Setting {
  readonly default?: unknown;
  readonly markdownDescription?: string;
  readonly enum?: readonly string[];
  readonly enumItemLabels?: readonly string[];
  readonly enumDescriptions?: readonly string[];
}

interface Manifest {
  readonly contributes: {
    readonly commands: readonly { readonly command: string }[];
    readonly keybindings: readonly { readonly command: string }[];
    readonly configuration: { readonly properties: Readonly<Record<string, Setting>> };
    readonly walkthroughs: readonly {
      readonly steps: readonly { readonly description: string }[];
    }[];
  };
}

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
const { commands, keybindings, configuration, walkthroughs } = manifest.contributes;

/** The editor room's code as one text. */
const sources = readdirSync(join('src', 'editor'), { recursive: true })
  .map(String)
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(join('src', 'editor', name), 'utf8'))
  .join('\n');

describe('package.json', () => {
  it('offers the catalogue’s models, the default one first', async () => {
    const catalog = await readCatalog('models');
    const model = configuration.properties['dynamo.model'];
    const [first, ...others] = model?.enum ?? [];
    const [label, ...labels] = model?.enumItemLabels ?? [];
    assert.equal(first, '');
    assert.equal(label, 'Default');
    const named = Object.fromEntries(others.map((id, index) => [id, labels[index]]));
    assert.deepEqual(named, Object.fromEntries(catalog.models.map(({ id, name }) => [id, name])));
    assert.equal(model?.enumDescriptions?.length, others.length + 1);
    const nameOf = (wanted?: string) => catalog.models.find(({ id }) => id === wanted)?.name ?? '';
    const [byDefault, onGpu] = [nameOf(catalog.default), nameOf(catalog.gpuDefault)];
    const says = `${byDefault}; where a GPU serves, ${onGpu}.`;
    assert.equal(model?.enumDescriptions?.[0], says);
  });

  it('leaves ε_b to the model, and says what that means', () => {
    const { default: own, markdownDescription = '' } =
      configuration.properties['dynamo.epsilon'] ?? {};
    assert.equal(own, null);
    assert.match(markdownDescription, /Empty means the model's calibrated.*decodes as exact mode/);
  });

  it('declares the commands that the code registers, and no others', () => {
    const registered = commands.filter(({ command }) => {
      const name = command.replace('dynamo.', '');
      return sources.includes(`'${command}'`) || sources.includes(`command('${name}'`);
    });
    assert.deepEqual(registered, commands);
  });

  it('binds keys and links to commands that it declares', () => {
    const declared = new Set(commands.map(({ command }) => command));
    const linked = walkthroughs
      .flatMap(({ steps }) => steps)
      .flatMap(({ description }) => [...description.matchAll(/command:(dynamo\.\w+)/g)])
      .map(([, command = '']) => command);
    assert.ok(linked.length > 0);
    for (const command of [...keybindings.map((key) => key.command), ...linked]) {
      assert.ok(declared.has(command), command);
    }
  });
});
