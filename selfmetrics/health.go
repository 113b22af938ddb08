package selfmetrics

import (
	"encoding/json"
	"net/http"
	"time"
)

// stalledAfter is the age of the latest Snapshot at which the event loop counts as
// stalled. A Snapshot comes once a second.
const stalledAfter = 5 * time.Second

// answer is the response body.
type answer struct {
	Status string `json:"status"`
	// SinceMoved is the time since the event loop last moved, in seconds.
	SinceMoved float64 `json:"seconds_since_moved"`
	Living     int     `json:"living_processes"`
}

// health answers probes: /livez whether the event loop moves, /readyz whether
// processes are observed.
func (w *Watch) health() handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(r http.ResponseWriter, _ *http.Request) {
		a := w.answer()
		a.write(r, a.Status != "stalled")
	})
	mux.HandleFunc("GET /readyz", func(r http.ResponseWriter, _ *http.Request) {
		a := w.answer()
		a.write(r, a.Status == "observing")
	})
	return mux
}

// answer returns the current state. An agent that starts or stops is alive: loading
// the BPF programs and the last delivery take time.
func (w *Watch) answer() answer {
	s := w.latest.Load()
	if s == nil {
		return answer{Status: "starting"}
	}
	a := answer{Status: "observing", SinceMoved: time.Since(s.At).Seconds(), Living: s.Living}
	switch {
	case !s.Observing:
		a.Status = "stopping"
	case time.Since(s.At) > stalledAfter:
		a.Status = "stalled"
	}
	return a
}

func (a answer) write(r http.ResponseWriter, well bool) {
	r.Header().Set("Content-Type", "application/json")
	r.Header().Set("Cache-Control", "no-store")
	if !well {
		r.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(r).Encode(a) // fails if the client is gone
}
