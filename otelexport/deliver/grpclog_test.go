package deliver

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/grpclog"
)

// What grpc-go prints goes to the log, but not without limit.
func TestGRPCLogger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &logs{}
		var log grpclog.LoggerV2 = &grpcLogger{log: slog.New(slog.NewTextHandler(out, nil))}
		for range 1000 {
			log.Errorf("[transport] Client received GoAway with debug data %q", "too_many_pings\x1b[2J")
			log.Warningln("creating a connection")
			log.Info("connected")
		}
		if out.count("\n") != 1 || out.count("GoAway") != 1 || out.count("\x1b") != 0 {
			t.Errorf("want one record, of the error:\n%s", out)
		}
		time.Sleep(warnInterval)
		log.Fatal("a bug")
		if out.count("\n") != 2 || out.count(`level=WARN msg="gRPC connection error" error="a bug" suppressed=999`) != 1 {
			t.Errorf("want one more, with the number of those suppressed:\n%s", out)
		}
	})
}
