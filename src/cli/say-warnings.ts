/** @file What code warns of while a command runs, in the words of the command line instead of Node's. */

/** Each warning once, however many models it is true of; with its stack under FLYWHEEL_DEBUG. */
export function warningLines(env: NodeJS.ProcessEnv): (warning: Error) => readonly string[] {
  const said = new Set<string>();
  return ({ message, stack }) => {
    if (said.has(message)) return [];
    said.add(message);
    return [`warning: ${message}`, ...(env["FLYWHEEL_DEBUG"] && stack ? [stack] : [])];
  };
}

/** Node's own printing, which names a process and a flag of Node's, is such a listener as well. */
export function sayWarnings(): void {
  const lines = warningLines(process.env);
  process.removeAllListeners("warning");
  process.on("warning", (warning) => {
    for (const line of lines(warning)) process.stderr.write(`${line}\n`);
  });
}
