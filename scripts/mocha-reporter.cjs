// mocha's own "spec" output, and the totals in a file for scripts/test.mjs.
'use strict';
const { writeFileSync } = require('node:fs');
const { reporters } = require('mocha');

module.exports = class extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once('end', () => {
      const { passes, failures } = this.stats;
      const totals = { passed: passes, failed: failures };
      writeFileSync(options.reporterOptions.totals, JSON.stringify(totals));
    });
  }
};
