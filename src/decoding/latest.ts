/** The latest results of something that is computed again and again with a few different keys. */
export class Latest<T> {
  private readonly results = new Map<string, T>();

  /** @param most results that are kept; the one that was asked for longest ago makes room */
  constructor(private readonly most: number) {}

  get(key: string, make: () => T): T {
    const known = this.results.get(key);
    const result = known ?? make();
    this.results.delete(key);
    this.results.set(key, result);
    for (const oldest of this.results.keys()) {
      if (this.results.size <= this.most) break;
      this.results.delete(oldest);
    }
    return result;
  }
}
