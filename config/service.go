package config

import "slices"

// ServiceName says what becomes service.name in the resource of a process.
type ServiceName string

// What service.name can be.
const (
	ServiceNameUnit       ServiceName = "unit"       // the container or systemd unit; the agent's where there is none
	ServiceNameExecutable ServiceName = "executable" // the executable's name
	ServiceNameFixed      ServiceName = "fixed"      // the agent's, for all
)

// defaultServiceName is what holds where service_name is not given: who names
// the service means all of it.
func defaultServiceName(r Resource) ServiceName {
	if slices.ContainsFunc(r.Attributes, func(a Attribute) bool { return a.Name == "service.name" && a.Value != "" }) {
		return ServiceNameFixed
	}
	return ServiceNameUnit
}

func (s section) serviceName(key string, r Resource) ServiceName {
	return ServiceName(s.oneOf(key, string(defaultServiceName(r)),
		string(ServiceNameUnit), string(ServiceNameExecutable), string(ServiceNameFixed)))
}
