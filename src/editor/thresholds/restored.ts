/**
 * The view's tab after the window was loaded again. VS Code restores such a tab when it is first seen;
 * until then it has no panel that could be revealed, and only commands of the workbench bring it up.
 */
import * as vscode from 'vscode';

/** The workbench has a command for each of these groups, and none for further ones. */
const GROUPS = ['First', 'Second', 'Third', 'Fourth', 'Fifth', 'Sixth', 'Seventh', 'Eighth'];

/**
 * Brings the restored tab of a view to the front, and VS Code then hands over its panel. The focus
 * stays where it is.
 *
 * @returns false when there is no such tab
 */
export async function showRestored(viewType: string): Promise<boolean> {
  const { all, activeTabGroup } = vscode.window.tabGroups;
  // VS Code writes a prefix of its own before the type.
  const isView = ({ input }: vscode.Tab) =>
    input instanceof vscode.TabInputWebview && input.viewType.endsWith(viewType);
  const group = all.find(({ tabs }) => tabs.some(isView));
  const tab = group?.tabs.find(isView);
  if (!group || !tab) return false;
  if (tab.isActive) return true; // It is in front, and about to be handed over.
  if (!(await focus(group))) {
    await vscode.window.tabGroups.close(tab);
    return false;
  }
  await vscode.commands.executeCommand(
    'workbench.action.openEditorAtIndex',
    group.tabs.indexOf(tab),
  );
  await focus(activeTabGroup);
  return true;
}

async function focus({ viewColumn }: vscode.TabGroup): Promise<boolean> {
  const nth = GROUPS[viewColumn - 1];
  if (nth === undefined) return false;
  await vscode.commands.executeCommand(`workbench.action.focus${nth}EditorGroup`);
  return true;
}
