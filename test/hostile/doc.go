// Package hostile attacks a running agent as a local user without privileges
// would. It has tests only.
//
// The agent is the program as it is built, under the user, the capabilities and
// the limits of deploy/procspan.service. The attacker is this test's binary as
// uid 65534. Each test is one attack: it fails when the agent stops observing,
// does not end, uses up its memory, or shows or sends what it should not.
//
// make test-hostile runs it. It needs root, to be both of them.
package hostile
