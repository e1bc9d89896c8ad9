// Evaluates IAM policies for the tests: POST {"policies", "boundary"?, "resource_policy"?, "requests"}, and the answer says
// of each request "Allowed", "ImplicitlyDenied" or "ExplicitlyDenied". The resource policy of a role is its trust policy.
import { createServer } from 'node:http'
import { runSimulation } from '@cloud-copilot/iam-simulate'

const account = '111122223333'

// The policy that the console gives a new key: identity policies decide.
const keyPolicy = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${account}:root` }, Action: 'kms:*', Resource: '*' }],
}

/**
 * Returns a trust policy or a context with a tag in the place of each claim of a token (HOST:aud, HOST:sub): the evaluator's
 * data lack the claims as keys, and judge the conditions on tags in the same way.
 */
function withTags(value) {
  const text = JSON.stringify(value ?? null)
  return JSON.parse(text.replace(/"([\w.-]+):(aud|sub)":/g, (_, host, claim) => `"aws:PrincipalTag/${host}-${claim}":`)) ?? undefined
}

/** Returns the verdict on one request: {"action", "resource", "context", "principal"?}. */
async function verdict({ policies, boundary, resource_policy: resourcePolicy }, request) {
  const ofToken = request.action === 'sts:AssumeRoleWithWebIdentity'
  const named = (policy, at) => ({ name: `policy ${at}`, policy })
  const simulation = {
    request: {
      principal: request.principal ?? `arn:aws:iam::${account}:role/tester`,
      action: request.action,
      resource: { resource: request.resource, accountId: account },
      contextVariables: ofToken ? withTags(request.context) : request.context,
    },
    identityPolicies: policies.map(named),
    permissionBoundaryPolicies: boundary && [named(boundary, 0)],
    resourcePolicy: request.action.startsWith('kms:') ? keyPolicy : ofToken ? withTags(resourcePolicy) : resourcePolicy,
    serviceControlPolicies: [],
    resourceControlPolicies: [],
  }
  const result = await runSimulation(simulation, {})
  if (result.resultType === 'error') throw new Error(JSON.stringify(result.errors))
  if (result.resultType !== 'single') throw new Error(`${request.resource} is a pattern`)
  const ignored = result.result.ignoredContextKeys ?? []
  // A key that the action does not have would be left out without a word, and its condition judged without it.
  if (ignored.length > 0) throw new Error(`${request.action} has no context keys ${ignored}`)
  return result.overallResult
}

const server = createServer(async (request, response) => {
  const answer = (status, body) => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(JSON.stringify(body))
  }
  try {
    if (request.method !== 'POST') return answer(200, {})
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    const asked = JSON.parse(Buffer.concat(chunks))
    const verdicts = []
    for (const one of asked.requests) verdicts.push(await verdict(asked, one))
    answer(200, { verdicts })
  } catch (error) {
    answer(400, { error: String(error.message ?? error) })
  }
})

server.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`))
