import type { Adoption } from './adopt-database.js';

/** The lines of the report for a person. */
export function describeAdoption(adoption: Adoption): string[] {
  const { recorded, comparedWith, differences, matches, unproven } = adoption;
  if (recorded.length > 0) {
    return [
      `adopted: the schema is the one of ${comparedWith}, and ${recorded.length} migrations are recorded as applied`,
      ...differences.map((line) => `kept: ${line.slice(2)}`),
      ...unproven.map((name) => `not proven, as it changes no schema: ${name}`),
    ];
  }
  if (matches.includes(comparedWith)) {
    return [
      `the schema is the one of ${matches.join(' and of ')}, which differ in what they do to the rows`,
      'nothing was recorded: name the last whose changes the rows have; a start applies those after it',
    ];
  }
  if (matches.length > 0) {
    return [
      `the schema is not the one of ${comparedWith}, but the one of ${matches.join(' and of ')}`,
      `nothing was recorded: baseline ${matches[0]} would adopt it, and a start applies those after it`,
    ];
  }
  return [
    `the schema is not the one of ${comparedWith}; the database lacks (-) and has in addition (+):`,
    ...differences.map((line) => `  ${line}`),
    'nothing was recorded: make them equal, or exclude an object that no migration creates with --ignore <name>',
  ];
}
