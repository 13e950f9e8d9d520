// Speaks for five-bells-condition: node five_bells.js <package directory> < cases.json > answers.json
//
// Each case is {structure, message, fulfillment_uri, condition_uri}: what to build and sign, the message in hex, and
// what our side made of the same (a URI may be null).  Each answer says what the package builds from the structure,
// and what it reads from our URIs.  A signature in the structure is taken as it is; without one it signs itself.
'use strict'

const cc = require(process.argv[2])
const hex = text => Buffer.from(text, 'hex')

const builders = {
  preimage (node) {
    const fulfillment = new cc.PreimageSha256()
    fulfillment.setPreimage(hex(node.preimage))
    return fulfillment
  },
  ed25519 (node, message) {
    const fulfillment = new cc.Ed25519()
    if (node.signature) {
      fulfillment.setPublicKey(hex(node.public_key))
      fulfillment.setSignature(hex(node.signature))
    } else {
      fulfillment.sign(message, hex(node.seed))
    }
    return fulfillment
  },
  prefix (node, message) {
    const fulfillment = new cc.PrefixSha256()
    const prefix = hex(node.prefix)
    fulfillment.setPrefix(prefix)
    fulfillment.setSubfulfillment(build(node.sub, Buffer.concat([prefix, message])))
    return fulfillment
  },
  threshold (node, message) {
    const fulfillment = new cc.ThresholdSha256()
    for (const sub of node.subs) {
      const body = build(sub.node, message)
      if (sub.fulfilled) {
        fulfillment.addSubfulfillment(body, sub.weight)
      } else {
        fulfillment.addSubcondition(body.getCondition(), sub.weight)
      }
    }
    fulfillment.setThreshold(node.threshold)
    return fulfillment
  }
}

function build (node, message) {
  return builders[node.type](node, message)
}

// What the package refuses, it throws at.
function attempt (action) {
  try {
    return action()
  } catch (error) {
    return null
  }
}

function describe (fulfillment, message) {
  return fulfillment && {
    condition_uri: attempt(() => fulfillment.getConditionUri()),
    fulfillment_uri: attempt(() => fulfillment.serializeUri()),
    valid: attempt(() => fulfillment.validate(message)) === true
  }
}

function answer (testCase) {
  const message = hex(testCase.message)
  const read = testCase.fulfillment_uri === null ? null : attempt(() => cc.fromFulfillmentUri(testCase.fulfillment_uri))
  return {
    built: testCase.structure && describe(attempt(() => build(testCase.structure, message)), message),
    read: describe(read, message),
    condition: attempt(() => cc.fromConditionUri(testCase.condition_uri).serializeUri())
  }
}

let input = ''
process.stdin.setEncoding('utf8')
process.stdin.on('data', chunk => { input += chunk })
process.stdin.on('end', () => process.stdout.write(JSON.stringify(JSON.parse(input).map(answer))))
