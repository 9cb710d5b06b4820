import { suggestion } from '../core/suggest.ts'
import { MNEMONIC_LIST } from '../daemon/wire/index.ts'
import { anycastVerbs } from './anycast.ts'
import { mistyped, type Command } from './command.ts'
import { FORCED_STATES } from './force.ts'

type Shell = 'bash' | 'zsh' | 'fish'
const SHELLS: readonly Shell[] = ['bash', 'zsh', 'fish']

export const completion: Command = {
  name: 'completion',
  summary: 'print the completion script of a shell: bash, zsh or fish',
  arguments: [{ name: 'SHELL', completes: 'shell' }],
  options: {},
  examples: ['source <(nearcast completion bash)', 'nearcast completion zsh > ~/.zfunc/_nearcast', 'nearcast completion fish > ~/.config/fish/completions/nearcast.fish'],
  run: async ({ positionals, io, commands }) => {
    const typed = positionals[0]!
    const shell = SHELLS.find((known) => known === typed)
    if (shell === undefined) return mistyped(io, `there is no completion for the shell ${typed} (${suggestion(typed, SHELLS)})`)
    io.out(SCRIPTS[shell](await commands()))
    return 0
  }
}

/** Names of the members, asked of the running fleet by the program that is being completed; not the daemon, which no verb takes. */
const MEMBERS = `status --json 2>/dev/null | sed -n '/"daemon"/d; s/^      "name": "\\(.*\\)",$/\\1/p'`
const MEMBERS_BY_SHELL: Readonly<Record<Shell, string>> = { bash: `$("$program" ${MEMBERS})`, zsh: `$($program ${MEMBERS})`, fish: '(__nearcast_members)' }

const optionsOf = (command: Command): string[] => [...Object.keys(command.options), 'help'].map((name) => `--${name}`)

const SCRIPTS: Readonly<Record<Shell, (commands: readonly Command[]) => string>> = { bash, zsh, fish }

/** Of all its arguments: which of them is being typed the shells do not tell apart. */
function wordsOf(shell: Shell, command: Command, commands: readonly Command[]): string {
  return command.arguments.map(({ completes }) => wordsFor(shell, completes, commands)).filter((words) => words !== '').join(' ')
}

function wordsFor(shell: Shell, completes: Command['arguments'][number]['completes'], commands: readonly Command[]): string {
  if (completes === 'command') return commands.map(({ name }) => name).join(' ')
  if (completes === 'shell') return SHELLS.join(' ')
  if (completes === 'anycast') return anycastVerbs.join(' ')
  if (completes === 'state') return FORCED_STATES.join(' ')
  return completes === 'member' ? MEMBERS_BY_SHELL[shell] : ''
}

function bash(commands: readonly Command[]): string {
  const cases = commands.map((command) => `    ${command.name}) words="${[...optionsOf(command), wordsOf('bash', command, commands)].join(' ').trimEnd()}" ;;`)
  return `# nearcast completion for bash: source <(nearcast completion bash)
_nearcast() {
  local program=$1 word=\${COMP_WORDS[COMP_CWORD]} words
  case \${COMP_WORDS[COMP_CWORD-1]} in
    --config|--zones|--state) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --type) COMPREPLY=($(compgen -W "${MNEMONIC_LIST.join(' ')}" -- "$word")); return ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then words="${commands.map(({ name }) => name).join(' ')} --help --version"
  else case \${COMP_WORDS[1]} in
${cases.join('\n')}
  esac; fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  [ \${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "$word"))
}
complete -F _nearcast nearcast nearcast.js
`
}

function zsh(commands: readonly Command[]): string {
  const quote = (text: string): string => `'${text.replaceAll("'", "'\\''").replaceAll(':', '\\:')}'`
  const cases = commands.map((command) => `    ${command.name}) compadd -- ${[...optionsOf(command), wordsOf('zsh', command, commands)].join(' ').trimEnd()}; _files ;;`)
  return `#compdef nearcast nearcast.js
# nearcast completion for zsh: put this file as _nearcast in a folder of $fpath
_nearcast() {
  local program=\${(Q)words[1]}
  if (( CURRENT == 2 )); then
    local -a known=(
${commands.map(({ name, summary }) => `      ${quote(name).slice(0, -1)}:${quote(summary).slice(1)}`).join('\n')}
    )
    _describe command known
    return
  fi
  case $words[CURRENT-1] in
    --type) compadd -- ${MNEMONIC_LIST.join(' ')}; return ;;
  esac
  case $words[2] in
${cases.join('\n')}
  esac
}
if [ "$funcstack[1]" = _nearcast ]; then _nearcast "$@"; else compdef _nearcast nearcast nearcast.js; fi
`
}

function fish(commands: readonly Command[]): string {
  const quote = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
  const rows = commands.flatMap((command) => {
    const seen = `-n '__fish_seen_subcommand_from ${command.name}'`
    const words = wordsOf('fish', command, commands)
    const options = Object.entries(command.options).map(
      ([name, { kind, summary }]) => `complete -c nearcast ${seen} -l ${name}${kind === 'flag' ? '' : kind === 'file' || kind === 'folder' ? ' -r -F' : name === 'type' ? ` -x -a '${MNEMONIC_LIST.join(' ')}'` : ' -x'} -d ${quote(summary)}`
    )
    const first = `complete -c nearcast -n __fish_use_subcommand -f -a ${command.name} -d ${quote(command.summary)}`
    return [first, ...options, ...(words === '' ? [] : [`complete -c nearcast ${seen} -f -a ${quote(words)}`])]
  })
  return `# nearcast completion for fish
function __nearcast_members
  nearcast status --json 2>/dev/null | string replace -rf '^      "name": "(.*)",$' '$1' | string match -v daemon
end
${rows.join('\n')}
`
}
