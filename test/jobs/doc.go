// Package jobs proves what procspan says about a job, on real jobs of which the
// answer is known: shell scripts, pipelines, makes, ninja, and programs of the
// test itself. procspan exec traces each, and procspan view -o json is asked, as
// a user's script would.
//
// The work of these jobs is mostly sleep, so that a busy machine disturbs them
// little, and a run that was disturbed shows: its sleeps took longer than they
// said.
package jobs
