/** A reason shorter than this explains nothing. */
const SHORTEST_REASON = 10;

/**
 * @typedef {object} Waiver
 * @property {string} rule
 * @property {string} reason
 * @property {number} line
 */

/**
 * The waivers in a migration's source, `// lint-ok: <rule>: <reason>`, each for the findings of one rule in that file.
 *
 * @param {string} source
 * @param {ReadonlySet<string>} rules by name
 * @returns {{ waivers: Waiver[], faults: { line: number, text: string, fault: string }[] }}
 */
export function waiversIn(source, rules) {
  /** @type {Waiver[]} */
  const waivers = [];
  /** @type {{ line: number, text: string, fault: string }[]} */
  const faults = [];
  for (const [index, text] of source.split('\n').entries()) {
    const comment = /\/\/\s*lint-ok\b.*$/.exec(text)?.[0];
    if (comment === undefined) continue;
    const [, rule = '', reason = ''] = /lint-ok:\s*([\w-]+)\s*:\s*(.*)$/.exec(comment.trim()) ?? [];
    const line = index + 1;
    /** @param {string} fault */
    const refuse = (fault) => faults.push({ line, text: comment, fault });
    if (rule === '') refuse('it is not of the form `// lint-ok: <rule>: <reason>`');
    else if (!rules.has(rule)) refuse(`there is no rule ${rule}`);
    else if (reason.trim().length < SHORTEST_REASON)
      refuse(`its reason is shorter than ${SHORTEST_REASON} characters`);
    else waivers.push({ rule, reason: reason.trim(), line });
  }
  return { waivers, faults };
}
