package agent

import (
	"github.com/procspan/procspan/config"
	"github.com/procspan/procspan/enrich"
	"github.com/procspan/procspan/otelexport"
	"github.com/procspan/procspan/process"
	"github.com/procspan/procspan/redact"
	"github.com/procspan/procspan/rules"
)

// ruleHost tells rules about this host.
type ruleHost struct {
	cgroups *otelexport.Workloads
	*enrich.Users
	*redact.Redactor
}

// newRules returns the rules of a configuration, or nil if it has none.
func newRules(c config.Config, cgroups *otelexport.Workloads) (process.Rules, error) {
	if len(c.Rules) == 0 {
		return nil, nil
	}
	redactor, err := newRedactor(c)
	if err != nil {
		return nil, err
	}
	return rules.Compile(c.Rules, ruleHost{cgroups, hostUsers(), redactor}), nil
}

// Workload returns what encloses the processes of a cgroup, and whether its path is
// known.
func (h ruleHost) Workload(of process.Cgroup) (rules.Workload, bool) {
	v2, v1 := h.cgroups.Paths(of)
	return ruleWorkload(v2, v1), v2 != "" || v1 != ""
}

func ruleWorkload(v2, v1 string) rules.Workload {
	_, in := enrich.Innermost(v2, v1)
	return rules.Workload{
		Units: [2]string{in.Unit, in.UserUnit}, Slice: in.Slice, Container: in.ContainerName, ContainerID: in.ContainerID,
		Runtime: in.Runtime, Pod: in.PodUID, Cgroups: [2]string{v2, v1},
	}
}

// cgroupOutput keeps the paths of cgroups where no exporter does.
type cgroupOutput struct{ *otelexport.Workloads }

func (o cgroupOutput) named(id uint64, path string)         { o.Named(id, path) }
func (cgroupOutput) started(*process.Event, *process.Table) {}
func (cgroupOutput) ended(*process.Lifetime)                {}
