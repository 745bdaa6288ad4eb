import { setFlagsFromString } from 'node:v8';

/** V8's, beside its interpreter: Sparkplug, Maglev and TurboFan (https://v8.dev/docs). */
const COMPILERS = ['sparkplug', 'maglev', 'turbofan'];

function useCompilers(used: boolean): void {
  for (const compiler of COMPILERS) setFlagsFromString(`--${used ? '' : 'no-'}${compiler}`);
}

// The start is interpreted: what runs once is not worth compiling, and a service at rest has 8 MB less, most of them pages
// of the compilers themselves. So this comes before any other module, even one that only this file would need.
useCompilers(false);
// What Node keeps at the end (NODE_COMPILE_CACHE), V8 takes at the next start under the same flags only.
process.once('exit', () => useCompilers(false));

const { serve } = await import('./service.js');
await serve(() => useCompilers(true));
