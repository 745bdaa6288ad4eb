/** @typedef {import('./lint.js').Report} Report */
/** @typedef {import('./lint.js').Finding} Finding */

/**
 * @param {Report} report
 * @param {string} folder of the migrations, as a person would type it
 */
export function describeReport({ migrations, statements, findings, waived }, folder) {
  const seen = `${count(migrations, 'migration')}, ${count(statements, 'statement')}`;
  const closing = `migration lint: ${seen}, ${count(findings.length, 'finding')}, ${waived.length} waived`;
  return [...findings.map((finding) => describeFinding(finding, folder)), closing].join('\n');
}

/**
 * @param {Finding} finding
 * @param {string} folder
 */
function describeFinding({ file, line, rule, statement, detail, why, instead }, folder) {
  return [
    `${folder}/${file}:${line}  ${rule}  ${statement}`,
    `    ${detail}`,
    `    ${why}`,
    `    Instead: ${instead}`,
    '',
  ].join('\n');
}

/**
 * @param {number} number
 * @param {string} noun
 */
function count(number, noun) {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
