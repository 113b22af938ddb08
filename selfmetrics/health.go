package selfmetrics

import (
	"encoding/json"
	"net/http"
	"time"
)

// stalledAfter is after how long without a Snapshot, which comes once a second,
// the event loop counts as stuck.
const stalledAfter = 5 * time.Second

// answer is the body of an answer to a probe.
type answer struct {
	Status string `json:"status"`
	// SinceMoved is how long ago the event loop moved, in seconds.
	SinceMoved float64 `json:"seconds_since_moved"`
	Living     int     `json:"living_processes"`
}

// health answers probes: at /livez whether the event loop moves, at /readyz
// whether processes are observed.
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

// answer says how it is now. One that has yet to start, or has finished, is
// alive: loading the kernel programs and the last delivery take their time.
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
	_ = json.NewEncoder(r).Encode(a) // it fails when who asked has gone
}
