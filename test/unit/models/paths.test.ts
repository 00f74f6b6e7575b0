import assert from 'node:assert/strict';
import { homedir } from 'node:os';
import { dataDirectory, installedDirectory, suiteFiles } from '../../../src/models/paths';

describe('paths', () => {
  it('puts data where the platform wants them', () => {
    const posix = { HOME: '/home/u', XDG_DATA_HOME: '/data' };
    assert.equal(dataDirectory(posix, 'linux'), '/data/dynamo');
    assert.equal(dataDirectory({ HOME: '/home/u' }, 'linux'), '/home/u/.local/share/dynamo');
    const mac = '/home/u/Library/Application Support/dynamo';
    assert.equal(dataDirectory(posix, 'darwin'), mac);
    const windows = { LOCALAPPDATA: 'C:\\Users\\u\\AppData\\Local', USERPROFILE: 'C:\\Users\\u' };
    assert.equal(dataDirectory(windows, 'win32'), 'C:\\Users\\u\\AppData\\Local\\dynamo');
    const bare = dataDirectory({ USERPROFILE: 'C:\\Users\\u' }, 'win32');
    assert.equal(bare, 'C:\\Users\\u\\AppData\\Local\\dynamo');
  });

  it('prefers DYNAMO_HOME, and ignores values that mean nothing', () => {
    assert.equal(dataDirectory({ DYNAMO_HOME: '/x/../y', HOME: '/home/u' }, 'linux'), '/y');
    const ignored = { DYNAMO_HOME: ' ', XDG_DATA_HOME: 'relative', HOME: '/home/u' };
    assert.equal(dataDirectory(ignored, 'linux'), '/home/u/.local/share/dynamo');
    if (process.platform !== 'win32') {
      assert.ok(dataDirectory({}, 'linux').startsWith(homedir()));
    }
  });

  it('makes no path of an id that is none', () => {
    for (const id of ['..', '.', '', 'a/b', 'a\\b', '../a', 'A', 'a..b']) {
      assert.throws(() => installedDirectory('/home', id, 'int8'), RangeError, id);
      assert.throws(() => suiteFiles('/suite', id, 'int8'), RangeError, id);
    }
  });
});
