import t from 'tap'
import { makeDigest } from './digest.ts'

// A run of four files as tap tells it: one green, one in which things failed in a subtest of a subtest, one that was killed, one that hung.
const stream = `TAP version 14
1..4
# Subtest: green.test.js
    # Subtest: of two
        ok 1 - one
        ok 2 - two # SKIP no such program
        ok 3 - later # todo
        not ok 4 - not yet # todo
        1..4
    ok 1 - of two # time=1.5ms
    
    1..1
    # time=2ms
ok 1 - green.test.js # time=2ms

# Subtest: red.test.js
    # Subtest: outer
        # Subtest: inner
            not ok 1 - the same
              ---
              diff: |
                --- expected
                +++ actual
                not ok 1 - what was expected
                # Subtest: inner
              at:
                fileName: red.test.js
              stack: |
                red.test.js:2:1
              source: |
                t.same(a, b)
              ...
            
            ok 2 - fine
              ---
              note: |
                not ok 9 - a text
              ...
            1..2
        not ok 1 - inner # time=1ms
          ---
          source: |
            t.test('inner')
          ...
        
        # Subtest: inner
            1..0
        ok 2 - inner # time=1ms
        
        not ok 3 - inner
        1..3
    not ok 1 - outer # time=3ms
    
    # Subtest: hangs
        1..0
    not ok 2 - hangs # time=9ms
      ---
      at:
        fileName: red.test.js
      ...
    
    1..2
not ok 2 - red.test.js # time=4ms
  ---
  args:
    - red.test.js
  exitCode: 1
  signal: null
  ...

# Subtest: killed.test.js
    ok 1 - one
not ok 3 - killed.test.js # time=5ms
  ---
  command: node
  exitCode: null
  signal: SIGKILL
  ...

not ok 4 - silent.test.js # time=600000ms

# No coverage generated
# { total: 9, pass: 4, fail: 3, todo: 2, skip: 1 }
# time=600005ms`

t.test('a log of a run has a line for each file, what was skipped, and all that is said of what failed', async (t) => {
  const digest = makeDigest()
  t.same(stream.split('\n').flatMap(digest.take), [
    'ok 1 - green.test.js # time=2ms',
    '    skipped: of two > two (SKIP no such program)',
    'not ok 2 - red.test.js # time=4ms',
    '    outer > inner > the same',
    '        diff: |',
    '          --- expected',
    '          +++ actual',
    '          not ok 1 - what was expected',
    '          # Subtest: inner',
    '        stack: |',
    '          red.test.js:2:1',
    '    outer > inner',
    '    hangs',
    '        at:',
    '          fileName: red.test.js',
    'not ok 3 - killed.test.js # time=5ms',
    '    killed.test.js',
    '        exitCode: null',
    '        signal: SIGKILL',
    'not ok 4 - silent.test.js # time=600000ms',
    '    silent.test.js'
  ])
  t.same(digest.failed.map(({ file, faults }) => [file, ...faults.map((fault) => fault.where)]), [
    ['red.test.js', 'outer > inner > the same', 'outer > inner', 'hangs'],
    ['killed.test.js', 'killed.test.js'],
    ['silent.test.js', 'silent.test.js']
  ])
  t.equal(digest.summary(), '# { total: 9, pass: 4, fail: 3, todo: 2, skip: 1 }', "tap's own count")
})

t.test('a run that breaks off has no count', async (t) => {
  const digest = makeDigest()
  t.same(stream.split('\n').slice(0, 20).flatMap(digest.take), ['ok 1 - green.test.js # time=2ms', '    skipped: of two > two (SKIP no such program)'])
  t.equal(digest.summary(), undefined)
})
