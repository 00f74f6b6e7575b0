/** What tells a model's weights apart: newer ones have the same names. */
import type { CatalogEntry } from '../../src/models/catalog';
import type { Precision } from '../../src/models/paths';
import { readSuiteModel, sha256 } from '../../src/models/suite';

/**
 * Of what an installation makes the trunk of: the publisher's file, weight plan and graph. Undefined where
 * the suite does not have the model in that precision.
 */
export async function trunkSha256(
  suite: string,
  { id, source }: Pick<CatalogEntry, 'id' | 'source'>,
  precision: Precision,
): Promise<string | undefined> {
  const found = await readSuiteModel(suite, id, precision);
  return found && sha256([source.sha256, found.plan.sha256, found.graph.sha256].join(' '));
}
