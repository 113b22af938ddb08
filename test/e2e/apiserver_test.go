package e2e

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// apiServer is as much of a Kubernetes API server as a watcher of pods needs. It notes
// what it is asked.
type apiServer struct {
	*httptest.Server
	streams bool // whether a watch may begin with what exists, as since Kubernetes 1.34

	mu      sync.Mutex
	pods    []pod
	events  []watchEvent  // the resource version of event i is i+1
	changed chan struct{} // closed with each event
	asked   map[permission]bool
}

// permission is what RBAC allows or denies.
type permission struct{ group, resource, verb string }

// pod has the fields of a pod that matter here, as in the API.
type pod struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Metadata   metadata  `json:"metadata"`
	Spec       podSpec   `json:"spec"`
	Status     podStatus `json:"status"`
}

type metadata struct {
	Name              string            `json:"name,omitempty"`
	Namespace         string            `json:"namespace,omitempty"`
	UID               string            `json:"uid,omitempty"`
	ResourceVersion   string            `json:"resourceVersion,omitempty"`
	CreationTimestamp string            `json:"creationTimestamp,omitempty"`
	Labels            map[string]string `json:"labels,omitempty"`
	Annotations       map[string]string `json:"annotations,omitempty"`
	OwnerReferences   []owner           `json:"ownerReferences,omitempty"`
}

type owner struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	UID        string `json:"uid"`
	Controller bool   `json:"controller"`
}

type podSpec struct {
	NodeName    string          `json:"nodeName,omitempty"`
	HostNetwork bool            `json:"hostNetwork,omitempty"`
	Containers  []containerSpec `json:"containers"`
}

type containerSpec struct {
	Name  string `json:"name"`
	Image string `json:"image"`
}

type podStatus struct {
	Phase             string            `json:"phase,omitempty"`
	PodIP             string            `json:"podIP,omitempty"`
	ContainerStatuses []containerStatus `json:"containerStatuses,omitempty"`
}

type containerStatus struct {
	Name        string `json:"name"`
	ContainerID string `json:"containerID"`
}

type watchEvent struct {
	Type   string `json:"type"` // ADDED, DELETED, BOOKMARK
	Object pod    `json:"object"`
}

// startAPIServer starts an API server that has pods, and ends it with the test.
func startAPIServer(t *testing.T, streams bool, pods ...pod) *apiServer {
	t.Helper()
	a := &apiServer{streams: streams, pods: pods, changed: make(chan struct{}), asked: map[permission]bool{}}
	a.Server = httptest.NewTLSServer(a) // without TLS a client keeps its token to itself
	t.Cleanup(func() {
		a.CloseClientConnections() // watches do not end by themselves
		a.Close()
	})
	return a
}

// kubeconfig writes a file that leads to the server.
func (a *apiServer) kubeconfig(t *testing.T) (path string) {
	t.Helper()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Certificate().Raw})
	return writeFile(t, "kubeconfig", fmt.Sprintf(`
apiVersion: v1
kind: Config
clusters: [{name: fake, cluster: {server: %q, certificate-authority-data: %s}}]
users: [{name: collector, user: {token: a-token}}]
contexts: [{name: fake, context: {cluster: fake, user: collector}}]
current-context: fake
`, a.URL, base64.StdEncoding.EncodeToString(ca)))
}

// add makes a pod, and remove deletes one.
func (a *apiServer) add(p pod)    { a.change("ADDED", p) }
func (a *apiServer) remove(p pod) { a.change("DELETED", p) }

func (a *apiServer) change(how string, p pod) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pods = slices.DeleteFunc(a.pods, func(other pod) bool { return other.Metadata.UID == p.Metadata.UID })
	if how == "ADDED" {
		a.pods = append(a.pods, p)
	}
	p.APIVersion, p.Kind = "v1", "Pod"
	p.Metadata.ResourceVersion = strconv.Itoa(len(a.events) + 1)
	a.events = append(a.events, watchEvent{how, p})
	close(a.changed)
	a.changed = make(chan struct{})
}

// permissions returns what the requests so far took.
func (a *apiServer) permissions() map[permission]bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make(map[permission]bool, len(a.asked))
	for p := range a.asked {
		all[p] = true
	}
	return all
}

// ServeHTTP implements [http.Handler].
func (a *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	asked := permissionOf(r)
	a.mu.Lock()
	a.asked[asked] = true
	list := struct {
		APIVersion string   `json:"apiVersion"`
		Kind       string   `json:"kind"`
		Metadata   metadata `json:"metadata"`
		Items      []pod    `json:"items"`
	}{"v1", "PodList", metadata{ResourceVersion: strconv.Itoa(len(a.events))}, []pod{}}
	namespace, inNamespace := namespaceOf(r)
	for _, p := range a.pods {
		if !inNamespace || p.Metadata.Namespace == namespace {
			p.Metadata.ResourceVersion = "1"
			list.Items = append(list.Items, p)
		}
	}
	seen := len(a.events)
	a.mu.Unlock()

	initial := r.FormValue("sendInitialEvents") == "true"
	switch {
	case r.Header.Get("Authorization") != "Bearer a-token":
		refuse(w, http.StatusUnauthorized, "Unauthorized")
	case asked.group != "" || asked.resource != "pods" || asked.verb != "list" && asked.verb != "watch":
		refuse(w, http.StatusForbidden, "Forbidden")
	case asked.verb == "list":
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(list)
	case initial && !a.streams:
		refuse(w, http.StatusUnprocessableEntity, "Invalid")
	default:
		stream := newWatch(w)
		if initial {
			for _, p := range list.Items {
				p.APIVersion, p.Kind = "v1", "Pod"
				stream.send(watchEvent{"ADDED", p})
			}
			stream.send(watchEvent{"BOOKMARK", pod{APIVersion: "v1", Kind: "Pod", Metadata: metadata{
				ResourceVersion: strconv.Itoa(seen), Annotations: map[string]string{"k8s.io/initial-events-end": "true"}}}})
		} else if version, err := strconv.Atoi(r.FormValue("resourceVersion")); err == nil {
			seen = version
		}
		a.follow(r, stream, seen)
	}
}

// follow sends the events after the first seen ones, until the client leaves.
func (a *apiServer) follow(r *http.Request, stream watch, seen int) {
	namespace, inNamespace := namespaceOf(r)
	for {
		a.mu.Lock()
		events, changed := a.events[min(seen, len(a.events)):], a.changed
		seen = len(a.events)
		a.mu.Unlock()
		for _, e := range events {
			if !inNamespace || e.Object.Metadata.Namespace == namespace {
				stream.send(e)
			}
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// watch is the response to a watch.
type watch struct {
	events *json.Encoder
	flush  func()
}

func newWatch(w http.ResponseWriter) watch {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	flush := w.(http.Flusher).Flush
	flush()
	return watch{json.NewEncoder(w), flush}
}

func (w watch) send(e watchEvent) {
	w.events.Encode(e) // a client that has left is noticed elsewhere
	w.flush()
}

func refuse(w http.ResponseWriter, code int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": %d, "reason": %q, "message": %q}`, code, reason, reason)
}

// permissionOf returns what RBAC looks at in a request.
func permissionOf(r *http.Request) permission {
	_, resource, group := splitPath(r)
	resource, name, named := strings.Cut(resource, "/")
	verb := map[string]string{"GET": "list", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "deletecollection"}[r.Method]
	switch watching := r.FormValue("watch"); {
	case watching == "true" || watching == "1":
		verb = "watch"
	case named && name != "" && r.Method == "GET":
		verb = "get"
	}
	return permission{group, resource, verb}
}

func namespaceOf(r *http.Request) (namespace string, ok bool) {
	namespace, _, _ = splitPath(r)
	return namespace, namespace != ""
}

// splitPath splits /api/VERSION/… and /apis/GROUP/VERSION/…; resource is what comes
// after the namespace, and the whole path where it is of neither form.
func splitPath(r *http.Request) (namespace, resource, group string) {
	rest, ok := strings.CutPrefix(r.URL.Path, "/api/")
	if !ok {
		if rest, ok = strings.CutPrefix(r.URL.Path, "/apis/"); !ok {
			return "", r.URL.Path, ""
		}
		group, rest, _ = strings.Cut(rest, "/")
	}
	_, rest, _ = strings.Cut(rest, "/")
	if inside, ok := strings.CutPrefix(rest, "namespaces/"); ok {
		if name, of, ok := strings.Cut(inside, "/"); ok {
			return name, of, group
		}
	}
	return "", rest, group
}
