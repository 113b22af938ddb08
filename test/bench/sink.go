package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

const roleSink = "sink"

// sink receives OTLP as cheaply as it can: it counts in the requests' bytes, builds no messages, and answers with an empty one, which accepts all.
type sink struct{ tally }

// receiveOTLP is the receiver of procspan. It says its addresses first, that of gRPC and
// that of HTTP.
func receiveOTLP() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("start the sink: %w", err)
	}
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("start the sink: %w", err)
	}
	encoding.RegisterCompressor(zstdEncoding{}) // for the whole program
	s := &sink{}
	requests := &http.Server{Handler: s}
	go func() { _ = requests.Serve(counted{web, s}) }() // returns when Close is called
	defer requests.Close()
	server := grpc.NewServer(grpc.ForceServerCodecV2(rawCodec{}), grpc.UnknownServiceHandler(s.serve))
	go func() { _ = server.Serve(counted{listener, s}) }() // returns when Stop is called
	defer server.Stop()
	fmt.Println(listener.Addr(), web.Addr())
	return answer(func() counts {
		current := s.counts()
		current.done = true // its procspan has ended, or it is not asked
		return current
	})
}

// serve answers one call, of whatever method. Traces and logs look alike as far
// as it cares.
func (s *sink) serve(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	var request []byte
	if err := stream.RecvMsg(&request); err != nil {
		return err
	}
	if err := s.count(request, method == "/opentelemetry.proto.collector.trace.v1.TraceService/Export"); err != nil {
		return err
	}
	return stream.SendMsg(&[]byte{})
}

// count counts a request of spans, or of log records.
func (s *sink) count(request []byte, spans bool) error {
	s.bytes.Add(int64(len(request)))
	if spans {
		return eachItem(request, s.countSpan)
	}
	return eachItem(request, s.countRecord)
}

// Field numbers of OTLP. Spans and log records stand at the same places:
// request.resource_*[].scope_*[].items[].
const (
	fieldResources = 1
	fieldScopes    = 2
	fieldItems     = 2
	fieldSpanName  = 5
)

// eachItem calls f with each span or log record of an export request.
func eachItem(request []byte, f func([]byte)) error {
	return eachField(request, fieldResources, func(resource []byte) error {
		return eachField(resource, fieldScopes, func(scope []byte) error {
			return eachField(scope, fieldItems, func(item []byte) error { f(item); return nil })
		})
	})
}

// eachField calls f with each value of a field of messages or strings.
func eachField(message []byte, field protowire.Number, f func([]byte) error) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return fmt.Errorf("decode a request: %w", protowire.ParseError(n))
		}
		message = message[n:]
		if number == field && kind == protowire.BytesType {
			value, n := protowire.ConsumeBytes(message)
			if n < 0 {
				return fmt.Errorf("decode a request: %w", protowire.ParseError(n))
			}
			if err := f(value); err != nil {
				return err
			}
			message = message[n:]
			continue
		}
		n = protowire.ConsumeFieldValue(number, kind, message)
		if n < 0 {
			return fmt.Errorf("decode a request: %w", protowire.ParseError(n))
		}
		message = message[n:]
	}
	return nil
}

func (s *sink) countSpan(span []byte) {
	own := false
	_ = eachField(span, fieldSpanName, func(name []byte) error {
		own = string(name) == stormName
		return io.EOF // there is one
	})
	if own {
		s.spans.Add(1)
	} else {
		s.otherSpans.Add(1)
	}
}

// countRecord tells a record by the strings that are in it: the event's name,
// and the executable as an attribute of its own.
func (s *sink) countRecord(record []byte) {
	own := bytes.Contains(record, executableName)
	start := bytes.Contains(record, execEvent)
	switch {
	case start && own:
		s.execs.Add(1)
	case start:
		s.otherExecs.Add(1)
	case own:
		s.exits.Add(1)
	default:
		s.otherExits.Add(1)
	}
}

var (
	execEvent = []byte("procspan.process.exec")
	// A string value of a protobuf: its tag, its length, the string.
	executableName = append([]byte{1<<3 | 2, byte(len(stormName))}, stormName...)
)

// rawCodec passes messages as bytes.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(message any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*message.(*[]byte))}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, message any) error {
	*message.(*[]byte) = data.Materialize()
	return nil
}
