package deliver

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/grpclog"
)

// LogGRPC replaces grpc-go's logger, of which there is one per program. The original
// prints errors, such as each GOAWAY of a server, to standard error. The new one
// logs them, at most once per warnInterval, and drops what is less than an error.
// It must be called before grpc-go is used.
func LogGRPC(log *slog.Logger) { grpclog.SetLoggerV2(&grpcLogger{log: log}) }

// grpcLogger implements grpclog.LoggerV2.
type grpcLogger struct {
	log *slog.Logger

	mu         sync.Mutex
	last       time.Time
	suppressed int
}

func (l *grpcLogger) print(msg string) {
	l.mu.Lock()
	if now := time.Now(); now.Sub(l.last) < warnInterval {
		l.suppressed++
		l.mu.Unlock()
		return
	} else {
		l.last = now
	}
	args := []any{"error", scrubber{secrets: strings.NewReplacer()}.clean(strings.TrimSpace(msg))}
	if l.suppressed > 0 {
		args = append(args, "suppressed", l.suppressed)
	}
	l.suppressed = 0
	l.mu.Unlock()
	l.log.Warn("gRPC connection error", args...)
}

func (l *grpcLogger) Error(args ...any)                 { l.print(fmt.Sprint(args...)) }
func (l *grpcLogger) Errorln(args ...any)               { l.print(fmt.Sprintln(args...)) }
func (l *grpcLogger) Errorf(format string, args ...any) { l.print(fmt.Sprintf(format, args...)) }

// Fatal is an error: nothing below main ends the program.
func (l *grpcLogger) Fatal(args ...any)                 { l.Error(args...) }
func (l *grpcLogger) Fatalln(args ...any)               { l.Errorln(args...) }
func (l *grpcLogger) Fatalf(format string, args ...any) { l.Errorf(format, args...) }

func (l *grpcLogger) Info(...any)             {}
func (l *grpcLogger) Infoln(...any)           {}
func (l *grpcLogger) Infof(string, ...any)    {}
func (l *grpcLogger) Warning(...any)          {}
func (l *grpcLogger) Warningln(...any)        {}
func (l *grpcLogger) Warningf(string, ...any) {}
func (l *grpcLogger) V(int) bool              { return false }
