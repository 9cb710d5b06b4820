// A fleet of stand-ins in a process of its own, so that a test may kill it: node run.js STATE-FOLDER NAMES PORT [USER]
import { startFleet } from '../../fleet/index.ts'
import { standInOptions } from './stand-in-fleet.ts'

const [state, names, port, user] = process.argv.slice(2)
const fleet = await startFleet(standInOptions(state!, names!.split(','), Number(port), user))
if (typeof fleet === 'string') {
  process.stderr.write(`${fleet}\n`)
  process.exit(1)
}
process.on('SIGTERM', () => void fleet.stop().then(() => process.exit(0)))
const trouble = await fleet.ready
process.stdout.write(`${JSON.stringify(trouble ?? fleet.members())}\n`)
