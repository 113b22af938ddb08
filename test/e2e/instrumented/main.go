// Command instrumented stands for a user's program with the OpenTelemetry SDK.
// It continues what TRACEPARENT names by a span, in which it runs its arguments
// as a command that is to continue that span.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, command []string) error {
	exporter, err := otlptracegrpc.New(ctx) // to OTEL_EXPORTER_OTLP_ENDPOINT
	if err != nil {
		return err
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter))
	err = work(ctx, provider, command)
	return errors.Join(err, provider.Shutdown(ctx))
}

func work(ctx context.Context, provider *sdktrace.TracerProvider, command []string) error {
	var propagator propagation.TraceContext
	carrier := propagation.MapCarrier{"traceparent": os.Getenv("TRACEPARENT"), "tracestate": os.Getenv("TRACESTATE")}
	ctx, span := provider.Tracer("instrumented").Start(propagator.Extract(ctx, carrier), "work")
	defer span.End()
	propagator.Inject(ctx, carrier)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "TRACEPARENT="+carrier["traceparent"])
	return cmd.Run()
}
