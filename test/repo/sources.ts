import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/** The repository's root; compiled tests lie two folders below build/. */
export const root = fileURLToPath(new URL('../../..', import.meta.url))

export interface Import {
  /** Path from the root for our own modules, else the bare name: `node:net`, `zod`. */
  readonly target: string
  readonly own: boolean
  readonly typeOnly: boolean
  readonly line: number
}

export interface FunctionSize {
  readonly name: string
  readonly line: number
  readonly lines: number
}

/** One TypeScript source, with what the repository's own rules ask about it. */
export interface Source {
  readonly path: string
  readonly text: string
  readonly lines: number
  readonly imports: readonly Import[]
  readonly functions: readonly FunctionSize[]
}

const FOLDERS = ['bench', 'cli', 'core', 'daemon', 'edge', 'fleet', 'geodb', 'healthchecks', 'test']

/** Every TypeScript file of the project, parsed once. */
export function readSources(): Source[] {
  return FOLDERS.filter((folder) => existsSync(join(root, folder))).flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.includes('node_modules/'))
      .map((name) => readSource(`${folder}/${name}`))
  )
}

function readSource(path: string): Source {
  const text = readFileSync(join(root, path), 'utf8')
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true)
  const lineOf = (position: number): number => tree.getLineAndCharacterOfPosition(position).line + 1
  const imports: Import[] = []
  const functions: FunctionSize[] = []
  const visit = (node: ts.Node): void => {
    const named = specifier(node)
    if (named !== undefined) {
      const own = named.module.startsWith('.')
      const target = own ? normalize(join(dirname(path), named.module)) : named.module
      imports.push({ target, own, typeOnly: named.typeOnly, line: lineOf(node.getStart()) })
    }
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
      const start = lineOf(node.getStart())
      functions.push({ name: functionName(node), line: start, lines: lineOf(node.getEnd()) - start + 1 })
    }
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return { path, text, lines: text.split('\n').length - 1, imports, functions }
}

function specifier(node: ts.Node): { module: string; typeOnly: boolean } | undefined {
  if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
    const bindings = node.importClause?.namedBindings
    const allTypes = bindings !== undefined && ts.isNamedImports(bindings) && node.importClause?.name === undefined && bindings.elements.every((element) => element.isTypeOnly)
    return { module: node.moduleSpecifier.text, typeOnly: node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword || allTypes }
  }
  if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined && ts.isStringLiteral(node.moduleSpecifier)) {
    return { module: node.moduleSpecifier.text, typeOnly: node.isTypeOnly }
  }
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword && node.arguments[0] !== undefined && ts.isStringLiteral(node.arguments[0])) {
    return { module: node.arguments[0].text, typeOnly: false }
  }
  return undefined
}

function functionName(node: ts.SignatureDeclaration): string {
  if (node.name !== undefined) return node.name.getText()
  const { parent } = node
  return ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent) ? parent.name.getText() : '(anonymous)'
}

/** The value below which `share` of the numbers lie. */
export function percentile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}
