/** What the command line says about itself, and the error that makes it say so. */

export const USAGE = `dynamo: local code and text completion

  dynamo complete FILE:LINE:COLUMN   what the editor would show at that cursor (1-based)
         --details                   with the prompt's end, speeds and a table of steps
         --trace                     with --json: what each step was decided on
  dynamo complete --jsonl            one task a line on standard input, one result a line on output
  dynamo generate PROMPT|-           open-ended text, streamed ("-" reads standard input)
         --chat                      as an answer to an instruction
  dynamo models list [--json]
  dynamo models install [ID] [--from FILE] [--precision int8|fp32|fp16] [--if-missing]
         without --precision         int8, and fp16 where a GPU serves
         --if-missing                says nothing where it is installed
  dynamo models verify [ID] [--precision P]
  dynamo models remove ID [--precision P]
  dynamo gpu status                  which GPUs there are, and what is missing to use them
  dynamo gpu install                 fetches the CUDA files (Linux; about 1 GB)
  dynamo bench                       tokens a second, ms a step by rows, time to first token

Options of complete, generate and bench:
  --model ID            default: the catalogue's (another where a GPU serves; see "models list")
  --precision P         int8 (default on the CPU), fp16 (default on a GPU) or fp32
  --mode M              ar, exact (default) or fast
  --epsilon E           the static threshold of fast mode, 0 to 1; default: the model's calibrated one, else 1
                        (where that is 1, fast mode decodes as exact mode; with --epsilon 1 plainly)
  --heads NAME          which of the model's token heads, or none
  --temperature T       draws tokens; 0 (default) takes the likeliest
  --seed N              of the draws
  --max-tokens N        at most this many new tokens
  --threads N           threads of one operator
  --provider P          auto (default: the fastest GPU that passes a test), cpu, cuda or dml
  --device N            index of the GPU
  --json                machine-readable output

Models are kept in $DYNAMO_HOME, or the platform's folder for application data.
Exit status: 0, 1 for a failure, 2 for bad usage.
`;

/** Bad usage: exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
