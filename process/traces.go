package process

// Traces returns how many traces have a living process.
func (t *Table) Traces() int { return len(t.traces) - t.idle.Len() }
