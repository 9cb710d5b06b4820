// Writes the generated pages of docs/. Run by `npm run docs`; test/repo.test.ts keeps them current.
import { writeFileSync } from 'node:fs'
import { configurationPage } from './configuration.ts'

writeFileSync(new URL('../../../docs/configuration.md', import.meta.url), configurationPage())
