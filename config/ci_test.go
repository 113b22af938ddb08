package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/rules"
)

// ciSystems are the environments of two jobs of each system, and what is made of the
// first.
var ciSystems = map[string]struct {
	runner, worker string // the daemon, and what it starts for each job
	jobs           [2]map[string]string
	service        string
	set            map[string]string
}{
	"GitHub Actions": {
		runner: "/home/runner/bin/Runner.Listener", worker: "/home/runner/bin/Runner.Worker",
		jobs: [2]map[string]string{{
			"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "1658821493", "GITHUB_RUN_NUMBER": "3", "GITHUB_JOB": "build", "GITHUB_WORKFLOW": "CI",
			"GITHUB_REPOSITORY": "octocat/hello", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REF_NAME": "feature-1", "GITHUB_SHA": "ffac537e6cbbf934b08745a378932722df287a53",
		}, {"GITHUB_RUN_ID": "1658821493", "GITHUB_JOB": "test", "GITHUB_REPOSITORY": "octocat/hello"}},
		service: "build in octocat/hello",
		set: map[string]string{
			"cicd.pipeline.name": "CI", "cicd.pipeline.run.id": "1658821493", "cicd.pipeline.run.url.full": "https://github.com/octocat/hello/actions/runs/1658821493",
			"cicd.pipeline.task.name": "build", "vcs.provider.name": "github", "vcs.repository.url.full": "https://github.com/octocat/hello",
			"vcs.ref.head.name": "feature-1", "vcs.ref.head.revision": "ffac537e6cbbf934b08745a378932722df287a53",
		},
	},
	"GitLab CI": {
		runner: "/usr/bin/gitlab-runner", worker: "/usr/bin/bash",
		jobs: [2]map[string]string{{
			"CI": "true", "GITLAB_CI": "true", "CI_JOB_ID": "50", "CI_JOB_NAME": "spec:other", "CI_PROJECT_PATH": "gitlab-org/gitlab", "CI_PROJECT_URL": "https://example.com/gitlab-org/gitlab",
			"CI_PIPELINE_ID": "1000", "CI_COMMIT_REF_NAME": "main", "CI_COMMIT_SHA": "1ecfd275763eff1d6b4844ea3168962458c9f27a",
		}, {"CI_JOB_ID": "51", "CI_JOB_NAME": "spec:other"}},
		service: "spec:other in gitlab-org/gitlab",
		set: map[string]string{
			"cicd.pipeline.run.id": "1000", "cicd.pipeline.run.url.full": "https://example.com/gitlab-org/gitlab/-/pipelines/1000",
			"cicd.pipeline.task.name": "spec:other", "cicd.pipeline.task.run.id": "50", "cicd.pipeline.task.run.url.full": "https://example.com/gitlab-org/gitlab/-/jobs/50",
			"vcs.provider.name": "gitlab", "vcs.repository.url.full": "https://example.com/gitlab-org/gitlab", "vcs.ref.head.name": "main", "vcs.ref.head.revision": "1ecfd275763eff1d6b4844ea3168962458c9f27a",
		},
	},
	"Jenkins": {
		runner: "/usr/bin/java", worker: "/usr/bin/sh",
		jobs: [2]map[string]string{{
			"JENKINS_URL": "https://ci.example.com/", "BUILD_URL": "https://ci.example.com/job/core/7/", "JOB_NAME": "core", "BUILD_NUMBER": "7",
			"GIT_URL": "https://git.example.com/core.git", "GIT_BRANCH": "origin/main", "GIT_COMMIT": "ce9a3c1404e8c91be604088670e93434c4253f03",
		}, {"JENKINS_URL": "https://ci.example.com/", "BUILD_URL": "https://ci.example.com/job/core/8/", "JOB_NAME": "core"}},
		service: "core in ",
		set: map[string]string{
			"cicd.pipeline.name": "core", "cicd.pipeline.run.id": "7", "cicd.pipeline.run.url.full": "https://ci.example.com/job/core/7/",
			"vcs.repository.url.full": "https://git.example.com/core.git", "vcs.ref.head.name": "origin/main", "vcs.ref.head.revision": "ce9a3c1404e8c91be604088670e93434c4253f03",
		},
	},
	"Buildkite": {
		runner: "/usr/bin/buildkite-agent", worker: "/usr/bin/buildkite-agent",
		jobs: [2]map[string]string{{
			"BUILDKITE": "true", "BUILDKITE_JOB_ID": "e44f9784", "BUILDKITE_LABEL": ":go: test", "BUILDKITE_PIPELINE_SLUG": "core", "BUILDKITE_BUILD_ID": "4735ba57",
			"BUILDKITE_BUILD_URL": "https://buildkite.com/acme/core/builds/1514", "BUILDKITE_REPO": "git@github.com:acme/core.git", "BUILDKITE_BRANCH": "main", "BUILDKITE_COMMIT": "83a20ec058e2fb00e7fa4558c4c6e81e2dcf253d",
		}, {"BUILDKITE_JOB_ID": "e44f9785"}},
		service: ":go: test in core",
		set: map[string]string{
			"cicd.pipeline.name": "core", "cicd.pipeline.run.id": "4735ba57", "cicd.pipeline.run.url.full": "https://buildkite.com/acme/core/builds/1514",
			"cicd.pipeline.task.name": ":go: test", "cicd.pipeline.task.run.id": "e44f9784",
			"vcs.repository.url.full": "git@github.com:acme/core.git", "vcs.ref.head.name": "main", "vcs.ref.head.revision": "83a20ec058e2fb00e7fa4558c4c6e81e2dcf253d",
		},
	},
}

// ciHost is a host without users and cgroups.
type ciHost struct{}

func (ciHost) Workload(process.Cgroup) (rules.Workload, bool) { return rules.Workload{}, true }
func (ciHost) User(uint32) string                             { return "" }
func (ciHost) Args(args string) string                        { return args }
func (ciHost) Variable(_, value string) string                { return value }

// TestCI: on a host that runs jobs, each is one trace, with the job's name as service;
// its steps, one after the other and hours apart, are in it, whatever they start.
func TestCI(t *testing.T) {
	for name, ci := range ciSystems {
		t.Run(name, func(t *testing.T) {
			set := Preset("ci")
			policy := process.Policy{Session: true, Cgroup: true, Job: true, LongLived: true, LongLivedAfter: time.Minute, Rules: rules.Compile(set, ciHost{})}
			h := &ciRun{table: process.NewTable(process.Limits{Processes: 1000, Bytes: 1 << 20}, policy, process.NewIDs("ci")), variables: set.Variables(), sessions: map[process.ID]uint32{}}
			h.table.Adopt([]process.Living{{ID: h.next(), Execed: true, Image: process.Image{Executable: ci.runner}}})
			runner := h.last
			traces := map[process.TraceID]string{}
			for i, job := range ci.jobs {
				worker := h.start(runner, ci.worker, nil, 0)
				for range 3 {
					h.now += process.Time(2 * time.Hour)
					step := h.start(worker, "/bin/bash", job, 0)
					make := h.start(step, "/usr/bin/make", job, uint32(100+i)) // a session of its own
					cc := h.start(make, "/usr/bin/cc", nil, uint32(100+i))     // an environment of its own
					for _, id := range []process.ID{cc, make, step} {
						l := h.end(id)
						traces[l.Context.Trace] = fmt.Sprint("job ", i)
						if id == cc {
							continue
						}
						if l.Treatment == nil {
							t.Fatalf("%v has no treatment", l)
						}
						if i == 0 {
							checkCI(t, l.Treatment, ci.service, ci.set)
						}
					}
				}
				if l := h.end(worker); l.Treatment != nil || traces[l.Context.Trace] != "" {
					t.Errorf("the worker is in the trace of a job: %+v", l)
				}
			}
			if jobs := slices.Sorted(maps.Values(traces)); strings.Join(jobs, ", ") != "job 0, job 1" {
				t.Errorf("traces are of %q, want one for each job", jobs)
			}
		})
	}
}

func checkCI(t *testing.T, got *process.Treatment, service string, set map[string]string) {
	t.Helper()
	all := map[string]string{}
	for _, one := range got.Set {
		all[one.Name] = one.Value
	}
	if !maps.Equal(all, set) {
		t.Errorf("got  %v\nwant %v", all, set)
	}
	resource := map[string]string{}
	for _, one := range got.Resource {
		resource[one.Name] = one.Value
	}
	if is := resource["service.name"] + " in " + resource["service.namespace"]; is != service {
		t.Errorf("service %q, want %q", is, service)
	}
}

// ciRun makes the events of a host.
type ciRun struct {
	table     *process.Table
	variables []string // that are captured
	now       process.Time
	pid       uint32
	last      process.ID
	sessions  map[process.ID]uint32
}

func (h *ciRun) next() process.ID {
	h.pid++
	h.now += process.Time(time.Millisecond)
	h.last = process.ID{PID: 10 + h.pid, Start: h.now}
	return h.last
}

func (h *ciRun) start(parent process.ID, file string, env map[string]string, session uint32) process.ID {
	id := h.next()
	h.table.Apply(&process.Event{Kind: process.Fork, At: h.now, ID: id, Parent: parent, Groups: process.Groups{Session: h.sessions[parent]}})
	h.sessions[id] = session
	im := process.Image{Filename: file, Executable: file}
	for _, name := range h.variables {
		if value, ok := env[name]; ok {
			im.Environment += name + "=" + value + "\x00"
		}
	}
	h.table.Apply(&process.Event{Kind: process.Exec, At: h.now, ID: id, Parent: parent, ExecID: 1, FirstExec: true, Image: im, Groups: process.Groups{Session: session}})
	return id
}

func (h *ciRun) end(id process.ID) process.Lifetime {
	h.now += process.Time(time.Second)
	return *h.table.Apply(&process.Event{Kind: process.Exit, At: h.now, ID: id, Execed: true})[0]
}
