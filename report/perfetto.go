package report

import (
	"bufio"
	"fmt"
	"io"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/procspan/procspan/timeline"
)

// The fields of perfetto.protos that are written. The messages are in
// protos/perfetto/trace of Perfetto's sources: trace.proto, trace_packet.proto,
// track_event/{track_descriptor,track_event,debug_annotation,counter_descriptor}.proto,
// interned_data/interned_data.proto.
const (
	fieldTracePacket = 1 // Trace.packet

	fieldPacketTime, fieldPacketSequence, fieldPacketEvent      = 8, 10, 11
	fieldPacketInterned, fieldPacketFlags, fieldPacketTrack     = 12, 13, 60
	fieldTrackUUID, fieldTrackName, fieldTrackParent            = 1, 2, 5
	fieldTrackCounter, fieldTrackOrdering, fieldTrackRank       = 8, 11, 12
	fieldTrackMerge                                             = 15
	fieldEventAnnotations, fieldEventType, fieldEventNameID     = 4, 9, 10
	fieldEventTrack, fieldEventDoubleCounter, fieldEventNameStr = 11, 44, 23
	fieldAnnotationNameID, fieldAnnotationBool                  = 1, 2
	fieldAnnotationUint, fieldAnnotationInt                     = 3, 4
	fieldAnnotationDouble, fieldAnnotationString                = 5, 6
	fieldAnnotationArray                                        = 12
	fieldInternedNames, fieldInternedAnnotationNames            = 2, 3
	fieldInternedID, fieldInternedText                          = 1, 2

	eventBegin, eventEnd, eventInstant, eventCounter = 1, 2, 3, 4
	stateCleared, stateNeeded                        = 1, 2
	orderExplicit                                    = 3 // TrackDescriptor.ChildTracksOrdering.EXPLICIT
	mergeNone                                        = 2 // TrackDescriptor.SiblingMergeBehavior: BY_TRACK_NAME is 1
)

// perfettoSequence is the one sequence of packets (trusted_packet_sequence_id), to
// which interned names belong.
const perfettoSequence = 1

// Perfetto writes the job in Perfetto's own format, for https://ui.perfetto.dev
// and trace_processor: a track for each lane of the job, one for the critical
// path, and counters. Packets are written one by one.
func Perfetto(w io.Writer, a *timeline.Analysis) error {
	return buffered(w, "the trace", func(out *bufio.Writer) error {
		p := &perfetto{out: out, a: a, names: map[timeline.Text]uint64{}, keys: map[string]uint64{}}
		p.job()
		return nil
	})
}

type perfetto struct {
	out *bufio.Writer
	a   *timeline.Analysis
	// What was interned so far, by its id.
	names map[timeline.Text]uint64
	keys  map[string]uint64

	packet, event, part, interned, item []byte
	begun                               bool
}

// The uuids of tracks.
const (
	trackJob, trackPath, trackRunning, trackCPUs, trackFailures = 1, 2, 3, 4, 5
	trackLanes                                                  = 100
)

func (p *perfetto) job() {
	a := p.a
	p.track(trackJob, 0, title(a), 0, nil)
	p.track(trackPath, trackJob, "critical path", 1, nil)
	p.track(trackRunning, trackJob, "running processes", 2, []byte{})
	p.track(trackCPUs, trackJob, "CPUs in use (CPU time spread evenly)", 3, []byte{})
	p.track(trackFailures, trackJob, "failures", 4, nil)
	lanes := int32(-1)
	for _, l := range a.Lane {
		lanes = max(lanes, l)
	}
	for l := range uint64(lanes + 1) {
		p.track(trackLanes+l, trackJob, fmt.Sprintf("lane %d", l+1), 10+l, nil)
	}
	for _, s := range a.Path.Segments {
		p.annotate("process.pid", uint64(a.PID[s.Process]))
		p.annotate("proved", s.Proved)
		p.annotate("next", s.Next.String())
		p.slice(trackPath, s.Start, s.End, a.Program[s.Process])
	}
	for i := range a.Len() {
		for key, value := range ordered(details(a, i)) {
			p.annotate(key, value)
		}
		p.slice(trackLanes+uint64(a.Lane[i]), a.Start[i], a.End[i], a.Program[i])
		if a.Has(i, timeline.Failed) {
			p.annotate("process.pid", uint64(a.PID[i]))
			p.annotate("outcome", a.Outcome(i))
			p.emit(trackFailures, a.End[i], eventInstant, a.Program[i])
		}
	}
	load := a.Load(2000)
	for i := range load.Running {
		at := int64(float64(i) * load.Width)
		p.counter(trackRunning, at, load.Running[i])
		p.counter(trackCPUs, at, load.CPUs[i])
	}
}

// track describes a track. counter is not nil for one of numbers.
func (p *perfetto) track(uuid, parent uint64, name string, rank uint64, counter []byte) {
	b := uintField(nil, fieldTrackUUID, uuid)
	b = bytesField(b, fieldTrackName, []byte(valid(name)))
	if parent != 0 {
		b = uintField(b, fieldTrackParent, parent)
	}
	if counter != nil {
		b = bytesField(b, fieldTrackCounter, counter)
	}
	b = uintField(b, fieldTrackOrdering, orderExplicit)
	b = uintField(b, fieldTrackRank, rank)
	b = uintField(b, fieldTrackMerge, mergeNone)
	p.packet = bytesField(p.packet[:0], fieldPacketTrack, b)
	p.write()
}

// slice writes a begin and an end. The annotations that were gathered are its.
func (p *perfetto) slice(track uint64, from, to int64, name timeline.Text) {
	p.emit(track, from, eventBegin, name)
	p.event = uintField(uintField(p.event[:0], fieldEventType, eventEnd), fieldEventTrack, track)
	p.at(to)
}

// emit writes an event with a name and the annotations that were gathered.
func (p *perfetto) emit(track uint64, at int64, kind uint64, name timeline.Text) {
	p.event = append(p.event[:0], p.part...)
	p.part = p.part[:0]
	p.event = uintField(p.event, fieldEventType, kind)
	p.event = uintField(p.event, fieldEventTrack, track)
	p.event = uintField(p.event, fieldEventNameID, p.name(name))
	p.at(at)
}

func (p *perfetto) counter(track uint64, at int64, value float64) {
	p.event = uintField(uintField(p.event[:0], fieldEventType, eventCounter), fieldEventTrack, track)
	p.event = doubleField(p.event, fieldEventDoubleCounter, value)
	p.at(at)
}

// at writes the packet of an event, with what it is the first to name.
func (p *perfetto) at(ns int64) {
	// The clock of a trace does not begin below zero; the job begins at 1 s.
	const origin = 1_000_000_000
	b := uintField(p.packet[:0], fieldPacketTime, uint64(max(ns+origin, 0)))
	flags := uint64(stateNeeded)
	if !p.begun {
		p.begun, flags = true, flags|stateCleared
	}
	b = uintField(b, fieldPacketFlags, flags)
	if len(p.interned) > 0 {
		b = bytesField(b, fieldPacketInterned, p.interned)
		p.interned = p.interned[:0]
	}
	p.packet = bytesField(b, fieldPacketEvent, p.event)
	p.write()
}

func (p *perfetto) write() {
	p.packet = uintField(p.packet, fieldPacketSequence, perfettoSequence)
	p.item = bytesField(p.item[:0], fieldTracePacket, p.packet)
	p.out.Write(p.item) // Flush returns the first error
}

// name interns the name of a program.
func (p *perfetto) name(t timeline.Text) uint64 {
	id, ok := p.names[t]
	if !ok {
		id = uint64(len(p.names) + 1)
		p.names[t] = id
		p.intern(fieldInternedNames, id, valid(p.a.Text(t)))
	}
	return id
}

func (p *perfetto) intern(field protowire.Number, id uint64, text string) {
	b := bytesField(uintField(nil, fieldInternedID, id), fieldInternedText, []byte(text))
	p.interned = bytesField(p.interned, field, b)
}

// annotate gathers an annotation for the next event.
func (p *perfetto) annotate(key string, value any) {
	id, ok := p.keys[key]
	if !ok {
		id = uint64(len(p.keys) + 1)
		p.keys[key] = id
		p.intern(fieldInternedAnnotationNames, id, key)
	}
	b := annotation(uintField(nil, fieldAnnotationNameID, id), value)
	p.part = bytesField(p.part, fieldEventAnnotations, b)
}

func annotation(b []byte, value any) []byte {
	switch v := value.(type) {
	case bool:
		return uintField(b, fieldAnnotationBool, protowire.EncodeBool(v))
	case uint32:
		return uintField(b, fieldAnnotationUint, uint64(v))
	case uint64:
		return uintField(b, fieldAnnotationUint, v)
	case int:
		return uintField(b, fieldAnnotationInt, uint64(v))
	case float64:
		return doubleField(b, fieldAnnotationDouble, v)
	case []string:
		for _, s := range v {
			b = bytesField(b, fieldAnnotationArray, bytesField(nil, fieldAnnotationString, []byte(valid(s))))
		}
		return b
	}
	return bytesField(b, fieldAnnotationString, []byte(valid(fmt.Sprint(value))))
}

func uintField(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func bytesField(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

func doubleField(b []byte, field protowire.Number, v float64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(b, field, protowire.Fixed64Type), math.Float64bits(v))
}
