import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { URI } from 'otpauth';
import type { ApiResponse } from '../harness/http/client.js';
import { OpenApi } from '../harness/http/openapi.js';
import { startService, type TestService } from '../harness/http/service.js';
import { SmtpServer } from '../harness/servers/smtp-server.js';

const FILE = resolve(import.meta.dirname, '../../docs/requests.http');

/** A request as it is in the file, with its variables. */
interface FileRequest {
  readonly title: string;
  readonly name?: string;
  /** What the user is asked for before the request is sent. */
  readonly prompt?: string;
  /** The status of a failure that is expected, from a comment such as `# 404: there is none`. */
  readonly failure?: string;
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

let smtp: SmtpServer;
let service: TestService;
beforeAll(async () => {
  smtp = await SmtpServer.start();
  service = await startService(smtp.environment);
});
afterAll(async () => {
  await service.close();
  await smtp.stop();
});

describe('docs/requests.http', () => {
  it('sends a request to every operation, and each gets the response that it is to get', async () => {
    const { variables, requests } = parse(readFileSync(FILE, 'utf8'));
    const { email = '' } = variables;
    // With another administrator, this one can leave.
    const other = await service.signUp();
    await service.database.query(`UPDATE users SET role = 'admin' WHERE id = $1`, [other.account.userId]);

    const responses = new Map<string, ApiResponse>();
    const prompts: Readonly<Record<string, () => Promise<string>>> = {
      verificationToken: () => smtp.tokenTo(email, 'verify-email'),
      resetToken: () => smtp.tokenTo(email, 'reset-password'),
      code: () => Promise.resolve(URI.parse(responses.get('enrolment')!.body.uri as string).generate()),
    };
    const prompted: Record<string, string> = {};
    const valueOf = (variable: string): string => {
      if (variable === 'api') return service.url;
      if (variable === '$guid') return randomUUID();
      const [, name = '', part, path = ''] =
        /^(\w+)\.response\.(?:(headers)\.|body\.\$\.)(.+)$/.exec(variable) ?? [];
      const response = responses.get(name);
      if (response) return part ? response.headers.get(path)! : at(response.body, path);
      const value = prompted[variable] ?? variables[variable];
      if (value === undefined) throw new Error(`unknown variable: ${variable}`);
      return fill(value);
    };
    const fill = (text: string): string =>
      text.replaceAll(/\{\{(.+?)\}\}/g, (_, variable: string) => valueOf(variable));

    const asked = new Set<string>();
    for (const { title, name, prompt, failure, method, url, headers, body } of requests) {
      if (prompt) prompted[prompt] = await prompts[prompt]!();
      if (url.includes('/admin/')) {
        await service.database.query(`UPDATE users SET role = 'admin' WHERE email = $1`, [email]);
      }
      const path = fill(url).slice(service.url.length);
      const response = await service.anonymous.request(method, path, {
        headers: Object.fromEntries(headers.map(([header, value]) => [header, fill(value)])),
        ...(body && { body: fill(body) }),
      });
      const outcome = response.status < 300 ? 'succeeds' : `${response.status} ${response.text}`;
      expect([title, outcome]).toEqual([title, failure ? expect.stringMatching(failure) : 'succeeds']);
      if (name) responses.set(name, response);
      asked.add(`${method} ${path.split('?')[0]!}`);
    }

    const { operations } = await OpenApi.of(service.anonymous);
    const missing = [...operations.keys()].filter((call) => {
      const pattern = new RegExp(`^${call.replaceAll(/\{\w+\}/g, '[0-9a-f-]{36}')}$`);
      return ![...asked].some((request) => pattern.test(request));
    });
    expect(missing).toEqual([]);
  });
});

/** Reads the parts of the REST Client's format that the file uses. */
function parse(text: string): { variables: Readonly<Record<string, string>>; requests: FileRequest[] } {
  const [head = '', ...blocks] = text.split(/^### /m);
  const variables = Object.fromEntries(
    [...head.matchAll(/^@(\w+) = (.+)$/gm)].map(([, name = '', value = '']) => [name, value]),
  );
  return { variables, requests: blocks.map(parseRequest) };
}

function parseRequest(block: string): FileRequest {
  const [first = '', ...rest] = block.trimEnd().split('\n');
  const comments = rest.filter((line) => line.startsWith('# '));
  const lines = rest.filter((line) => !line.startsWith('# '));
  const end = lines.includes('') ? lines.indexOf('') : lines.length;
  const [method = '', url = ''] = lines[0]!.split(' ');
  const headers = lines.slice(1, end).map((line) => {
    const [name = '', ...value] = line.split(': ');
    return [name.toLowerCase(), value.join(': ')] as const;
  });
  const comment = (pattern: RegExp) => comments.map((line) => pattern.exec(line)?.[1]).find(Boolean);
  const name = comment(/^# @name (\w+)$/);
  const prompt = comment(/^# @prompt (\w+)/);
  const failure = comment(/^# (\d{3}): /);
  // A form has CRLF, as the REST Client sends it.
  const isForm = headers.some(([, value]) => value.startsWith('multipart/form-data'));
  return {
    title: first,
    ...(name && { name }),
    ...(prompt && { prompt }),
    ...(failure && { failure }),
    method,
    url,
    headers,
    body: lines.slice(end + 1).join(isForm ? '\r\n' : '\n'),
  };
}

/** @param path such as `sessions[0].id` */
function at(body: unknown, path: string): string {
  const keys = path.split(/[.[\]]+/).filter(Boolean);
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  return String(keys.reduce<any>((value, key) => value?.[key], body));
}
